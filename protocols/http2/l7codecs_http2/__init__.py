"""HTTP/2, gRPC, gRPC-Web, Connect and Triple. See the README of this room."""

from __future__ import annotations

from l7codecs import Attribute, Direction, Pairing, Protocol

from ._connection.detect import detect_connect, detect_grpc, detect_grpc_web, detect_http2, detect_triple
from ._frames.frame_message import FrameMessage
from ._payloads.payloads import GrpcPayload, GrpcPayloads
from ._payloads.protobuf import GrpcStatus, GrpcTypes
from ._semantics.meaning import binary_metadata
from ._semantics.messages import Http2Message
from ._session import Http2Session

__all__ = [
    "CONNECT",
    "GRPC",
    "GRPC_WEB",
    "HTTP2",
    "TRIPLE",
    "FrameMessage",
    "GrpcPayload",
    "GrpcPayloads",
    "GrpcStatus",
    "GrpcTypes",
    "Http2Message",
    "Http2Session",
    "binary_metadata",
]

_BOTH = Direction.BOTH
_CLIENT = Direction.CLIENT
_SERVER = Direction.SERVER

_FRAMES = (
    Attribute("network.protocol.version", str, _BOTH, "always 2"),
    Attribute("http2.stream_id", int, _BOTH, "the stream"),
    Attribute("http2.frame_type", str, _BOTH, "the type of a frame without header block"),
    Attribute(
        "http2.error_code",
        str,
        _BOTH,
        "the error code of RST_STREAM and GOAWAY, or that a frame on the wrong stream earns",
    ),
    Attribute("http2.fields_unknown", bool, _BOTH, "a field refers to what was before the connection was joined"),
    Attribute("http2.malformed", str, _BOTH, "which rule of RFC 9113 §8 the message breaks"),
    Attribute("error.type", str, _BOTH, "the HTTP status from 500 on, the gRPC status if not OK, the error code"),
)
_METHOD = (Attribute("http.request.method", str, _BOTH, ":method", changeable=True),)
_CALL_METHOD = (Attribute("http.request.method", str, _BOTH, ":method, which the protocol prescribes"),)
_HTTP = (
    Attribute("url.path", str, _BOTH, ":path up to its '?'", sensitive=True, changeable=True),
    Attribute("url.query", str, _BOTH, ":path behind its '?'", sensitive=True, changeable=True),
    Attribute("url.scheme", str, _BOTH, ":scheme", changeable=True),
    Attribute("user_agent.original", str, _BOTH, "user-agent"),
    Attribute("http.response.status_code", int, _SERVER, "the final :status"),
    Attribute("http2.interim_status", int, _SERVER, "the :status of an interim response, 1xx"),
    Attribute("l7.access", str, _BOTH, "read for safe methods, write for others; unknown for an RPC"),
)
_RPC = (
    Attribute("rpc.system.name", str, _BOTH, "grpc, or dubbo for Triple"),
    Attribute("rpc.method", str, _BOTH, ":path without its first '/': package.Service/Method", changeable=True),
    Attribute(
        "rpc.response.status_code", str, _SERVER, "the name of grpc-status, in trailers or a response without body"
    ),
    Attribute("grpc.timeout_ms", int, _CLIENT, "grpc-timeout in ms, rounded up"),
    Attribute(
        "grpc.streaming",
        str,
        _SERVER,
        "at the end of a call, which side sent more than one message: none, client, server, both",
    ),
    Attribute(
        "grpc.request.message_count", int, _SERVER, "at the end of a call: the client's length-prefixed messages"
    ),
    Attribute("grpc.request.message_size", int, _SERVER, "their octets, without prefixes, as they came"),
    Attribute("grpc.request.compressed_count", int, _SERVER, "how many of them are compressed"),
    Attribute(
        "grpc.response.message_count", int, _SERVER, "at the end of a call: the server's length-prefixed messages"
    ),
    Attribute("grpc.response.message_size", int, _SERVER, "their octets, without prefixes, as they came"),
    Attribute("grpc.response.compressed_count", int, _SERVER, "how many of them are compressed"),
)
_CONNECT = (
    Attribute("rpc.system.name", str, _BOTH, "connectrpc"),
    Attribute(
        "rpc.method", str, _BOTH, ":path without its first '/' and its query: package.Service/Method", changeable=True
    ),
    Attribute(
        "rpc.response.status_code", str, _SERVER, "the code of an error, else its HTTP status; once the body has ended"
    ),
    Attribute("connect.timeout_ms", int, _CLIENT, "connect-timeout-ms"),
    Attribute("connect.streaming", str, _SERVER, "as grpc.streaming; once the body has ended"),
    Attribute(
        "connect.request.message_count",
        int,
        _SERVER,
        "once the body has ended: the client's messages; 1 of a unary call",
    ),
    Attribute("connect.request.message_size", int, _SERVER, "their octets, without prefixes, as they came"),
    Attribute("connect.request.compressed_count", int, _SERVER, "how many of them are compressed"),
    Attribute("connect.response.message_count", int, _SERVER, "once the body has ended: the server's messages"),
    Attribute("connect.response.message_size", int, _SERVER, "their octets, without prefixes, as they came"),
    Attribute("connect.response.compressed_count", int, _SERVER, "how many of them are compressed"),
)
_DUBBO = (
    Attribute("dubbo.service_version", str, _CLIENT, "tri-service-version"),
    Attribute("dubbo.group", str, _CLIENT, "tri-service-group"),
    Attribute("dubbo.unit_info", str, _CLIENT, "tri-unit-info"),
    Attribute("dubbo.application", str, _CLIENT, "tri-consumer-appname"),
    Attribute("dubbo.request_id", str, _CLIENT, "tri-req-id"),
    Attribute("dubbo.protocol_version", str, _CLIENT, "tri-protocol-version; triple-protocol-version of dubbo-go"),
    Attribute("dubbo.timeout_ms", int, _CLIENT, "tri-service-timeout; triple-timeout-ms of dubbo-go"),
    Attribute(
        "dubbo.exception_code",
        int,
        _SERVER,
        "tri-exception-code of a response: the method threw, and the call's status is OK all the same",
    ),
)

HTTP2 = Protocol(
    name="http2",
    title="HTTP/2",
    session=Http2Session,
    detect=detect_http2,
    pairing=Pairing.STREAM,
    id_bits=31,
    alpn=("h2",),
    specification="RFC 9113, RFC 7541",
    attributes=_FRAMES + _METHOD + _HTTP,
)
GRPC = Protocol(
    name="grpc",
    title="gRPC",
    session=Http2Session,
    detect=detect_grpc,
    pairing=Pairing.STREAM,
    id_bits=31,
    alpn=("h2",),
    specification="gRPC over HTTP/2, RFC 9113",
    attributes=_FRAMES + _CALL_METHOD + _HTTP + _RPC,
)
GRPC_WEB = Protocol(
    name="grpc_web",
    title="gRPC-Web",
    session=Http2Session,
    detect=detect_grpc_web,
    pairing=Pairing.STREAM,
    id_bits=31,
    alpn=("h2",),
    specification="gRPC-Web (grpc/grpc, doc/PROTOCOL-WEB.md), RFC 9113",
    attributes=_FRAMES + _CALL_METHOD + _HTTP + _RPC,
)
CONNECT = Protocol(
    name="connect",
    title="Connect",
    session=Http2Session,
    detect=detect_connect,
    pairing=Pairing.STREAM,
    id_bits=31,
    alpn=("h2",),
    specification="Connect Protocol Reference, RFC 9113",
    attributes=_FRAMES + _CALL_METHOD + _HTTP + _CONNECT,
)
TRIPLE = Protocol(
    name="triple",
    title="Triple (Dubbo 3)",
    session=Http2Session,
    detect=detect_triple,
    pairing=Pairing.STREAM,
    id_bits=31,
    alpn=("h2",),
    specification="Triple protocol specification, dubbo.apache.org; RFC 9113",
    attributes=_FRAMES + _CALL_METHOD + _HTTP + _RPC + _DUBBO,
)
