"""Requests by which TensorFlow Serving warms a version up before it answers anybody.

A server that finds `assets.extra/tf_serving_warmup_requests` replays it after loading: what a
first request would have set up is set up then.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
from tfx.dsl.io import fileio

from records.sessions import SIGNATURE


def warm_up_requests(
    surface: str, input_name: str, examples: Sequence[bytes], batch_sizes: Sequence[int]
) -> Iterator[bytes]:
    """Real requests, one for each batch size, as serialized PredictionLogs.

    Args:
      surface: The surface, after which models are named.
      input_name: The one input of the signature.
      examples: Serialized tf.Examples as a server gets them; used over where they are too few.
      batch_sizes: How many go into each request.
    """
    for size in batch_sizes:
        batch = [examples[place % len(examples)] for place in range(size)]
        request = predict_pb2.PredictRequest()
        request.model_spec.name = surface
        request.model_spec.signature_name = SIGNATURE
        request.inputs[input_name].CopyFrom(tf.make_tensor_proto(batch, tf.string, [size]))
        log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
        yield log.SerializeToString()


def write(path: str, requests: Iterator[bytes]) -> None:
    """Writes them as the uncompressed TFRecords that servers read, on any file system that TFX writes."""
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "requests"
        with tf.io.TFRecordWriter(str(local)) as writer:
            for each in requests:
                writer.write(each)
        with fileio.open(path, "wb") as file:
            file.write(local.read_bytes())
