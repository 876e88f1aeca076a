"""One Redis connection: both decoders, changes to commands, and answers given in the order of the requests.

A client may send many commands before it reads; the answers have to come in their order. `RedisSession.send` and the two `reply_` methods
keep it: what answers a later request waits (in memory) until the earlier ones are answered, and is written with them.
"""

from __future__ import annotations

from typing import Final, final

from l7codecs import Changes, Kind, Limits, Message, Sender, Session, Status, Unsupported
from l7codecs.message import AttrValue, Data, Event, Flow

from ._commands import find_command, unknown_command
from ._pairing import answer, ask
from ._reply import RedisReply
from ._reply_decoder import ReplyDecoder
from ._request import RedisRequest, Situation, encode_command
from ._request_decoder import RequestDecoder
from ._state import ConnectionState

__all__ = ["CHANGEABLE", "RedisSession"]

CHANGEABLE: Final = frozenset({"db.operation.name", "redis.keys"})

_ERROR_WORDS: Final[dict[Status, str]] = {
    Status.UNAUTHENTICATED: "NOAUTH",
    Status.PERMISSION_DENIED: "NOPERM",
    Status.RESOURCE_EXHAUSTED: "OOM",
    Status.UNAVAILABLE: "TRYAGAIN",
    Status.ABORTED: "EXECABORT",
}
"""Words that clients act upon; every other status is ``ERR``."""


@final
class _Early:
    """An answer that waits for its turn, as far as it has come."""

    def __init__(self, reply: RedisReply, octets: bytes) -> None:
        self.reply = reply
        self.parts = [octets]
        self.whole = not reply.more


@final
class RedisSession(Session):
    """One Redis connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        state = ConnectionState(limits)
        client = RequestDecoder(flow, Sender.CLIENT, limits, state)
        super().__init__(flow, client, ReplyDecoder(flow, Sender.SERVER, limits, state), limits, endpoint)
        self._state = state
        self._early: dict[Message, _Early] = {}
        """By request: answers that came before it was their turn."""
        self._streaming: RedisReply | None = None
        """The answer that has been begun and is not written to its end."""
        self._pushed: list[bytes] = []
        """Pushes that wait for that."""

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if isinstance(message, RedisRequest):
            changed = message if changes is None else _change(message, changes)
            if message.sender is Sender.CLIENT and self.keeps_books(Sender.CLIENT):
                ask(self._state, changed, False)
            return changed.raw
        if changes is not None:
            raise Unsupported("replies of redis cannot be changed")
        if isinstance(message, RedisReply) and self.keeps_books(Sender.SERVER):
            return self._in_order(message.request, message, message.raw)
        return message.raw

    def send_rest(self, event: Event) -> bytes:
        if not isinstance(event, Data):
            return event.raw
        if event.message is self._streaming:
            if event.more:
                return event.raw
            parts = [event.raw]
            self._release(parts)
            return b"".join(parts)
        request = event.message.request
        waiting = self._early.get(request) if request is not None else None
        if waiting is None:
            return event.raw
        waiting.parts.append(event.raw)
        waiting.whole = not event.more
        return b""

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        if not isinstance(request, RedisRequest) or request.sender is not Sender.CLIENT:
            raise Unsupported("only a command can be answered with an error")
        if request.kind is Kind.ONEWAY or request.kind is Kind.CONTROL:
            raise Unsupported(f"{request.operation} expects no answer")
        if status is Status.OK:
            raise ValueError("an error needs a status other than OK")
        line = " ".join(text.split())
        word = _ERROR_WORDS.get(status, "ERR")
        return self._answer(request, f"-{word} {line}\r\n".encode("utf-8", "replace"))

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        if not isinstance(heartbeat, RedisRequest) or heartbeat.kind is not Kind.HEARTBEAT:
            raise Unsupported("only PING is a heartbeat")
        arguments = heartbeat.arguments
        if self._state.subscribed and self._state.resp == 2:
            return self._answer(heartbeat, encode_command([b"pong", arguments[1] if len(arguments) > 1 else b""]))
        if len(arguments) > 1:
            return self._answer(heartbeat, b"$%d\r\n%s\r\n" % (len(arguments[1]), arguments[1]))
        return self._answer(heartbeat, b"+PONG\r\n")

    def _answer(self, request: RedisRequest, octets: bytes) -> bytes:
        """`octets`, made here, answer `request`."""
        decoder = self.decoder(Sender.SERVER)
        reply = RedisReply(
            decoder.flow,
            Sender.SERVER,
            Kind.RESPONSE,
            decoder.buffer.offset,
            octets,
            0,
            len(octets),
            0,
            octets[0],
            request,
        )
        if not self.keeps_books(Sender.SERVER):
            raise Unsupported("an answer is written to the session that receives from the client")
        if not self._state.pairing.waits(request) or request in self._early:
            raise Unsupported(f"{request.operation} is answered already, or forgotten")
        return self.flush(self._in_order(request, reply, octets))

    def _in_order(self, request: Message | None, reply: RedisReply, octets: bytes) -> bytes:
        """What to write now: the answer, and those that waited for it; nothing while an earlier one is not written to its end."""
        pairing = self._state.pairing
        if reply.kind is not Kind.RESPONSE:
            if self._streaming is not None:
                self._pushed.append(octets)
                return b""
            answer(self._state, reply, False)
            return octets
        if (
            request is not None
            and (self._streaming is not None or pairing.head() is not request)
            and pairing.waits(request)
        ):
            self._early[request] = _Early(reply, octets)
            return b""
        parts: list[bytes] = []
        self._write(reply, [octets], not reply.more, parts)
        return b"".join(parts)

    def _write(self, reply: RedisReply, octets: list[bytes], whole: bool, parts: list[bytes]) -> None:
        """Write an answer whose turn it is, and then, unless more of it is to come, those that waited for it."""
        answer(self._state, reply, False)
        parts.extend(octets)
        if not whole:
            self._streaming = reply
            return
        self._release(parts)

    def _release(self, parts: list[bytes]) -> None:
        """An answer is written to its end: pushes that waited are next, then the answers that are due."""
        self._streaming = None
        parts.extend(self._pushed)
        self._pushed.clear()
        while self._streaming is None and self._early:
            head = self._state.pairing.head()
            due = self._early.pop(head, None) if head is not None else None
            if due is None:
                due = self._forgotten()
                if due is None:
                    return
            answer(self._state, due.reply, False)
            parts.extend(due.parts)
            if not due.whole:
                self._streaming = due.reply

    def _forgotten(self) -> _Early | None:
        """An answer to a request that is remembered no longer: there is nothing left that it could wait for."""
        for request in self._early:
            if not self._state.pairing.waits(request):
                return self._early.pop(request)
        return None


def _change(message: RedisRequest, changes: Changes) -> RedisRequest:
    """`message` with other keys or another command; everything else stays as it is, to the octet."""
    if changes.set_headers or changes.remove_headers:
        raise Unsupported("redis has no headers")
    other = sorted(set(changes.attributes) - CHANGEABLE)
    if other:
        raise Unsupported(f"redis cannot change {', '.join(other)}")
    arguments = message.arguments
    replaced: dict[int, bytes] = {}
    name = changes.attributes.get("db.operation.name")
    if name is not None:
        _rename(message, name, replaced)
    keys = changes.attributes.get("redis.keys")
    if keys is not None:
        indices = message.spec.key_indices(arguments)
        if not isinstance(keys, tuple) or len(keys) != len(indices):
            raise Unsupported(f"{message.operation} has {len(indices)} keys in reach, as many have to be given")
        for index, key in zip(indices, keys, strict=True):
            if not isinstance(key, bytes):
                raise Unsupported(f"keys are bytes, not {type(key).__name__}")
            replaced[index] = key
    octets = _patch(message, arguments, replaced)
    count = len(replaced)
    changed = RedisRequest(
        message.flow, message.sender, message.kind, message.offset, octets, 0, len(octets), message.more,
        message.spec, 0, -1, message.database,
    )  # fmt: skip
    if count:
        words = [replaced.get(index, argument) for index, argument in enumerate(arguments)]
        spec = find_command(words[0]) or unknown_command(words[0])
        if spec.has_subcommands and len(words) > 1:
            spec = spec.subcommand(words[1]) or spec
        changed.spec = spec
    was = message.situation
    changed.situation = Situation(was.pins, was.batch_size, was.extra_items, was.selects, was.fallback, message)
    return changed


def _rename(message: RedisRequest, name: AttrValue, replaced: dict[int, bytes]) -> None:
    """Replace the words of the command's name by those of `name`, as many."""
    if not isinstance(name, str) or not name or message.operation is None:
        raise Unsupported("db.operation.name is the name of a command")
    words = name.split(" ")
    if len(words) != message.spec.name.count(" ") + 1:
        raise Unsupported(f"{message.operation} cannot become {name}: the name has another number of words")
    for index, word in enumerate(words):
        replaced[index] = word.encode("utf-8")


def _patch(message: RedisRequest, arguments: list[bytes], replaced: dict[int, bytes]) -> bytes:
    """The octets of `message` with some arguments replaced."""
    raw = message.raw
    if message.inline:
        return encode_command([replaced.get(index, argument) for index, argument in enumerate(arguments)])
    parts: list[bytes] = []
    at = raw.index(b"\n") + 1
    kept = 0
    for index, argument in enumerate(arguments):
        head = raw.index(b"\n", at) + 1
        if index in replaced:
            parts.append(raw[kept:at])
            parts.append(b"$%d\r\n%s\r\n" % (len(replaced[index]), replaced[index]))
            kept = head + len(argument) + 2
        at = head + len(argument) + 2
    parts.append(raw[kept:])
    return b"".join(parts)
