"""memcached's text protocol for l7codecs."""

from __future__ import annotations

from l7codecs import Attribute, Direction, Pairing, Protocol

from ._answers import Answer
from ._commands import Command, MetaCommand
from ._detect import detect
from ._session import MemcachedSession

__all__ = ["PROTOCOL", "Answer", "Command", "MemcachedSession", "MetaCommand"]

_CLIENT, _SERVER, _BOTH = Direction.CLIENT, Direction.SERVER, Direction.BOTH

PROTOCOL = Protocol(
    name="memcached",
    title="memcached, text protocol",
    session=MemcachedSession,
    detect=detect,
    ports=(11211,),
    pairing=Pairing.FIFO,
    specification="memcached/doc/protocol.txt, 1.6",
    attributes=(
        Attribute("db.system.name", str, _BOTH, "always memcached"),
        Attribute("db.operation.name", str, _BOTH, "the command; of an answer, what was asked for"),
        Attribute("db.operation.batch.size", int, _CLIENT, "the number of keys, where there are several"),
        Attribute("db.response.status_code", str, _SERVER, "the first word of an answer that is a failure"),
        Attribute("error.type", str, _SERVER, "the same"),
        Attribute("l7.access", str, _CLIENT, "read, write, admin or unknown, by the command"),
        Attribute("l7.pins", str, _CLIENT, "watch: it becomes a log; quiet: what comes next tells"),
        Attribute("memcached.keys", bytes, _CLIENT, "the keys; decoded where a flag says base64", many=True),
        Attribute("memcached.noreply", bool, _CLIENT, "true where noreply is the last word"),
        Attribute("memcached.opaque", bytes, _BOTH, "the token of flag O"),
        Attribute("memcached.quiet", bool, _CLIENT, "true where flag q is there: it may be answered, or not"),
        Attribute("memcached.value.size", int, _CLIENT, "octets of the value that is stored"),
    ),
)
