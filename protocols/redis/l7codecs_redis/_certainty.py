"""After lost octets: where messages begin again, and which command an answer answers. What is not certain is not told.

Where messages begin. A value or an array can hold what looks like commands and answers, to its end. So what is found after a loss is
doubted, and passed on as it is, until the other side speaks while nothing of a message has begun: who asks has the answer before, and who
answers has the command. Where only one side is heard, what looks like a message is taken for one.

Which command an answer answers. Certain is

1. a connection from its beginning: the n-th answer answers the n-th command, whichever is seen first;
2. what waited already when octets of the client were lost;
3. what follows when as many answers have come as could be due, or when only one count of waiting commands fits what the answers are
   (`Alignment`);
4. where the client has always waited for each answer before it asked again (`FifoPairing.turns`), the command that it asks next.

All else pairs with nothing. What is found by 3 and 4 is on probation: an answer that cannot be that command's, or that comes when nothing
waits, takes it back.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from mypy_extensions import i64

from l7codecs import Message
from l7codecs.pairing.alignment import SPAN, Alignment
from l7codecs.pairing.retention import SHORT, let_go
from l7codecs.pairing.tables import TURNS

from ._reply import BULK_ERROR, ERROR, RedisReply
from ._request import RedisRequest
from ._shapes import can_answer, shape_of, shapes_of
from ._state import (
    CLIENT,
    HELLO,
    MONITOR,
    NOBODY,
    SELECT,
    SERVER,
    SUBSCRIBE,
    SYNC,
    UNSUBSCRIBE,
    ConnectionState,
    Standing,
)

__all__ = [
    "answered_unsure",
    "came_early",
    "client_spoke",
    "confirmed_early",
    "fits",
    "lose_client",
    "lose_server",
    "proven",
    "remember",
    "searched",
    "selected",
    "server_spoke",
    "unsettle",
]

_SMALLEST: Final[i64] = 14
"""Octets of the smallest command that anybody sends: ``*1 CR LF $4 CR LF PING CR LF``."""
_MUTES: Final[i64] = 35
"""Octets of the smallest command that turns replies off or on: CLIENT REPLY ON."""
_STALLED: Final[i64] = 3
_PROBATION: Final[i64] = 16
_LARGE: Final[i64] = 4096
"""Octets of a command; a larger one is remembered by its first, as where more wait than there is room for."""
_ONE_SIDED: Final[i64] = 256
"""What looks like messages of one side, in a row and without a word of the other, until it is taken for such."""


def lose_client(state: ConnectionState, size: i64, begun: i64, until: i64, named: bool) -> None:
    """`size` octets of the client are lost (0: an unknown number), until offset `until`.

    They come behind `begun` octets of a command; `named` says whether its name is among these.
    """
    if not state.observer:
        state.forget()
        return
    if size > 0:
        client_spoke(state)
    _doubt(state, state.client, begun == 0, state.pairing.turns >= TURNS)
    most: i64 = -1 if size == 0 or state.inline or state.mutes else (size + begun) // _SMALLEST
    alignment = state.alignment
    if alignment is None:
        alignment = Alignment()
        alignment.begin(most)
        state.alignment = alignment
        state.alone = size > 0 and state.pairing.turns >= TURNS and state.pairing.pending == 0 and not state.mutes
    else:
        if most >= 0 and state.lost_until >= 0:
            # And whatever was passed over since the loss before.
            most += (until - size - state.lost_until) // _SMALLEST + 1
        alignment.widen(most)
        state.alone &= state.pairing.turns >= TURNS
    state.lost_until = until
    state.cut = 0 if begun > 0 and named else begun + size
    state.said = NOBODY
    state.probation = 0
    state.off_doubted = state.replies_off
    state.forget()


def lose_server(state: ConnectionState, size: i64, begun: i64, inside: bool) -> None:
    """`size` octets of the server are lost (0: an unknown number), behind `begun` octets of an answer; `inside` of one that was told."""
    if not state.observer:
        state.forget()
        return
    if size > 0:
        server_spoke(state)
    pairing = state.pairing
    waiting: i64 = pairing.pending
    _doubt(state, state.server, begun == 0, pairing.turns >= 0 and waiting <= 1)
    alignment = state.alignment
    if alignment is None:
        alignment = Alignment()
        alignment.begin(-1)
        state.alignment = alignment
        state.alone = size > 0 and pairing.turns >= 0 and waiting == 1
        if size > 0 and 0 < waiting <= SPAN - 2 and not pairing.skipping and not _answered_often(pairing.waiting()):
            alignment.begin(0)
            for request in pairing.waiting():
                if isinstance(request, RedisRequest):
                    alignment.asked(request, shapes_of(request, False))
            # What was lost was part of one of their answers, unless it was pushed or of an answer that was told.
            pushes = inside or state.resp != 2 or state.subscribed or state.monitoring
            alignment.restrict(waiting if pushes else waiting - 1)
    else:
        if waiting > 0 or size == 0:
            alignment.begin(-1)
        else:
            alignment.lessen()
        # One answer that was waited for says little of what comes behind another loss.
        state.alone &= pairing.turns >= TURNS
    pairing.clear()
    state.uncounted = True
    state.said = SERVER
    state.probation = 0
    state.forget()
    _conclude(state)


def _doubt(state: ConnectionState, side: Standing, clean: bool, alone: bool) -> None:
    """What comes next in a direction may be part of a message, unless both are between messages and the other side speaks first."""
    side.doubted = state.two_sided and state.observer
    side.quiet = clean or alone
    side.fresh = False
    side.count = 0
    side.stalled = 0
    side.again = False


def client_spoke(state: ConnectionState) -> None:
    """What looks like a command has come."""
    server = state.server
    if server.doubted and _stands(server):
        if state.alignment is not None:
            state.alignment.lessen()
        state.settle()
    server.count = 0


def server_spoke(state: ConnectionState) -> None:
    """What looks like an answer has come."""
    client = state.client
    if client.doubted and _stands(client):
        state.settle()
    client.count = 0


def _stands(side: Standing) -> bool:
    """The other side speaks: a side that is doubted is believed if nothing of a message has begun there.

    Where it always speaks in the middle of one, that is none: a length in a value may swallow all that follows.
    """
    if side.quiet:
        side.doubted = False
        side.fresh = True
        side.stalled = 0
        return True
    side.stalled += 1
    if side.stalled >= _STALLED:
        side.stalled = 0
        side.again = True
    return False


def searched(state: ConnectionState, side: Standing, octets: bytes, at: int) -> None:
    """`octets` of a direction were looked through for the beginning of a message: at index `at`, as `Decoder.boundary` returns it."""
    if not octets:
        return
    # A LF is kept, since what follows it may be looked for.
    first = 1 if octets.startswith(b"\n") else 0
    if side.fresh and len(octets) > first and at != first and at != -1:
        # Something else than a message came where one should have begun.
        side.doubted = state.two_sided
        unsettle(state)
    if len(octets) > first and at != -1:
        side.fresh = False
    side.quiet = at < 0 and octets[-1 - at :] in (b"", b"\n")


def proven(side: Standing) -> bool:
    """Count what looks like a message; True where so many in a row, with the other side silent, are taken for such."""
    side.count += 1
    if side.count < _ONE_SIDED:
        return False
    side.doubted = False
    return True


def remember(state: ConnectionState, request: RedisRequest, queued: bool, received: bool) -> None:
    """A command is asked that will be answered."""
    pairing = state.pairing
    if not received:
        pairing.forget_early()
    alignment = state.alignment
    if alignment is None:
        if pairing.ahead > 0 or state.confirmed_early is not None:
            _answered_already(state, request)
            return
        if state.probation > 0 and state.alone and pairing.pending > 0:
            unsettle(state)
            alignment = state.alignment
        if alignment is None:
            pairing.asked(request)
            return
    if state.lost_until >= 0:
        passed: i64 = request.offset - state.lost_until
        if passed > 0:
            alignment.widen(-1 if state.cut > 0 and state.cut + passed >= _MUTES else passed // _SMALLEST + 1)
        state.lost_until = -1
        state.cut = 0
    if state.alone:
        if state.said == CLIENT:
            state.alone = False
            pairing.no_turn()
        elif state.said == SERVER and not state.server.doubted and pairing.pending == 0:
            state.said = CLIENT
            state.alignment = None
            state.probation = 2
            pairing.asked(request)
            return
    state.said = CLIENT
    if _answered_often([request]):
        alignment.begin(-1)
        return
    shapes = shapes_of(request, queued)
    kept: Message = request
    if request.stop - request.start > _LARGE:
        kept = request.shortened(int(SHORT))
    else:
        let_go(request)
    alignment.asked(kept, shapes)
    _conclude(state)


def _answered_often(requests: list[Message]) -> bool:
    """Whether any of `requests` is not answered once, or with what is no answer."""
    for request in requests:
        if isinstance(request, RedisRequest):
            effect = request.spec.effect
            if effect == SUBSCRIBE or effect == UNSUBSCRIBE or effect == MONITOR or effect == SYNC:
                return True
    return False


def answered_unsure(state: ConnectionState, reply: RedisReply) -> None:
    """An answer has come that belongs to nobody knows which command."""
    alignment = state.alignment
    assert alignment is not None
    if state.said == SERVER and state.alone:
        state.alone = False
        state.pairing.no_turn()
    state.said = SERVER
    alignment.answered(shape_of(reply))
    _conclude(state)
    state.settle()


def _conclude(state: ConnectionState) -> None:
    """Pair again, if it is certain how many commands wait."""
    alignment = state.alignment
    if alignment is None or state.lost_until >= 0 or state.server.doubted or state.client.doubted:
        return
    count = alignment.certain()
    if count < 0:
        return
    state.alignment = None
    state.alone = False
    state.probation = _PROBATION
    for request in alignment.latest(count):
        state.pairing.asked(request)


def unsettle(state: ConnectionState) -> None:
    """What was taken for certain is not."""
    alignment = Alignment()
    alignment.begin(-1)
    state.alignment = alignment
    state.alone = False
    state.probation = 0
    state.answers_seen = 0
    state.pairing.clear()
    state.pairing.no_turn()
    state.forget_unanswered()
    state.settle()


def fits(state: ConnectionState, reply: RedisReply, request: RedisRequest) -> bool:
    """Whether an answer on probation can be that of `request`."""
    if not can_answer(reply, request):
        unsettle(state)
        return False
    state.probation -= 1
    return True


def selected(request: RedisRequest) -> str | None:
    """The database that a SELECT names; None where it cannot be one."""
    arguments = request.arguments
    number = arguments[1] if len(arguments) > 1 else b""
    return str(int(number)) if number.isdigit() and len(number) <= 10 else None


def came_early(state: ConnectionState, reply: RedisReply) -> None:
    """A reply has come before the command that it answers."""
    if state.pairing.ahead == 0:
        state.early_failed = False
    state.early_failed |= reply.type == ERROR or reply.type == BULK_ERROR
    state.pairing.came_early()


def confirmed_early(state: ConnectionState, command: str, last: bool) -> None:
    """A confirmation has come before the `command` that it confirms; `last` says that nothing is subscribed any more."""
    early = state.confirmed_early
    if early is None:
        early = deque()
        state.confirmed_early = early
    early.append(command + "." if last else command)
    if len(early) > state.early_limit:
        unsettle(state)
        state.confirmed_early = None
    state.settle()


def _answered_already(state: ConnectionState, request: RedisRequest) -> None:
    """The answer to a command has come before it."""
    effect = request.spec.effect
    early = state.confirmed_early
    if (
        (effect == SUBSCRIBE or effect == UNSUBSCRIBE)
        and early is not None
        and early[0].rstrip(".") == request.spec.name
    ):
        named: i64 = request.argument_count - 1
        done: i64 = 0
        ends = False
        while early and not ends and early[0].rstrip(".") == request.spec.name:
            done += 1
            ends = done == named or (named == 0 and early[0].endswith("."))
            early.popleft()
        if not early:
            state.confirmed_early = None
        if not ends:
            state.pairing.asked(request)
            state.answers_seen = done
        return
    ahead: i64 = state.pairing.ahead
    state.pairing.asked(request)
    if ahead > 0:
        if effect == HELLO:
            state.switch(request.arguments)
        elif effect == MONITOR:
            state.monitoring = True
        elif effect == SELECT:
            state.answered_database = None if state.early_failed else selected(request)
            state.database = state.answered_database
