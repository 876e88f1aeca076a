"""Thrift: Apache Thrift's messages in every transport and encoding that peers of today speak. See the README of this room."""

from __future__ import annotations

from l7codecs import Attribute, Direction, Pairing, Protocol

from ._idl.interface import ThriftOutcome, ThriftTypes
from ._meaning.messages import ThriftMessage
from ._mux.messages import MuxMessage
from ._mux.session import TAG_BITS, MuxSession
from ._mux.session import detect as detect_mux
from ._routes import ENVOY_ROUTES, META_NAMES
from ._session import ID_BITS, ThriftSession
from ._transport.detection import detect

__all__ = [
    "PROTOCOL",
    "THRIFTMUX",
    "MuxMessage",
    "MuxSession",
    "ThriftMessage",
    "ThriftOutcome",
    "ThriftSession",
    "ThriftTypes",
]

_BOTH = Direction.BOTH

PROTOCOL = Protocol(
    name="thrift",
    title="Apache Thrift",
    session=ThriftSession,
    detect=detect,
    route_formats=(ENVOY_ROUTES,),
    route_names=META_NAMES,
    ports=(9090,),
    pairing=Pairing.ID,
    id_bits=ID_BITS,
    doubts=True,
    specification="Apache Thrift 0.25; TTHeader of CloudWeGo; Finagle 22.7",
    attributes=(
        Attribute("rpc.system.name", str, _BOTH, "always thrift"),
        Attribute("rpc.method", str, _BOTH, "service, if there is one, and method; of an answer, of its request"),
        Attribute("thrift.seqid", int, _BOTH, "the sequence id of the message, 32 bits with sign", changeable=True),
        Attribute("thrift.message_type", str, _BOTH, "call, reply, exception or oneway"),
        Attribute("thrift.transport", str, _BOTH, "framed, unframed, header, ttheader, finagle, zlib or http"),
        Attribute("thrift.transforms", str, _BOTH, "the transforms of headers, in their order: zlib; the coding of HTTP", many=True),
        Attribute("thrift.protocol", str, _BOTH, "the encoding: binary, old-binary, compact, json, thriftpy2-json, ttext"),
        Attribute("thrift.service", str, _BOTH, "what stands before the last colon of a call's name", changeable=True),
        Attribute("thrift.method", str, _BOTH, "the method", changeable=True),
        Attribute("thrift.reply_kind", str, _BOTH, "of a reply: result, declared (an exception of the interface), empty (void or null)"),
        Attribute("thrift.exception_field", int, _BOTH, "of a declared exception: the id of its field"),
        Attribute("thrift.exception_type", int, _BOTH, "the type of a TApplicationException, if it is written"),
        Attribute("exception.type", str, _BOTH, "TApplicationException, of such"),
        Attribute("exception.message", str, _BOTH, "its message, if it is written", sensitive=True),
        Attribute("error.type", str, _BOTH, "the name of the type of a TApplicationException; field and its id of a declared exception"),
        Attribute("http.response.status_code", int, _BOTH, "the status of an answer of HTTP"),
        Attribute("thrift.malformed", str, _BOTH, "why the message or its body cannot be read"),
        Attribute("l7.access", str, _BOTH, "always unknown, of a call"),
        Attribute("l7.pins", str, Direction.CLIENT, "upgrade, of Finagle's upgrade and what is said in its form"),
    ),
)  # fmt: skip

_CARRIED = (
    "rpc.system.name", "rpc.method", "thrift.message_type", "thrift.protocol", "thrift.reply_kind", "thrift.exception_field",
    "thrift.exception_type", "exception.type", "exception.message", "error.type", "thrift.malformed", "l7.access",
)  # fmt: skip

THRIFTMUX = Protocol(
    name="thriftmux",
    title="ThriftMux",
    session=MuxSession,
    detect=detect_mux,
    pairing=Pairing.ID,
    id_bits=TAG_BITS,
    specification="Mux of twitter/finagle; Finagle 22.7",
    attributes=(
        *(each for each in PROTOCOL.attributes if each.name in _CARRIED),
        Attribute("thrift.seqid", int, _BOTH, "the sequence id of the message that is carried", changeable=True),
        Attribute("thrift.service", str, _BOTH, "what stands before the last colon of a call's name", changeable=True),
        Attribute("thrift.method", str, _BOTH, "the method", changeable=True),
        Attribute("mux.type", str, _BOTH, "the type of the frame: Tdispatch, Rdispatch, Tping…"),
        Attribute("mux.tag", int, _BOTH, "the tag of the frame", changeable=True),
        Attribute("mux.reason", str, _BOTH, "why, of Tdiscarded and Rerr", sensitive=True),
        Attribute("mux.lease_ms", int, Direction.SERVER, "of Tlease: for how long requests may be sent, ms"),
        Attribute("mux.status", str, _BOTH, "the status of Rdispatch: OK, ERROR or NACK"),
        Attribute("mux.destination", str, _BOTH, "the destination of Tdispatch, if there is one"),
        Attribute("mux.delegations", str, _BOTH, "the delegations of Tdispatch: prefix=>destination", many=True),
    ),
)
