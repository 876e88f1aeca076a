"""What a command does to its connection when it is asked, and what an answer confirms, takes back, or turns out to be.

Both are called for what was received and for what the caller sends on a connection; only a received message is told what it is.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs import Kind, Message
from l7codecs.pairing.retention import let_go

from ._certainty import answered_unsure, came_early, confirmed_early, fits, remember, selected, unsettle
from ._items import first_items
from ._reply import BULK_ERROR, ERROR, PUSH_TYPE, RedisReply
from ._request import NO_COMMAND, NO_PINS, RedisRequest, Situation
from ._state import (
    CLIENT_REPLY,
    DISCARD,
    EXEC,
    HELLO,
    MONITOR,
    MULTI,
    NO_EFFECT,
    PING,
    QUIT,
    REPLCONF,
    RESET,
    SELECT,
    SUBSCRIBE,
    SYNC,
    UNSUBSCRIBE,
    UNWATCH,
    WATCH,
    ConnectionState,
)

__all__ = ["answer", "ask", "is_pushed", "take_back"]

_REQUEST: Final = Kind.REQUEST
_ONEWAY: Final = Kind.ONEWAY
_CONTROL: Final = Kind.CONTROL
_HEARTBEAT: Final = Kind.HEARTBEAT

_SIMPLE: Final[i64] = 0x2B
_ARRAY: Final[i64] = 0x2A


def ask(state: ConnectionState, message: RedisRequest, received: bool) -> None:
    """Apply what a command does to its connection, and remember it if it will be answered.

    A received message is told what it turns out to be; one that is sent stays as it is.
    """
    spec = message.spec
    if spec is NO_COMMAND:
        if received:
            message.kind = _CONTROL
        return
    state.silenced = None
    effect = spec.effect
    kind = _REQUEST
    pins: str | None = None
    batch_size: i64 = -1
    extra_items: i64 = 0
    selects: i64 = -1
    fallback: str | None = None
    lasting = False
    doubted = state.off_doubted and not state.skip_next  # or what comes now is silent for sure
    muted = False
    if state.subscribed and state.resp == 2 and not _ALLOWED[effect]:
        # "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context": refused, without effect.
        effect = NO_EFFECT
        pins = NO_PINS
    if effect == REPLCONF and message.argument_count > 2 and _argument(message, 1).upper() in _UNANSWERED_REPLCONF:
        kind = _ONEWAY
    queued = state.in_multi and effect != EXEC and effect != DISCARD and effect != RESET and effect != QUIT
    if effect == CLIENT_REPLY and not queued:
        state.mutes = True
        if received and state.observer and (state.alignment is not None or state.probation > 0):
            unsettle(state)
        kind = _client_reply(state, message)
    elif kind is _ONEWAY:
        pass
    elif state.silent() and not _answers_anyway(state, effect):
        kind = _ONEWAY
        muted = doubted
        if effect == HELLO and not queued:
            state.switch(message.arguments)
    elif effect == PING and not queued:
        kind = _HEARTBEAT
    if queued:
        pins = "transaction"
        if effect == SELECT:
            selects = _select(state, message)
        elif effect == SUBSCRIBE or effect == UNSUBSCRIBE:
            state.extra_items += max(message.argument_count - 2, 0)
        if effect != MULTI and effect != WATCH:
            state.queued += 1
            if spec.pins is not None:
                state.lasting = True
    elif effect == MULTI:
        state.in_multi = True
        state.queued = 0
        state.lasting = False
        state.extra_items = 0
        state.multi_database = state.database
        state.multi_selects = state.selects
    elif effect == EXEC or effect == DISCARD:
        if state.in_multi:
            pins = "transaction"
            if effect == EXEC:
                batch_size = state.queued
                lasting = state.lasting
                extra_items = state.extra_items
                if state.selects != state.multi_selects:
                    selects = state.selects
                    fallback = state.multi_database
            else:
                state.database = state.multi_database
        state.in_multi = False
        state.watching = False
    elif effect == WATCH:
        state.watching = True
    elif effect == UNWATCH:
        state.watching = False
    elif effect == SELECT:
        selects = _select(state, message)
    elif effect == RESET:
        state.reset()
    elif effect == MONITOR:
        if state.monitor_asked:
            kind = _ONEWAY
        state.monitor_asked = True
    elif effect == SYNC:
        state.replicating = True
    if pins is None and spec.pins is None:
        if state.watching:
            pins = "watch"
        elif state.replies_off:
            pins = "reply mode"
    if effect == UNSUBSCRIBE and state.uncounted and received:
        _end_uncounted(state, message)
    if kind is not _ONEWAY:
        remember(state, message, queued and effect != MULTI and effect != WATCH, received)
    if received:
        message.kind = _REQUEST if muted else kind  # nothing waits for an answer of which nobody knows
        if pins is not None or batch_size >= 0 or selects >= 0:
            message.situation = Situation(
                pins, batch_size, extra_items, selects, fallback, None, message.database, queued, lasting
            )
    state.settle()


_ALLOWED: Final[list[bool]] = [effect in (SUBSCRIBE, UNSUBSCRIBE, PING, QUIT, RESET) for effect in range(PING + 1)]
"""For each effect, whether a RESP2 connection with subscriptions still takes the command."""
_UNANSWERED_REPLCONF: Final = frozenset({b"ACK", b"GETACK"})


def _answers_anyway(state: ConnectionState, effect: i64) -> bool:
    """Whether a command is answered although replies are off or skipped: subscriptions are confirmed, and RESET ends OFF."""
    return effect == SUBSCRIBE or effect == UNSUBSCRIBE or (effect == RESET and state.replies_off)


def _end_uncounted(state: ConnectionState, message: RedisRequest) -> None:
    """Subscriptions end of which nobody knows how many there are: where all did before, what answers that and what this is not certain."""
    ending = state.ending
    if ending is not None and state.pairing.waits(ending):
        unsettle(state)
    state.ending = message if message.argument_count == 1 else None


def _argument(message: RedisRequest, index: i64) -> bytes:
    arguments = message.arguments
    return arguments[index] if index < len(arguments) else b""


def _select(state: ConnectionState, message: RedisRequest) -> i64:
    """What follows is in the new database, unless the answer says otherwise; returns which SELECT this is.

    Where it is not certain which answer that is, or it has come already, nobody knows before.
    """
    number = selected(message)
    if state.alignment is not None or state.pairing.ahead > 0:
        state.database = None
    elif number is not None:
        state.database = number
    state.selects += 1
    return state.selects


def _client_reply(state: ConnectionState, message: RedisRequest) -> Kind:
    """CLIENT REPLY ON is answered; OFF and SKIP are not (`clientCommand`, redis/src/networking.c)."""
    mode = _argument(message, 2).upper() if message.argument_count == 3 else b""
    if mode == b"ON":
        state.replies_off = False
        state.off_doubted = False
        state.skip_next = False
        return _REQUEST
    if mode in _SILENT and not state.replies_off and not state.skip_next:
        let_go(message)
        state.silenced = message
    if mode == b"OFF":
        state.replies_off = True
        state.off_doubted = False
        return _ONEWAY
    if mode == b"SKIP":
        if not state.replies_off:
            state.skip_next = True
        return _ONEWAY
    return _ONEWAY if state.silent() else _REQUEST


def take_back(state: ConnectionState, message: RedisRequest) -> None:
    """`message`, the CLIENT REPLY that is `ConnectionState.silenced`, is refused on the way: it has no effect, and is answered."""
    state.silenced = None
    state.replies_off = False
    state.skip_next = False
    message.kind = _REQUEST
    state.pairing.asked(message)
    state.settle()


_SILENT: Final = frozenset({b"OFF", b"SKIP"})
_DELIVERIES: Final = frozenset({b"message", b"pmessage", b"smessage"})
_CONFIRMATIONS: Final[dict[bytes, str]] = {
    b"subscribe": "SUBSCRIBE",
    b"psubscribe": "PSUBSCRIBE",
    b"ssubscribe": "SSUBSCRIBE",
    b"unsubscribe": "UNSUBSCRIBE",
    b"punsubscribe": "PUNSUBSCRIBE",
    b"sunsubscribe": "SUNSUBSCRIBE",
}


def answer(state: ConnectionState, reply: RedisReply, received: bool) -> RedisRequest | None:
    """Tell what a reply is (``kind`` and ``request`` of a received one) and apply it to the connection; returns the request it answers."""
    head = state.pairing.head()
    kind = reply.type
    if state.alignment is not None and head is None and kind != PUSH_TYPE and not state.pairing.skipping:
        _answer_unsure(state, reply, received)
        return None
    if kind == PUSH_TYPE or (kind == _ARRAY and (state.subscribed or head is None or _effect(head) != NO_EFFECT)):
        word = reply.word
        if word in _CONFIRMATIONS:
            if head is not None and isinstance(head, RedisRequest) and head.spec.name == _CONFIRMATIONS[word]:
                _confirm(state, reply, head, word)
                if received:
                    reply.request = head.situation.original or head
                return head
            if head is None and received and _is_early(state, word):
                last = _count(state, reply, word) or _subscriptions(state, word) == 0
                confirmed_early(state, _CONFIRMATIONS[word], last)
                return None
            if kind == PUSH_TYPE or state.subscribed:
                _count(state, reply, word)
                if head is not None and head is state.ending and not state.uncounted:
                    # Nothing is subscribed any more: all answers to it have come, or its only one comes next.
                    unsettle(state)
                    state.ending = None
                state.settle()
                _push(reply, received)
                return None
        elif kind == PUSH_TYPE or (word in _DELIVERIES and (state.subscribed or head is None)):
            _push(reply, received)
            return None
    elif (state.monitoring or head is None) and kind == _SIMPLE and _is_monitor_line(reply):
        _monitor(state)
        _push(reply, received)
        return None
    if state.answers_seen > 0:
        # UNSUBSCRIBE of all, joined midway: how many answers it would have was not known.
        state.pairing.pop()
        state.answers_seen = 0
    if received and state.observer and _was_confirmed(head, reply):
        # The server's own sunsubscribe and the confirmation of the command look the same, and came before it.
        state.pairing.pop()
        head = state.pairing.head()
    if head is None and received and state.observer and not state.pairing.skipping:
        # Nothing waits: it is seen before its command, or what was found after a loss was wrong.
        if state.probation > 0:
            unsettle(state)
        else:
            came_early(state, reply)
        return None
    request = state.pairing.answered(reply)
    if not isinstance(request, RedisRequest) or (state.probation > 0 and not fits(state, reply, request)):
        state.settle()
        return None
    if received:
        reply.request = request.situation.original or request
    if request.spec.effect != NO_EFFECT:
        _apply(state, request, reply)
    state.settle()
    return request


def _answer_unsure(state: ConnectionState, reply: RedisReply, received: bool) -> None:
    """A reply while it is not certain which command the next one answers."""
    if reply.type == _ARRAY:
        word = reply.word
        if word in _DELIVERIES:
            _push(reply, received)
            return
        if word in _CONFIRMATIONS:
            _count(state, reply, word)
            state.settle()
            return
    elif reply.type == _SIMPLE and _is_monitor_line(reply):
        _monitor(state)
        _push(reply, received)
        return
    answered_unsure(state, reply)


def _was_confirmed(head: Message | None, reply: RedisReply) -> bool:
    """Whether `head` has certainly had its confirmation: `reply`, which is the next, is neither that nor an error."""
    if head is None:
        return False
    effect = _effect(head)
    if (effect != SUBSCRIBE and effect != UNSUBSCRIBE) or reply.type == ERROR or reply.type == BULK_ERROR:
        return False
    return reply.octets[reply.item : reply.stop] != b"+QUEUED\r\n"


def _is_early(state: ConnectionState, word: bytes) -> bool:
    """Whether a confirmation that nothing waits for is seen before its command: only shard channels end by themselves."""
    return state.observer and state.alignment is None and word != b"sunsubscribe"


def is_pushed(reply: RedisReply) -> bool:
    """Whether a reply is by itself something that answers nothing."""
    return reply.type == PUSH_TYPE or reply.word in _DELIVERIES or (reply.type == _SIMPLE and _is_monitor_line(reply))


def _effect(message: object) -> i64:
    return message.spec.effect if isinstance(message, RedisRequest) else NO_EFFECT


def _push(reply: RedisReply, received: bool) -> None:
    if received:
        reply.be_pushed()


def _monitor(state: ConnectionState) -> None:
    """Only a connection that monitors is sent what others ask, though its command may be lost."""
    if not state.monitoring:
        state.monitoring = True
        state.monitor_asked = True
        state.settle()


def _is_monitor_line(reply: RedisReply) -> bool:
    """Whether this is ``+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`` (`replicationFeedMonitors`, redis/src/replication.c)."""
    octets = reply.octets
    at = reply.item + 1
    return 0x30 <= octets[at] <= 0x39 and octets.find(b" [", at, min(reply.stop, at + 32)) > 0


def _confirm(state: ConnectionState, reply: RedisReply, head: RedisRequest, word: bytes) -> None:
    """One of the answers to a command of the subscribe family."""
    nothing = _count(state, reply, word)
    state.answers_seen += 1
    named: i64 = head.argument_count - 1
    if named > 0:
        done = state.answers_seen >= named
    else:
        done = nothing or _subscriptions(state, word) == 0
    if done:
        state.pairing.pop()
        state.answers_seen = 0
    state.settle()


def _subscriptions(state: ConnectionState, word: bytes) -> i64:
    if word.startswith(b"p"):
        return state.patterns
    return state.shard_channels if word.startswith((b"ss", b"sun")) else state.channels


def _count(state: ConnectionState, reply: RedisReply, word: bytes) -> bool:
    """Take over the number of subscriptions that a confirmation gives; True where it names no channel: there was none.

    The number is that of channels and patterns together, or of shard channels.
    """
    items = first_items(reply.octets, reply.item, reply.stop, 3)
    total: i64 = 0
    if len(items) > 2:
        text = items[2]
        if text is not None and text.isdigit() and len(text) < 10:
            total = int(text)
    if word.startswith((b"ss", b"sun")):
        state.shard_channels = total
    elif word.startswith(b"p"):
        state.patterns = max(total - state.channels, 0)
    else:
        state.channels = max(total - state.patterns, 0)
    if total == 0 and not word.startswith((b"ss", b"sun")):
        state.channels = 0
        state.patterns = 0
        state.uncounted = False
    return len(items) > 1 and items[1] is None


_NOTHING_DONE: Final = frozenset({b"*-1\r\n", b"_\r\n"})
"""EXEC's answer where a watched key had changed."""


def _apply(state: ConnectionState, request: RedisRequest, reply: RedisReply) -> None:
    """The answer to a command with an effect has come: confirm the effect, or take it back."""
    failed = reply.type == ERROR or reply.type == BULK_ERROR
    if not failed and reply.octets[reply.item : reply.stop] == b"+QUEUED\r\n":
        return
    effect = request.spec.effect
    if effect == HELLO and not failed:
        state.switch(request.arguments)
    elif effect == SELECT:
        if not failed:
            state.answered_database = selected(request)
        if request.situation.selects == state.selects:
            state.database = state.answered_database
    elif effect == MULTI and failed:
        # A nested MULTI is refused and changes nothing.
        if not reply.octets[reply.item : reply.stop].startswith(b"-ERR MULTI calls"):
            state.in_multi = False
            state.queued = 0
    elif effect == WATCH and failed:
        state.watching = False
    elif effect == EXEC:
        undone = failed or reply.octets[reply.item : reply.stop] in _NOTHING_DONE
        if request.situation.selects >= 0:
            if undone and request.situation.selects == state.selects:
                state.database = request.situation.fallback
            elif not undone:
                state.answered_database = request.database
    elif effect == MONITOR:
        state.monitoring = not failed
        if failed:
            state.monitor_asked = False
    elif effect == RESET and not failed:
        state.resp = 2
        state.monitoring = False
        state.channels = 0
        state.patterns = 0
        state.shard_channels = 0
        state.uncounted = False
        state.ending = None
    elif effect == SYNC and failed:
        state.replicating = False
