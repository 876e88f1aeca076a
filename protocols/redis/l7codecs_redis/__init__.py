"""Redis: RESP2 and RESP3, both directions. See the README of this room."""

from __future__ import annotations

from l7codecs import Attribute, Direction, Pairing, Protocol

from ._detect import detect
from ._replication import RdbFile
from ._reply import RedisReply
from ._request import RedisRequest
from ._routes import ENVOY_ROUTES
from ._session import RedisSession
from ._ties import RedisTies

__all__ = ["PROTOCOL", "RdbFile", "RedisReply", "RedisRequest", "RedisSession"]

_BOTH = Direction.BOTH
_SERVER = Direction.SERVER

PROTOCOL = Protocol(
    name="redis",
    title="Redis (RESP2, RESP3)",
    session=RedisSession,
    detect=detect,
    ports=(6379,),
    route_formats=(ENVOY_ROUTES,),
    ties=RedisTies(),
    changes_headers=False,
    changes_answers=False,
    pairing=Pairing.FIFO,
    specification="RESP protocol specification, redis.io",
    attributes=(
        Attribute("db.system.name", str, _BOTH, "always redis"),
        Attribute(
            "db.operation.name", str, _BOTH, "the command, upper case, with its sub-command; of a reply, what it answers",
            changeable=True,
        ),
        Attribute("db.namespace", str, _BOTH, "the number of the database, after the last SELECT; absent while unknown"),
        Attribute("db.query.text", str, _BOTH, "the command with its keys, every other argument as ?", sensitive=True),
        Attribute("db.stored_procedure.name", str, _BOTH, "the first argument of EVALSHA and FCALL"),
        Attribute("db.operation.batch.size", int, _BOTH, "of EXEC: the commands queued since MULTI"),
        Attribute("db.response.status_code", str, _SERVER, "the first word of an error reply"),
        Attribute("error.type", str, _SERVER, "the first word of an error reply"),
        Attribute("l7.access", str, _BOTH, "read, write, admin or unknown, from the server's table of commands"),
        Attribute("l7.pins", str, _BOTH, "why what follows has to stay on this connection"),
        Attribute("l7.blocks", bool, _BOTH, "present and true where the answer may wait for what other clients or servers do"),
        Attribute(
            "redis.keys", bytes, _BOTH, "the arguments that are keys; of an invalidation, the keys it names",
            many=True, sensitive=True, changeable=True,
        ),
        Attribute(
            "redis.channels", bytes, _BOTH, "channels or patterns of the publish/subscribe commands; the channel of a push",
            many=True, sensitive=True,
        ),
        Attribute("redis.reply_type", str, _SERVER, "the type of the reply: simple_string, array, map, push…"),
    ),
)  # fmt: skip
