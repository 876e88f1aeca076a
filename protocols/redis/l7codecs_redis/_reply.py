"""One reply or push: what a routing engine sees of it."""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from l7codecs import Kind, Message, Sender, Status
from l7codecs.message import AttrValue, Flow

from ._items import error_status, error_word, first_items, second_items
from ._request import RedisRequest

__all__ = ["BULK_ERROR", "ERROR", "PUSH_TYPE", "RedisReply", "status_of"]

ERROR: Final[i64] = 0x2D
BULK_ERROR: Final[i64] = 0x21
PUSH_TYPE: Final[i64] = 0x3E
_ARRAY: Final[i64] = 0x2A

_OK: Final = Status.OK
_PUSH: Final = Kind.PUSH

_TYPES: Final[dict[int, str]] = {
    0x2B: "simple_string",
    0x2D: "simple_error",
    0x3A: "integer",
    0x24: "bulk_string",
    0x2A: "array",
    0x5F: "null",
    0x23: "boolean",
    0x2C: "double",
    0x28: "big_number",
    0x21: "bulk_error",
    0x3D: "verbatim_string",
    0x25: "map",
    0x7E: "set",
    0x3E: "push",
}


def status_of(octets: bytes, item: i64, stop: i64, type: i64) -> Status:
    """What the reply of `type` at `item` comes to."""
    return error_status(octets, item, stop) if type == ERROR or type == BULK_ERROR else _OK


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class RedisReply(Message):
    """One reply, with the attributes before it. ``item`` is the index in ``octets`` of the item itself, ``type`` its first octet."""

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        kind: Kind,
        offset: i64,
        octets: bytes,
        start: i64,
        stop: i64,
        item: i64,
        type: i64,
        status: Status,
        request: Message | None = None,
    ) -> None:
        """Whoever gives `request` has seen that it has none itself, and has told it that it is referred to."""
        self.flow = flow
        self.sender = sender
        self.kind = kind
        self.offset = offset
        self.octets = octets
        self.start = start
        self.stop = stop
        self._request = request
        self._attributes = None
        self._referred = False
        self.settled = False
        self.declared_size = -1
        self.kept = stop - start
        self.more = False
        self.item = item
        self.type = type
        self._status: Status | None = status

    def be_pushed(self) -> None:
        """It answers nothing."""
        self.kind = _PUSH
        self._status = None

    def detach(self) -> bool:
        self.item -= self.start
        self.keep_own()
        return True

    @property
    def operation(self) -> str | None:
        """The command that is answered; of a push, its kind in upper case."""
        if self.request is not None:
            return self.request.operation
        if self.kind is _PUSH:
            word = self.word
            return word.upper().decode("ascii", "backslashreplace")[:64] if word else "MONITOR"
        return None

    @property
    def resources(self) -> tuple[bytes, ...]:
        """The keys that an ``invalidate`` push names; none where it stands for all of them (its list is null)."""
        if self.type != PUSH_TYPE or self.word != b"invalidate":
            return ()
        return tuple(second_items(self.octets, self.item, self.stop))

    @property
    def word(self) -> bytes:
        """The first item of an array or push, which tells what a push is about; empty where there is none."""
        if self.type != PUSH_TYPE and self.type != _ARRAY:
            return b""
        items = first_items(self.octets, self.item, self.stop, 1)
        return (items[0] or b"") if items else b""

    @property
    def status(self) -> Status | None:
        return self._status

    @property
    def error(self) -> str | None:
        """The first word of an error reply."""
        if self.type != ERROR and self.type != BULK_ERROR:
            return None
        return error_word(self.octets, self.item, self.stop)

    @property
    def payload(self) -> bytes:
        """The reply without attributes."""
        return self.octets[self.item : self.stop]

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        attributes["db.system.name"] = "redis"
        request = self.request
        if isinstance(request, RedisRequest):
            attributes["db.operation.name"] = request.spec.name
            if request.database is not None:
                attributes["db.namespace"] = request.database
        attributes["redis.reply_type"] = _TYPES.get(self.type, "null")
        error = self.error
        if error is not None:
            attributes["db.response.status_code"] = error
            attributes["error.type"] = error
        keys = self.resources
        if keys:
            attributes["redis.keys"] = keys
        if self.kind is _PUSH and self.type != 0x2B:
            items = first_items(self.octets, self.item, self.stop, 3)
            word = items[0] if items else None
            if word is not None and word.endswith(b"message") and len(items) > 1:
                # pmessage: pattern, channel, payload
                named = items[2] if word == b"pmessage" and len(items) > 2 else items[1]
                if named is not None:
                    attributes["redis.channels"] = (named,)
