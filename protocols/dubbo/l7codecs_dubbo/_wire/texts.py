"""What the text of an answer that failed says of an exception.

Java writes an exception as its class, a colon and its message, and behind that its stack frames:

    org.apache.dubbo.rpc.RpcException: No such method gone in class …                  SERVICE_ERROR
    \tat org.apache.dubbo.rpc.filter.GenericFilter.invoke(GenericFilter.java:…)
    Failed to send response: Response [… exception=com.acme.StockException: sold out]], cause: java.io.IOException: …     BAD_RESPONSE
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["exception_of"]

_LOOK: Final = 16 * 1024
"""Characters that are looked at."""
_CLASS: Final = r"((?:[A-Za-z_$][\w$]{0,255}\.){1,32}[A-Za-z_$][\w$]{0,255})"
_FIRST: Final = re.compile(_CLASS + r"(?:: ([^\n]*)|(?=\n|$))")
_NOT_SENT: Final = "Failed to send response: "
_RESULT: Final = "=null, exception="
"""A result has either a value or an exception."""
_CAUSE: Final = "]], cause: "
_THROWN: Final = re.compile(_CLASS + r"(?:: (.*))?\Z", re.DOTALL)


def exception_of(text: str) -> tuple[str | None, str | None]:
    """Class and message of the exception that `text` tells of: the one that was thrown, not the one of sending it. None: of none."""
    text = text[:_LOOK]
    if text.startswith(_NOT_SENT):
        thrown = text.partition(_RESULT)[2]
        thrown, cause, _ = thrown.partition(_CAUSE)
        found = _THROWN.match(thrown) if cause else None
    else:
        found = _FIRST.match(text)
    if found is None:
        return None, None
    message = found.group(2)
    return str(found.group(1)), None if message is None else str(message)
