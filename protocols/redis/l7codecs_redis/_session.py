"""One Redis connection: both decoders, changes to commands, and answers given in the order of the requests.

The order of the answers is the framework's (`AnswerOrder`); what commands and answers do to the connection is told here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast, final

from l7codecs import AnswerOrder, Changes, Kind, Limits, Message, ProtocolError, Sender, Session, Status, Unsupported
from l7codecs.message import Event, Flow
from l7codecs.pairing.tables import NO_PAIRING

from ._commands import find_command, unknown_command
from ._pairing import answer, ask, take_back
from ._reply import PUSH_TYPE, RedisReply, status_of
from ._reply_decoder import ReplyDecoder
from ._request import RedisRequest, Situation, encode_command
from ._request_decoder import RequestDecoder
from ._state import NO_EFFECT, ConnectionState

__all__ = ["CHANGEABLE", "RedisSession"]

_HEARTBEAT: Final = Kind.HEARTBEAT
_ONEWAY: Final = Kind.ONEWAY
_REQUEST: Final = Kind.REQUEST
_RESPONSE: Final = Kind.RESPONSE
_CLIENT: Final = Sender.CLIENT
_SERVER: Final = Sender.SERVER
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
class _ReplyOrder(AnswerOrder):
    """The order of one direction: a command may change the connection, and a reply confirm or undo it, or be one of several answers."""

    def __init__(self, state: ConnectionState, limits: Limits, sender: Sender) -> None:
        replies = sender is _SERVER
        super().__init__(state.pairing if replies else NO_PAIRING, limits, NO_PAIRING if replies else state.pairing)
        self._state = state

    def begun(self, message: Message) -> None:
        if not isinstance(message, RedisReply):
            return
        state = self._state
        if not state.busy and not state.observer and message.type != PUSH_TYPE:
            head = state.pairing.head()
            if isinstance(head, RedisRequest) and head.spec.effect == NO_EFFECT:
                state.pairing.pass_head(head.kept)  # an ordinary answer to an ordinary command
                return
        answer(state, message, False)

    def asked(self, message: Message, original: Message) -> bytes | None:
        if isinstance(message, RedisRequest) and message.sender is _CLIENT:
            state = self._state
            if state.busy or state.observer or message.spec.effect != NO_EFFECT or message.kind is not _REQUEST:
                ask(state, message, False)
            else:
                state.pairing.asked(message)
        return None


@final
class RedisSession(Session):
    """One Redis connection."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        state = ConnectionState(limits, endpoint is not None)
        client = RequestDecoder(flow, _CLIENT, limits, state)
        super().__init__(flow, client, ReplyDecoder(flow, _SERVER, limits, state), limits, endpoint)
        self._state = state

    def gap(self, sender: Sender, size: int = 0) -> Iterator[Event]:
        other = self.decoder(sender.other)
        state = self._state
        state.doubt()
        state.two_sided = other.fed or other.lost is not None
        if state.two_sided and not other.fed:
            # Joined midway: both sides are still to be heard.
            (state.client if sender is _SERVER else state.server).doubted = self.endpoint is None
        return super().gap(sender, size)

    def new_order(self, sender: Sender) -> AnswerOrder:
        return _ReplyOrder(self._state, self.limits, sender)

    def original(self, request: Message) -> Message:
        found = request.situation.original if isinstance(request, RedisRequest) else None
        return request if found is None else found

    def send_message(self, message: Message, changes: Changes | None) -> bytes:
        if isinstance(message, RedisRequest):
            if changes is None:
                return self.pass_on(message)
            return self.pass_on(_change(message, changes, self.limits), message)
        if changes is not None:
            raise Unsupported("replies of redis cannot be changed")
        return self.pass_on(message)

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        if not isinstance(request, RedisRequest) or request.sender is not _CLIENT:
            raise Unsupported("only a command can be answered with an error")
        silenced = self._state.silenced is request and self.endpoint is _SERVER
        if (request.kind is _ONEWAY and not silenced) or request.kind is Kind.CONTROL:
            raise Unsupported(f"{request.operation} expects no answer")
        if status is Status.OK:
            raise ValueError("an error needs a status other than OK")
        line = " ".join(text.split())
        word = _ERROR_WORDS.get(status, "ERR")
        octets = f"-{word} {line}\r\n".encode("utf-8", "replace")
        if len(octets) > self.limits.head:
            raise ValueError(f"text makes a line of {len(octets)} octets, more than limits.head = {self.limits.head}")
        if silenced:
            take_back(self._state, request)
        return self.reply(request, octets)

    def last_words(self, error: ProtocolError) -> bytes:
        """The server's own, ``-ERR Protocol error: …``; none to who wants no replies."""
        decoder = self.decoder(_CLIENT)
        if self._state.silent() or not isinstance(decoder, RequestDecoder):
            return b""
        return f"-ERR Protocol error: {decoder.complaint(error)}\r\n".encode()

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        if not isinstance(heartbeat, RedisRequest) or heartbeat.kind is not _HEARTBEAT:
            raise Unsupported("only PING is a heartbeat")
        arguments = heartbeat.arguments
        if self._state.subscribed and self._state.resp == 2:
            return self.reply(heartbeat, encode_command([b"pong", arguments[1] if len(arguments) > 1 else b""]))
        if len(arguments) > 1:
            return self.reply(heartbeat, b"$%d\r\n%s\r\n" % (len(arguments[1]), arguments[1]))
        return self.reply(heartbeat, b"+PONG\r\n")

    def reply(self, request: RedisRequest, octets: bytes) -> bytes:
        """The octets to write, since `octets`, made here, answer `request`. Raises `Unsupported`, and ValueError where there are none."""
        if not octets:
            raise ValueError("an answer has octets")
        decoder = self.decoder(_SERVER)
        reply = RedisReply(
            decoder.flow,
            _SERVER,
            _RESPONSE,
            decoder.buffer.offset,
            octets,
            0,
            len(octets),
            0,
            octets[0],
            status_of(octets, 0, len(octets), octets[0]),
        )
        reply.request = request
        if self._state.answers_seen > 0 and self._state.pairing.head() is request:
            raise Unsupported(f"{request.operation} is answered in part")
        return self.answer(request, reply)


def _change(message: RedisRequest, changes: Changes, limits: Limits) -> RedisRequest:
    """`message` with other keys or another command; everything else stays as it is, to the octet."""
    if changes.set_headers or changes.remove_headers:
        raise Unsupported("redis has no headers")
    given = cast("dict[object, object]", changes.attributes)  # compiled, values of other types are a TypeError
    other = sorted([str(key) for key in given if key not in CHANGEABLE])
    if other:
        raise Unsupported(f"redis cannot change {', '.join(other)}")
    arguments = message.arguments
    replaced: dict[int, bytes] = {}
    name = given.get("db.operation.name")
    if name is not None:
        _rename(message, name, replaced)
    keys = given.get("redis.keys")
    if keys is not None:
        indices = message.spec.key_indices(arguments)
        if not isinstance(keys, tuple) or len(keys) != len(indices):
            raise Unsupported(f"{message.operation} has {len(indices)} keys in reach, as many have to be given")
        for index, key in zip(indices, keys, strict=True):
            if not isinstance(key, bytes):
                raise Unsupported(f"redis.keys are bytes, not {type(key).__name__}")
            if len(key) > limits.payload:
                raise ValueError(
                    f"redis.keys has one of {len(key)} octets, more than limits.payload = {limits.payload}"
                )
            replaced[index] = key
    octets = _patch(message, arguments, replaced)
    count = len(replaced)
    changed = RedisRequest(
        message.flow, message.sender, message.kind, message.offset, octets, 0, len(octets), message.more,
        message.spec, 0, -1, message.situation,
    )  # fmt: skip
    if count:
        words = [replaced.get(index, argument) for index, argument in enumerate(arguments)]
        spec = find_command(words[0]) or unknown_command(words[0])
        if spec.has_subcommands and len(words) > 1:
            spec = spec.subcommand(words[1]) or spec
        changed.become(spec)
    was = message.situation
    original = was.original or message
    changed.situation = Situation(
        was.pins,
        was.batch_size,
        was.extra_items,
        was.selects,
        was.fallback,
        original,
        was.database,
        was.queued,
        was.lasting,
    )
    changed.kept += original.kept
    return changed


def _rename(message: RedisRequest, name: object, replaced: dict[int, bytes]) -> None:
    """Replace the words of the command's name by those of `name`, as many."""
    if not isinstance(name, str) or message.operation is None:
        raise Unsupported("db.operation.name is the name of a command")
    words = name.split(" ")
    if any(not word or not word.isascii() or not word.isprintable() for word in words):
        raise ValueError(f"db.operation.name is words of printable ASCII with a space between them, not {name[:60]!r}")
    if len(words) != message.spec.name.count(" ") + 1:
        raise Unsupported(f"{message.operation} cannot become {name}: the name has another number of words")
    for index, word in enumerate(words):
        replaced[index] = word.encode("ascii")
    spec = find_command(replaced[0]) or unknown_command(replaced[0])
    if len(words) > 1:
        spec = spec.subcommand(replaced[1]) or spec
    if spec.effect != message.spec.effect:
        raise Unsupported(f"{message.operation} cannot become {name}: they are answered in different ways")


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
