"""Octets of a capture: a path, "-" for standard input, or an open file; gzip is undone on the way.

Nothing here seeks, so a pipe will do. A pipe is read as its octets come: a live ``tcpdump -w -`` is not held back.
"""

import gzip
import io
import os
import select
import stat
import sys
import zlib
from collections.abc import Callable
from typing import BinaryIO, cast

from l7codecs.capture.errors import CaptureError

__all__ = ["Source", "open_source"]

CHUNK_SIZE = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"


class _Counted(io.RawIOBase):
    """Read a raw file, count its octets, and give back those that were peeked at."""

    def __init__(self, file: BinaryIO, on_pause: Callable[[], None] | None) -> None:
        self._on_pause = on_pause
        self._descriptor = _descriptor(file) if on_pause is not None else None
        self._read_some = getattr(file, "read1", file.read)
        self._peeked = b""
        self.octets_read = 0

    def peek(self, size: int) -> bytes:
        """Return the first octets, `size` of them unless the file is shorter."""
        while len(self._peeked) < size:
            chunk = self.take(CHUNK_SIZE)
            if not chunk:
                break
            self._peeked += chunk
        return self._peeked[:size]

    def take(self, size: int) -> bytes:
        """Read what is there, `size` octets at most; empty at the end."""
        if self._on_pause is not None and self._descriptor is not None and not _is_ready(self._descriptor):
            self._on_pause()
        chunk = cast("bytes | None", self._read_some(size))
        if chunk is None:
            raise BlockingIOError("the file is non-blocking, expected one that waits for its octets")
        self.octets_read += len(chunk)
        return chunk

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read for the gzip reader, which asks for chunks and takes what it gets."""
        if self._peeked:
            given, self._peeked = self._peeked, b""
            if 0 <= size < len(given):
                given, self._peeked = given[:size], given[size:]
            return given
        return self.take(size if size > 0 else CHUNK_SIZE)


class Source:
    """Hand out the octets of one capture in chunks, decompressed."""

    def __init__(self, name: str, file: BinaryIO, *, close: bool, on_pause: Callable[[], None] | None = None) -> None:
        """Read from `file`, which is closed at the end if `close`; CaptureError where it cannot be read.

        `on_pause` is called before every wait for octets.
        """
        self.name = name
        self._file = file
        self._close = close
        self._raw = _Counted(file, on_pause)
        self._packed: gzip.GzipFile | None = None
        #: Octets of the file as it is stored, None where that is not known (a pipe).
        self.total_size = _regular_size(file)
        try:
            if self._raw.peek(2) == GZIP_MAGIC:
                self._packed = gzip.GzipFile(fileobj=self._raw, mode="rb")
        except OSError as error:
            self.close()
            raise CaptureError(name, _reason(error)) from error

    @property
    def octets_read(self) -> int:
        """Octets taken from the file as it is stored, compressed or not."""
        return self._raw.octets_read

    def read(self) -> bytes:
        """Return the next octets, empty at the end; CaptureError if they cannot be read or unpacked."""
        try:
            if self._packed is not None:
                return self._packed.read1(CHUNK_SIZE)
            return self._raw.read(CHUNK_SIZE)
        except EOFError as error:
            raise CaptureError(self.name, "the gzip data ends early") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise CaptureError(self.name, f"the gzip data is damaged: {error}") from error
        except (OSError, ValueError) as error:
            raise CaptureError(self.name, _reason(error)) from error

    def close(self) -> None:
        """Close the file if this opened it."""
        if self._close:
            self._file.close()


def open_source(source: "str | os.PathLike[str] | BinaryIO", on_pause: Callable[[], None] | None = None) -> Source:
    """Open a path, "-" for standard input, or take an open binary file; CaptureError if it cannot be opened."""
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        if name == "-":
            if sys.stdin is None:
                raise CaptureError("standard input", "it is closed")
            return Source("standard input", sys.stdin.buffer, close=False, on_pause=on_pause)
        try:
            return Source(name, open(name, "rb", buffering=0), close=True, on_pause=on_pause)
        except OSError as error:
            raise CaptureError(name, _reason(error)) from error
    given = getattr(source, "name", None)
    return Source(given if isinstance(given, str) else "capture", source, close=False, on_pause=on_pause)


def _descriptor(file: BinaryIO) -> int | None:
    """Return the file's descriptor, None where it has none: then nothing is waited for."""
    try:
        return file.fileno()
    except (OSError, AttributeError, ValueError):
        return None


def _is_ready(descriptor: int) -> bool:
    """Tell whether reading will not wait; False also where the system cannot tell (a pipe on Windows)."""
    try:
        return bool(select.select([descriptor], [], [], 0)[0])
    except (OSError, ValueError):
        return False


def _regular_size(file: BinaryIO) -> int | None:
    """Return the size of a regular file in octets, None for a pipe or an object without a descriptor."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, AttributeError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
