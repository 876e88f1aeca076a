"""The classes of ``java.lang`` that fastjson2 names without their package.

Source: `com.alibaba.fastjson2.util.TypeUtils.NAME_MAPPINGS`, 2.0.56, as far as they are exceptions.
"""

from __future__ import annotations

from typing import Final

__all__ = ["exception_class"]

_SHORT: Final = frozenset(
    {
        "Exception",
        "RuntimeException",
        "IllegalAccessError",
        "IllegalAccessException",
        "IllegalArgumentException",
        "IllegalMonitorStateException",
        "IllegalStateException",
        "IllegalThreadStateException",
        "IndexOutOfBoundsException",
        "InstantiationError",
        "InstantiationException",
        "InternalError",
        "InterruptedException",
        "LinkageError",
        "NegativeArraySizeException",
        "NoClassDefFoundError",
        "NoSuchFieldError",
        "NoSuchFieldException",
        "NoSuchMethodError",
        "NoSuchMethodException",
        "NullPointerException",
        "NumberFormatException",
        "OutOfMemoryError",
        "SecurityException",
        "StackOverflowError",
        "StringIndexOutOfBoundsException",
        "TypeNotPresentException",
        "VerifyError",
    }
)


def exception_class(name: str) -> str:
    """The full name of the class that fastjson2 names `name`."""
    return f"java.lang.{name}" if name in _SHORT else name
