"""Dubbo: the TCP protocol ``dubbo`` of Apache Dubbo 2.x and 3.x, both directions. See the README of this room."""

from __future__ import annotations

from l7codecs import Attribute, Direction, Pairing, Protocol

from ._routes import ENVOY_ROUTES, META_NAMES
from ._session import ID_BITS, DubboSession
from ._wire.detection import detect
from ._wire.events import DubboEvent
from ._wire.messages import DubboMessage
from ._wire.requests import DubboRequest
from ._wire.responses import DubboResponse

__all__ = ["PROTOCOL", "DubboEvent", "DubboMessage", "DubboRequest", "DubboResponse", "DubboSession"]

_BOTH = Direction.BOTH
_CLIENT = Direction.CLIENT
_SERVER = Direction.SERVER

PROTOCOL = Protocol(
    name="dubbo",
    title="Apache Dubbo",
    session=DubboSession,
    detect=detect,
    route_formats=(ENVOY_ROUTES,),
    route_names=META_NAMES,
    ports=(20880,),
    pairing=Pairing.ID,
    id_bits=ID_BITS,
    specification="Dubbo protocol; Dubbo 3.3.6, 3.2.19, 2.7.23, 2.6.12",
    attributes=(
        Attribute("rpc.system.name", str, _BOTH, "always dubbo"),
        Attribute("rpc.method", str, _BOTH, "interface and method, of generic calls the one that is meant; of an answer, of its request"),
        Attribute("dubbo.request_id", int, _BOTH, "the id of the header, 64 bits without sign", changeable=True),
        Attribute("dubbo.serialization", str, _BOTH, "the name of the header's serialization id; the number where it has none"),
        Attribute("dubbo.version", str, _BOTH, "the protocol's version, first in the body of a request: 2.0.2"),
        Attribute("dubbo.service", str, _BOTH, "the interface, second in the body of a request", changeable=True),
        Attribute("dubbo.path", str, _BOTH, "the attachment path, where it differs: providers decide by it", changeable=True),
        Attribute("dubbo.service_version", str, _BOTH, "the version, third in the body of a request, unless 0.0.0", changeable=True),
        Attribute("dubbo.attached_version", str, _BOTH, "the attachment version, where it differs: providers of 2.7 decide by it"),
        Attribute("dubbo.group", str, _BOTH, "the attachment group", changeable=True),
        Attribute("dubbo.method", str, _BOTH, "the method; of a generic call the one that is meant", changeable=True),
        Attribute("dubbo.generic_method", str, _BOTH, "of a generic call: $invoke or $invokeAsync"),
        Attribute("dubbo.param_types", str, _BOTH, "the parameters' types, as Java writes them; of generic calls those named", many=True),
        Attribute("dubbo.generic", str, _BOTH, "the attachment generic: true, gson, bean…"),
        Attribute("dubbo.application", str, _BOTH, "the attachment remote.application"),
        Attribute("dubbo.timeout_ms", int, _BOTH, "the attachment timeout"),
        Attribute("dubbo.event", str, _BOTH, "heartbeat, readonly or event, of what concerns the connection"),
        Attribute("dubbo.status", int, _BOTH, "the status of the header, of an answer: 20 is OK"),
        Attribute("dubbo.response_kind", str, _BOTH, "value, null or exception, of status 20"),
        Attribute("dubbo.error_message", str, _BOTH, "the text of an answer of any other status", sensitive=True),
        Attribute("exception.type", str, _BOTH, "the class of the exception, in the body or told by the text"),
        Attribute("exception.message", str, _BOTH, "its message", sensitive=True),
        Attribute("error.type", str, _BOTH, "the exception's class; the name of a status other than 20"),
        Attribute("dubbo.malformed", str, _BOTH, "why the body cannot be read"),
        Attribute("l7.access", str, _BOTH, "always unknown, of a call"),
    ),
)  # fmt: skip
