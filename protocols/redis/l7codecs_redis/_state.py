"""What both directions of a Redis connection share: what waits for an answer, and the modes that change what an answer is.

Each command has an effect on the connection. It applies when the command is asked (the commands pipelined behind it are already
under it) and is taken back or confirmed when the answer comes.

    effect         answers            from then on
    ─────────────  ─────────────────  ────────────────────────────────────────────────────────────────────────────
    SUBSCRIBE      one per channel    RESP2: only pushes and answers to the subscribe family; RESP3: pushes between answers
    UNSUBSCRIBE    one per channel    without arguments: one per subscribed channel, one with nil where there is none
    MULTI          1                  every command answers QUEUED, until EXEC or DISCARD
    CLIENT_REPLY   ON: 1, else 0      OFF: no answers at all; SKIP: none to the next command
    MONITOR        1                  a push for every command that the server executes
    SYNC           1                  the server sends an RDB file and then commands (replication)
    HELLO          1                  RESP2 or RESP3
    SELECT         1                  another database
    RESET          1                  everything as on a new connection
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from mypy_extensions import i64, u8

from l7codecs import FifoPairing, Gap, Limits, Message
from l7codecs.pairing.alignment import Alignment

from ._commands import CommandSpec, find_command
from ._request import ORDINARY, ordinary_in

__all__ = [
    "CLIENT",
    "CLIENT_REPLY",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MONITOR",
    "MULTI",
    "NOBODY",
    "NO_EFFECT",
    "PING",
    "QUIT",
    "REPLCONF",
    "RESET",
    "SELECT",
    "SERVER",
    "SUBSCRIBE",
    "SYNC",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WATCH",
    "ConnectionState",
    "Standing",
]

NO_EFFECT: Final[i64] = 0
SUBSCRIBE: Final[i64] = 1
UNSUBSCRIBE: Final[i64] = 2
MULTI: Final[i64] = 3
EXEC: Final[i64] = 4
DISCARD: Final[i64] = 5
WATCH: Final[i64] = 6
UNWATCH: Final[i64] = 7
SELECT: Final[i64] = 8
HELLO: Final[i64] = 9
RESET: Final[i64] = 10
QUIT: Final[i64] = 11
MONITOR: Final[i64] = 12
CLIENT_REPLY: Final[i64] = 13
SYNC: Final[i64] = 14
REPLCONF: Final[i64] = 15
PING: Final[i64] = 16

_EFFECTS: Final[dict[str, i64]] = {
    "SUBSCRIBE": SUBSCRIBE,
    "PSUBSCRIBE": SUBSCRIBE,
    "SSUBSCRIBE": SUBSCRIBE,
    "UNSUBSCRIBE": UNSUBSCRIBE,
    "PUNSUBSCRIBE": UNSUBSCRIBE,
    "SUNSUBSCRIBE": UNSUBSCRIBE,
    "MULTI": MULTI,
    "EXEC": EXEC,
    "DISCARD": DISCARD,
    "WATCH": WATCH,
    "UNWATCH": UNWATCH,
    "SELECT": SELECT,
    "HELLO": HELLO,
    "RESET": RESET,
    "QUIT": QUIT,
    "MONITOR": MONITOR,
    "CLIENT REPLY": CLIENT_REPLY,
    "SYNC": SYNC,
    "PSYNC": SYNC,
    "REPLCONF": REPLCONF,
    "PING": PING,
}


NOBODY: Final[u8] = 0
CLIENT: Final[u8] = 1
SERVER: Final[u8] = 2


_NOTHING_HELD: Final[list[Message]] = []
"""Shared by all, so that an idle connection has none of its own."""


@final
class Standing:
    """What is known after lost octets of where the messages of one direction begin.

    ``doubted``: what looks like a message may be part of one. ``quiet``: nothing of a message has begun, as far as can be seen.
    ``fresh``: what comes next begins a message. ``count``: what looked like messages, since the other side spoke.
    ``stalled``: how often the other side has spoken in the middle of what looks like a message; ``again``: often enough to look anew.
    ``held``: those that are told if the other side speaks before they turn out to be none; only the client's are held.
    ``holds``: the latest message is held. ``unsure``: how many messages still have to be right until it is certain that they are any.
    ``gap``: the loss. ``after_lf``: a LF was the last octet that was passed over.
    """

    def __init__(self) -> None:
        self.doubted = False
        self.quiet = False
        self.fresh = False
        self.count: i64 = 0
        self.stalled: i64 = 0
        self.again = False
        self.held = _NOTHING_HELD
        self.holds = False
        self.unsure: i64 = 0
        self.gap: Gap | None = None
        self.after_lf = False

    def hold(self, message: Message) -> None:
        """Hold one more."""
        if self.held:
            self.held.append(message)
        else:
            self.held = [message]

    def take_held(self) -> list[Message]:
        """The messages that were held, which are then not held any more."""
        held = self.held
        self.held = _NOTHING_HELD
        return held


_SURE: Final = Standing()
"""Of a connection that has lost nothing."""


@final
class ConnectionState:
    """The modes of one connection.

    ``busy`` is False while none of them is on, so that an ordinary command and its answer need not look at the others.
    """

    def __init__(self, limits: Limits, endpoint: bool = False) -> None:
        self.pairing = FifoPairing(limits.pending, endpoint, limits.waiting)
        self.pairing.keeps = not endpoint
        self.ordinary = ORDINARY
        """That of the commands which come now, as far as nothing else is to be said of them."""
        self.queued: i64 = 0
        self.lasting = False
        """Whether what was queued ties the connection beyond its EXEC."""
        self.extra_items: i64 = 0
        """Items that EXEC's answer has beyond one for each command: confirmations of a queued SUBSCRIBE a b c."""
        self.multi_database: str | None = "0"
        """The database before MULTI."""
        self.answered_database: str | None = "0"
        """The database after the last SELECT that was answered."""
        self.selects: i64 = 0
        """How many SELECT were asked: an answer tells whether its SELECT is the last."""
        self.multi_selects: i64 = 0
        """The same before MULTI."""
        self.alignment: Alignment | None = None
        """After lost octets, until it is certain which request the next answer answers."""
        self.probation: i64 = 0
        """Answers that have to fit their requests until what was found after a loss is beyond doubt."""
        self.lost_until: i64 = -1
        """Where in the client's direction the octets that were lost last end, until a command is seen behind them."""
        self.cut: i64 = 0
        """Octets of a command whose name nobody has seen, with those that were lost of it, until then."""
        self.early_limit: i64 = limits.pending
        self.confirmed_early: deque[str] | None = None
        """Confirmations of subscriptions that have come before their command: its name, with a full stop where it can have no more."""
        self.client = _SURE
        self.server = _SURE
        self.answers_seen: i64 = 0
        """Answers that the request at the head of the queue has had."""
        self.channels: i64 = 0
        self.patterns: i64 = 0
        self.shard_channels: i64 = 0
        # What is an octet stands together, so that it shares its place.
        self.resp: u8 = 2
        self.said: u8 = NOBODY
        """Who said something last, since the loss."""
        self.busy = False
        self.in_multi = False
        self.observer = not endpoint
        self.alone = False
        """Whether the client has always waited for each answer, and is taken to go on so after the loss."""
        self.inline = False
        """Whether the client has sent a line as a command."""
        self.two_sided = False
        """Whether both sides are heard, so that each can tell where a message of the other ends."""
        self.unseen = False
        """Whether a command was so large that its name was not seen: it may have been EXEC or SUBSCRIBE."""
        self.watching = False
        self.replies_off = False
        self.skip_next = False
        self.off_doubted = False
        """Octets of the client were lost while replies were off: they may be on."""
        self.uncounted = False
        """Whether octets of the server were lost, so that nobody knows how many subscriptions there are, until there is none."""
        self.silenced: Message | None = None
        """The CLIENT REPLY OFF or SKIP that was asked latest, behind which nothing has come, where there were replies before it."""
        self.ending: Message | None = None
        """The UNSUBSCRIBE of all that was asked last while they are not counted: how many answers it has is not known."""
        self.mutes = False
        """Whether the client has turned replies off or on, or may have: after a loss nobody knows which commands are answered."""
        self.monitor_asked = False
        self.monitoring = False
        self.replicating = False
        self.early_failed = False
        """Whether an answer that came before its command was an error."""

    @property
    def database(self) -> str | None:
        """The database of the commands which come now; None where it is not known: joined midway, or octets were lost."""
        return self.ordinary.database

    @database.setter
    def database(self, database: str | None) -> None:
        self.ordinary = ordinary_in(database)

    def doubt(self) -> None:
        """Octets are lost: from now on it has standings of its own."""
        if self.client is _SURE:
            self.client = Standing()
            self.server = Standing()

    @property
    def subscribed(self) -> bool:
        return self.channels + self.patterns + self.shard_channels > 0

    def settle(self) -> None:
        """Work out `busy` anew."""
        self.busy = (
            self.alignment is not None
            or self.probation > 0
            or self.confirmed_early is not None
            or self.client.doubted
            or self.server.doubted
            or self.in_multi
            or self.watching
            or self.replies_off
            or self.skip_next
            or self.monitoring
            or self.replicating
            or self.answers_seen > 0
            or self.channels + self.patterns + self.shard_channels > 0
        )

    def reset(self) -> None:
        """What RESET leaves, except for the queue of requests."""
        self.database = "0"
        self.answered_database = "0"
        self.selects += 1
        self.in_multi = False
        self.queued = 0
        self.watching = False
        self.replies_off = False
        self.off_doubted = False
        self.skip_next = False
        self.monitor_asked = False

    def forget(self) -> None:
        """Octets were lost: of the modes of the connection, what is not certain any more is forgotten."""
        self.answers_seen = 0
        self.in_multi = False
        self.queued = 0
        self.skip_next = False
        self.database = None
        self.answered_database = None
        self.selects += 1  # what was lost may have selected another, or reset the connection
        self.confirmed_early = None
        self.settle()

    def forget_unanswered(self) -> None:
        """Whether the SELECT that was asked last has succeeded will not be known."""
        if self.database != self.answered_database:
            self.database = None
            self.answered_database = None

    def switch(self, arguments: list[bytes]) -> None:
        """HELLO has set the protocol's version."""
        if len(arguments) > 1:
            self.resp = 3 if arguments[1] == b"3" else 2

    def silent(self) -> bool:
        """Whether the command that is asked now gets no answer; uses up a SKIP."""
        if self.skip_next:
            self.skip_next = False
            return True
        return self.replies_off


_PINS: Final[dict[str, str]] = {
    "MULTI": "transaction",
    "WATCH": "watch",
    "SUBSCRIBE": "subscription",
    "PSUBSCRIBE": "subscription",
    "SSUBSCRIBE": "subscription",
    "MONITOR": "monitor",
    "CLIENT REPLY": "reply mode",
    "CLIENT TRACKING": "tracking",
    "CLIENT CACHING": "tracking",
    "CLIENT SETNAME": "client name",
    "CLIENT SETINFO": "client name",
    "CLIENT NO-EVICT": "client mode",
    "CLIENT NO-TOUCH": "client mode",
    "CLIENT MAINT_NOTIFICATIONS": "client mode",
    "SCRIPT DEBUG": "script debugging",
    "SYNC": "replication",
    "PSYNC": "replication",
    "REPLCONF": "replication",
    "SELECT": "database",
    "HELLO": "protocol version",
    "AUTH": "authentication",
    "ASKING": "asking",
    "READONLY": "read mode",
    "READWRITE": "read mode",
    "WAIT": "earlier writes",
    "WAITAOF": "earlier writes",
    "RESET": "reset",
    "QUIT": "end",
}

NEVER: Final[i64] = 0
ALWAYS: Final[i64] = 1
BLOCK_OPTION: Final[i64] = 2

_BLOCKS: Final[dict[str, i64]] = {
    "BLMOVE": ALWAYS,
    "BLMOVEM": ALWAYS,
    "BLMPOP": ALWAYS,
    "BLPOP": ALWAYS,
    "BRPOP": ALWAYS,
    "BRPOPLPUSH": ALWAYS,
    "BZMPOP": ALWAYS,
    "BZPOPMAX": ALWAYS,
    "BZPOPMIN": ALWAYS,
    "WAIT": ALWAYS,
    "WAITAOF": ALWAYS,
    "XREAD": BLOCK_OPTION,
    "XREADGROUP": BLOCK_OPTION,
}


def _find(name: str) -> CommandSpec | None:
    command, _, word = name.partition(" ")
    spec = find_command(command.encode("ascii"))
    return spec.subcommand(word.encode("ascii")) if spec is not None and word else spec


def _mark_commands() -> None:
    """Write what is said here of commands into their specs, so that no message is looked up."""
    for name, effect in _EFFECTS.items():
        spec = _find(name)
        if spec is not None:
            spec.effect = effect
    for name, reason in _PINS.items():
        spec = _find(name)
        if spec is not None:
            spec.pins = reason
    for name, blocks in _BLOCKS.items():
        spec = _find(name)
        if spec is not None:
            spec.blocks = blocks


_mark_commands()
