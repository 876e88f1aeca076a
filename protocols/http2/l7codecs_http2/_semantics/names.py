"""The names of fields that say what a message means."""

from __future__ import annotations

from typing import Final

from .._hpack.static_table import header_name, well_known

__all__ = [
    "AUTHORITY",
    "CONNECT_TIMEOUT",
    "CONNECT_VERSION",
    "CONTENT_TYPE",
    "EXCEPTION_CODE",
    "GO_VERSION",
    "GRPC_STATUS_NAME",
    "GRPC_TIMEOUT",
    "HOST",
    "METHOD",
    "PATH",
    "SCHEME",
    "SERVICE_TIMEOUT",
    "STATUS",
    "TRIPLE_TIMEOUT",
    "USER_AGENT",
]

METHOD: Final = well_known(":method")
PATH: Final = well_known(":path")
AUTHORITY: Final = well_known(":authority")
SCHEME: Final = well_known(":scheme")
STATUS: Final = well_known(":status")
CONTENT_TYPE: Final = well_known("content-type")
GRPC_STATUS_NAME: Final = well_known("grpc-status")
GRPC_TIMEOUT: Final = well_known("grpc-timeout")
HOST: Final = well_known("host")
USER_AGENT: Final = well_known("user-agent")
GO_VERSION: Final = header_name(b"triple-protocol-version")
CONNECT_VERSION: Final = header_name(b"connect-protocol-version")
CONNECT_TIMEOUT: Final = header_name(b"connect-timeout-ms")
SERVICE_TIMEOUT: Final = header_name(b"tri-service-timeout")
TRIPLE_TIMEOUT: Final = header_name(b"triple-timeout-ms")
EXCEPTION_CODE: Final = well_known("tri-exception-code")
