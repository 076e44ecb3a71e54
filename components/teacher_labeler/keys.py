"""Labels without examples: of each record only the key is kept, by which labels are joined to examples again."""

from __future__ import annotations

import tensorflow as tf

from records.encoding import NumberField, NumberLayout, encode_strings
from records.tf_example import FLOAT, INT, STRING, observe_kinds
from schema.errors import InputError

_DTYPES = {INT: tf.int64, STRING: tf.string}


class KeyReader:
    """Reads the key of records.

    Args:
      column: The key's column: one int or one string in every record.
      path: The records' file, for messages.
    """

    def __init__(self, column: str, path: str) -> None:
        self._column = column
        self._where = f"{path}: key_column {column!r}"

    def __call__(self, records: list[bytes]) -> list[bytes]:
        """A serialized tf.Example with nothing but the key, for each of the records.

        Raises:
          InputError: A record does not have exactly one key, or keys are of different types.
        """
        if not records:
            return []
        kind = observe_kinds(records, [self._column]).get(self._column, FLOAT)
        if kind == FLOAT:
            raise InputError(f"{self._where}: expected an int or a string in every example, found floats or nothing")
        keys = self._parse(records, kind)
        if kind == STRING:
            return encode_strings(self._column, keys.numpy())
        return NumberLayout([NumberField(self._column, kind)]).encode([keys.numpy()])

    def _parse(self, records: list[bytes], kind: str) -> tf.Tensor:
        try:
            parsed = tf.io.parse_example(records, {self._column: tf.io.RaggedFeature(_DTYPES[kind])})[self._column]
        except tf.errors.InvalidArgumentError as error:
            raise InputError(f"{self._where}: expected {kind} in every example, found another type") from error
        if not tf.reduce_all(tf.equal(parsed.row_lengths(), 1)):
            raise InputError(f"{self._where}: expected one value in every example, found none or several")
        return parsed.to_tensor()
