"""Gzipped TFRecords, read and written a batch at a time.

Framing of a record (https://www.tensorflow.org/tutorials/load_data/tfrecord): length in 8
bytes, its checksum in 4, the data, the data's checksum in 4; checksums are masked CRC-32C.
TensorFlow's own reader costs a tensor, and its writer a call, for each record, both compress
with zlib, and its reader takes many truncated files for shorter ones.  ISA-L's gzip does the
same in a fifth of the time (docs/labelling.md), and tells a truncated file from a whole one.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

import google_crc32c
import numpy as np
from isal import igzip, isal_zlib
from numpy.typing import NDArray

_HEADER, _FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_HEADERS = np.dtype([("length", "<u8"), ("checksum", "<u4")])
_READ_BYTES = 1 << 20
_GZIP_WINDOW = 31  # zlib's number for: with a gzip header
_MEMORY_LEVEL = 8  # zlib's default
# Where ISA-L has a level of that number: at 1 its files are as small as zlib's, at a fifth of the time.
_ISAL_LEVELS = range(1, 4)
_ISAL_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment] # its stub takes the class for an instance


class DamagedFileError(ValueError):
    """The file is no whole gzipped TFRecord; the message says in which way."""


def read_records(file: IO[bytes], compressed: bool, batch_size: int) -> Iterator[list[bytes]]:
    """The records of a file, in order, in batches.

    Args:
      file: Open for reading.
      compressed: Whether it is gzipped (several gzip files in a row are one).
      batch_size: Records per batch; the last may have fewer.

    Raises:
      DamagedFileError: The file is truncated or corrupted.
    """
    source = _Readable(file)
    stream = igzip.IGzipFile(fileobj=source, mode="rb") if compressed else file
    batch: list[bytes] = []
    rest = b""
    while content := _read(stream):
        records, rest = _split(rest + content)
        batch += records
        while len(batch) >= batch_size:
            yield batch[:batch_size]
            batch = batch[batch_size:]
    if compressed and not source.bytes_read:
        raise DamagedFileError("it is empty; a gzip file without content has a header")
    if rest:
        raise DamagedFileError("it ends in the middle of a record")
    if batch:
        yield batch


class _Readable(io.RawIOBase):
    """A file of TFX, which has `read` alone, with the `readinto` that gzip's reader calls."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        self.bytes_read += len(content)
        return len(content)


def _read(stream: Any) -> bytes:
    try:
        return stream.read(_READ_BYTES)
    except (EOFError, igzip.BadGzipFile, _ISAL_ERROR) as error:
        raise DamagedFileError(str(error)) from error


def _split(content: bytes) -> tuple[list[bytes], bytes]:
    """The whole records at the start of `content`, checked, and the bytes after them."""
    records: list[bytes] = []
    checksums: list[int] = []
    known: dict[int, int] = {}
    start, size = 0, len(content)
    while start + _HEADER.size <= size:
        length, checksum = _HEADER.unpack_from(content, start)
        if known.get(length) != checksum:
            _check_length(length, checksum)
            known[length] = checksum
        end = start + _HEADER.size + length
        if end + _FOOTER.size > size:
            break
        records.append(content[start + _HEADER.size : end])
        checksums.append(_FOOTER.unpack_from(content, end)[0])
        start = end + _FOOTER.size
    if (_checksums(records) != np.array(checksums, np.uint32)).any():
        raise DamagedFileError("a record's checksum does not fit its data")
    return records, content[start:]


def _check_length(length: int, checksum: int) -> None:
    if _checksums([length.to_bytes(8, "little")])[0] != checksum:
        raise DamagedFileError("a record's checksum does not fit its length")


def frame(records: Sequence[bytes]) -> bytes:
    """The records as they stand in a TFRecord file."""
    headers = np.empty(len(records), _HEADERS)
    headers["length"] = np.fromiter(map(len, records), np.uint64, len(records))
    lengths, of_record = np.unique(headers["length"], return_inverse=True)
    headers["checksum"] = _checksums([length.tobytes() for length in lengths])[of_record]
    pieces: list[bytes] = [b""] * (3 * len(records))
    pieces[0::3] = _pieces(headers.tobytes(), _HEADERS.itemsize)
    pieces[1::3] = records
    pieces[2::3] = _pieces(_checksums(records).tobytes(), _FOOTER.size)
    return b"".join(pieces)


def _pieces(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def _checksums(contents: Sequence[bytes]) -> NDArray[np.uint32]:
    """Masked as TFRecord does, so that a checksum of data that hold checksums is no trivial one."""
    plain = np.fromiter(map(google_crc32c.value, contents), np.uint32, len(contents))
    return ((plain >> np.uint32(15)) | (plain << np.uint32(17))) + np.uint32(0xA282EAD8)


class RecordWriter:
    """Writes gzipped TFRecords into `file`.

    Args:
      file: Open for writing; the caller closes it after `finish`.
      level: The level of compression, 0 (stored) to 9.
    """

    def __init__(self, file: IO[bytes], level: int) -> None:
        self._file = file
        library = isal_zlib if level in _ISAL_LEVELS else zlib
        self._compressor = library.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW, _MEMORY_LEVEL)

    def write(self, records: Sequence[bytes]) -> None:
        self._file.write(self._compressor.compress(frame(records)))

    def finish(self) -> None:
        self._file.write(self._compressor.flush())
