"""NATS (client protocol) for l7codecs."""

from __future__ import annotations

from l7codecs import Attribute, Direction, Pairing, Protocol

from ._detect import detect
from ._messages import Info, NatsMessage, Refusal
from ._session import NatsSession

__all__ = ["PROTOCOL", "Info", "NatsMessage", "NatsSession", "Refusal"]

_CLIENT, _SERVER, _BOTH = Direction.CLIENT, Direction.SERVER, Direction.BOTH

PROTOCOL = Protocol(
    name="nats",
    title="NATS, client protocol",
    session=NatsSession,
    detect=detect,
    ports=(4222,),
    pairing=Pairing.ID,
    specification="docs.nats.io, client protocol; nats-server 2.15",
    attributes=(
        Attribute("messaging.system", str, _BOTH, "always nats"),
        Attribute("messaging.operation.name", str, _BOTH, "PUB, SUB, MSG…; of an answer in order, what was asked"),
        Attribute("messaging.destination.name", str, _BOTH, "the subject"),
        Attribute("messaging.message.body.size", int, _BOTH, "octets of the payload, without headers"),
        Attribute("messaging.consumer.group.name", str, _CLIENT, "the queue group of SUB"),
        Attribute("l7.access", str, _BOTH, "publish, subscribe or unknown, by the operation"),
        Attribute("l7.pins", str, _CLIENT, "subscription, of SUB"),
        Attribute("error.type", str, _BOTH, "the number of a status line; the text of -ERR up to what it names"),
        Attribute("nats.reply_to", str, _BOTH, "the subject that answers are wanted on"),
        Attribute("nats.sid", str, _BOTH, "the number or text of a subscription"),
        Attribute("nats.version", str, _BOTH, "version in the JSON of INFO and CONNECT"),
        Attribute("nats.lang", str, _CLIENT, "lang in the JSON of CONNECT"),
        Attribute("nats.name", str, _CLIENT, "name in the JSON of CONNECT"),
        Attribute("nats.verbose", bool, _CLIENT, "whether +OK answers everything; true where CONNECT does not say"),
        Attribute("nats.server_id", str, _BOTH, "server_id in the JSON of INFO"),
        Attribute("nats.server_name", str, _BOTH, "server_name in the JSON of INFO"),
        Attribute("nats.lame_duck", bool, _BOTH, "ldm in the JSON of INFO: the server will go"),
    ),
)
