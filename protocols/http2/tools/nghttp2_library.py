"""libnghttp2, called by ctypes (Debian: libnghttp2-14)."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache

__all__ = ["library"]

_AT = ctypes.c_void_p


@cache
def library() -> ctypes.CDLL:
    """The library, with the types of what several use. Raises OSError where it is not installed."""
    found = ctypes.CDLL(ctypes.util.find_library("nghttp2") or "libnghttp2.so.14")
    found.nghttp2_session_mem_recv.restype = ctypes.c_ssize_t
    found.nghttp2_session_mem_recv.argtypes = [_AT, ctypes.c_char_p, ctypes.c_size_t]
    found.nghttp2_session_mem_send.restype = ctypes.c_ssize_t
    found.nghttp2_session_mem_send.argtypes = [_AT, ctypes.POINTER(_AT)]
    found.nghttp2_session_del.argtypes = [_AT]
    return found
