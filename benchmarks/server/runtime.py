"""A runtime for MLServer that serves the newest version of a folder of pushed SavedModels.

It runs in the server's own environment (requirements/server.txt) and knows nothing of crosskd.
`model-settings.json` names it as `implementation`, and the folder of versions as `parameters.uri`;
each call of `/v2/repository/models/NAME/load` loads the highest version that is there, warms it up
with the requests that it brings, and takes the place of the one before, which answers until then and
is freed with its last request.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.errors import InferenceError, InvalidModelURI
from mlserver.types import InferenceRequest, InferenceResponse
from tensorflow_serving.apis import prediction_log_pb2

WARM_UP = Path("assets.extra", "tf_serving_warmup_requests")


class SavedModels(MLModel):
    """The newest version, in a session as TensorFlow's own server has it."""

    async def load(self) -> bool:
        """Loads and warms up beside the event loop, so that the version before goes on answering.

        Raises:
          InvalidModelURI: There is no version.
        """
        base = Path(self.settings.parameters.uri)
        versions = [int(each.name) for each in base.iterdir() if each.is_dir() and each.name.isdecimal()]
        if not versions:
            raise InvalidModelURI(self.name, str(base))
        self._served = max(versions)
        self._answers = await asyncio.to_thread(_loaded, base / str(self._served))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answers serialized tf.Examples, BYTES in base64; the answer says which version gave it.

        Raises:
          InferenceError: There is not one such input, or an example is malformed: then none of the
            request is answered.
        """
        if len(payload.inputs) != 1 or payload.inputs[0].datatype != "BYTES":
            found = ", ".join(f"{each.name} ({each.datatype})" for each in payload.inputs)
            raise InferenceError(f"expected one input of serialized tf.Examples, BYTES in base64; found {found}")
        examples = np.array(Base64Codec.decode_input(payload.inputs[0]), dtype=object)
        try:
            answers = await asyncio.to_thread(self._answers, examples)
        except tf.errors.OpError as error:
            raise InferenceError(error.message.splitlines()[0][:300]) from error
        outputs = [NumpyCodec.encode_output(name, values) for name, values in answers.items()]
        return InferenceResponse(model_name=self.name, model_version=str(self._served), outputs=outputs)


def _loaded(folder: Path) -> Any:
    """A function from examples to answers by name, after the warm-up."""
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(folder))
    signature = graph.signature_def[tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY]
    (taken,) = signature.inputs.values()
    names = sorted(signature.outputs)
    call = session.make_callable([signature.outputs[name].name for name in names], [taken.name])

    def answer(examples: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, call(examples), strict=True))

    if (folder / WARM_UP).is_file():
        for record in tf.compat.v1.io.tf_record_iterator(str(folder / WARM_UP)):
            log = prediction_log_pb2.PredictionLog.FromString(record)
            for tensor in log.predict_log.request.inputs.values():
                answer(np.array(tensor.string_val, dtype=object))
    return answer
