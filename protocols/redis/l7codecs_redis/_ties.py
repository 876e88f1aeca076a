"""How commands tie their client: transactions, WATCH, subscriptions, and what else `_state.py` says of each command.

MULTI   opens: it is OK wherever it is asked, and belongs where the keys behind it do
CACHING leads: it is said of the next command, wherever that goes
EXEC    frees, unless something was queued that lasts (SELECT, SUBSCRIBE)
GET k   within a transaction stays; where it is refused on the way, GET of nothing stands in: a server refuses that for the number of its
        arguments before it asks anything else (`processCommand`, redis/src/server.c), and EXEC with it
"""

from __future__ import annotations

from typing import Final, final

from l7codecs import Kind, Message, Session, Tie, Ties, Unsupported

from ._commands import find_command
from ._request import NO_PINS, RedisRequest, Situation, encode_command
from ._session import RedisSession

__all__ = ["RedisTies"]

_REQUEST: Final = Kind.REQUEST
_NONE: Final = Tie.NONE
_BINDS: Final = Tie.BINDS
_OPENS: Final = Tie.OPENS
_STAYS: Final = Tie.STAYS
_LEADS: Final = Tie.LEADS
_HERE: Final = Tie.HERE

_STAY: Final = frozenset(
    {
        "EXEC", "DISCARD", "UNWATCH", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "RESET", "QUIT", "WAIT", "WAITAOF",
    }
)  # fmt: skip
"""What belongs to the connection that its client has for itself, if there is one."""
_MODES: Final = frozenset({b"ON", b"OFF", b"SKIP"})
_TRANSACTION: Final = ("transaction", "watch")
_FREES: Final[dict[str, tuple[str, ...]]] = {
    "EXEC": _TRANSACTION,
    "DISCARD": _TRANSACTION,
    "UNWATCH": ("watch",),
    "RESET": (
        *_TRANSACTION, "asking", "authentication", "client mode", "client name", "database", "monitor", "protocol version", "read mode",
        "reply mode", "reset", "subscription", "tracking",
    ),
}  # fmt: skip


@final
class RedisTies(Ties):
    """Those of Redis."""

    def tie(self, message: Message) -> Tie:
        if not isinstance(message, RedisRequest):
            return _NONE
        why = message.situation.pins
        if why == "transaction":
            return _STAYS
        if why == NO_PINS:
            return _NONE
        spec = message.spec
        if spec.name == "CLIENT REPLY":
            return _HERE if message.argument_count == 3 and message.arguments[2].upper() in _MODES else _NONE
        if spec.name in _STAY:
            return _STAYS
        if spec.name == "MULTI":
            return _OPENS
        if spec.name == "CLIENT CACHING":
            return _LEADS
        return _NONE if spec.pins is None else _BINDS

    def frees(self, message: Message) -> tuple[str, ...]:
        if not isinstance(message, RedisRequest):
            return ()
        situation = message.situation
        if message.kind is not _REQUEST:
            return ()  # nobody hears that it is done, and what comes next there is to come behind it
        return () if situation.queued or situation.lasting else _FREES.get(message.spec.name, ())

    def refuses(self, message: Message) -> str | None:
        """CLIENT TRACKING with REDIRECT: the ids of clients are those of connections to servers, which are not the clients' own."""
        if not isinstance(message, RedisRequest) or message.spec.name != "CLIENT TRACKING":
            return None
        given = [each.upper() for each in message.arguments[2:]]
        return (
            "CLIENT TRACKING with REDIRECT does not work through a proxy, RESP3 needs none"
            if b"REDIRECT" in given
            else None
        )

    def stand_in(self, message: Message) -> Message | None:
        """A command that is refused when it is queued, so that EXEC is refused as well; of EXEC and DISCARD, DISCARD."""
        if not isinstance(message, RedisRequest) or message.situation.pins != "transaction":
            return None
        queued = message.situation.queued
        name = b"GET" if queued else b"DISCARD"
        octets = encode_command([name])
        spec = find_command(name)
        assert spec is not None
        return RedisRequest(
            message.flow, message.sender, _REQUEST, message.offset, octets, 0, len(octets), False, spec, 0, -1,
            Situation("transaction", queued=queued, database=message.database),
        )  # fmt: skip

    def reply_opened(self, session: Session, message: Message) -> bytes:
        """OK, or nothing where none is wanted."""
        if (
            not isinstance(session, RedisSession)
            or not isinstance(message, RedisRequest)
            or self.tie(message) not in (_OPENS, _LEADS, _HERE)
        ):
            raise Unsupported("only MULTI opens, CLIENT CACHING leads, and CLIENT REPLY stays here")
        if message.kind is not _REQUEST:
            return b""
        return session.reply(message, b"+OK\r\n")
