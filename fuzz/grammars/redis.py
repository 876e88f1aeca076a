"""Commands and replies of Redis at random: RESP2 and RESP3, of any depth, with pushes, transactions, subscriptions and monitors."""

from __future__ import annotations

import random

from l7codecs import Kind, Sender, Status
from l7codecs.testing.fuzzing import Spoken

KEYS = (b"a", b"key", b"k" * 40, b"", b"\r\n", b"ch{tag}")
COMMANDS: tuple[tuple[bytes, ...], ...] = (
    (b"GET", b"a"), (b"set", b"key", b"value"), (b"MSET", b"a", b"1", b"key", b"2"), (b"DEL", b"a", b"key"), (b"PING",), (b"MULTI",),
    (b"EXEC",), (b"DISCARD",), (b"WATCH", b"a"), (b"SUBSCRIBE", b"c", b"d"), (b"UNSUBSCRIBE",), (b"PSUBSCRIBE", b"*"),
    (b"SSUBSCRIBE", b"s"),
    (b"HELLO", b"3"), (b"HELLO", b"2"), (b"HELLO",), (b"AUTH", b"user", b"secret"), (b"SELECT", b"2"),
    (b"CLIENT", b"REPLY", b"OFF"),
    (b"CLIENT", b"REPLY", b"SKIP"), (b"CLIENT", b"REPLY", b"ON"), (b"CLIENT", b"TRACKING", b"ON"), (b"MONITOR",), (b"QUIT",), (b"RESET",),
    (b"EVAL", b"return 1", b"1", b"a"), (b"XREAD", b"BLOCK", b"0", b"STREAMS", b"a", b"$"), (b"BLPOP", b"a", b"0"),
    (b"SORT", b"a", b"BY", b"x"),
    (b"OBJECT", b"ENCODING", b"a"), (b"CONFIG", b"GET", b"*"), (b"PSYNC", b"?", b"-1"), (b"REPLCONF", b"ACK", b"0"), (b"SYNC",),
    (b"nosuch",),
    (b"XADD", b"a", b"*", b"f", b"v"), (b"ZUNIONSTORE", b"d", b"2", b"a", b"key", b"WEIGHTS", b"1", b"2"),
    (b"MIGRATE", b"h", b"1", b"", b"0", b"9"),
)  # fmt: skip


def bulk(octets: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(octets), octets)


def command(chance: random.Random) -> bytes:
    words = list(chance.choice(COMMANDS))
    if len(words) > 1 and chance.random() < 0.3:
        words[chance.randrange(1, len(words))] = chance.choice(KEYS)
    if chance.random() < 0.1:
        words.append(chance.choice((b"NX", b"1", b"k" * 300, chance.randbytes(5))))
    if chance.random() < 0.08 and all(b"\r" not in word and word for word in words):
        return b" ".join(words) + chance.choice((b"\r\n", b"\n"))
    return b"*%d\r\n" % len(words) + b"".join(map(bulk, words))


def reply(chance: random.Random, three: bool, depth: int = 0) -> bytes:
    """One value; of RESP3 where `three`."""
    choice = chance.randrange(22 if three else 9)
    deeper = depth < 4
    if choice < 2:
        return chance.choice((b"+OK\r\n", b"+PONG\r\n", b"+QUEUED\r\n", b"+\r\n"))
    if choice == 2:
        return chance.choice((b"-ERR unknown command\r\n", b"-WRONGTYPE x\r\n", b"-MOVED 1 h:1\r\n", b"-\r\n"))
    if choice == 3:
        return b":%d\r\n" % chance.choice((0, 1, -1, 1 << 62))
    if choice < 6 or not deeper:
        return bulk(chance.choice((b"", b"value", b"message", b"x" * 700, b"\r\n+OK\r\n")))
    if choice == 6:
        return chance.choice((b"$-1\r\n", b"*-1\r\n", b"*0\r\n"))
    if choice < 9:
        return items(b"*", chance, three, depth)
    if choice < 11:
        return items(chance.choice((b"~", b"*")), chance, three, depth)
    if choice == 11:
        return items(b"%", chance, three, depth)
    if choice == 12:
        return items(b"|", chance, three, depth) + reply(chance, three, depth + 1)
    if choice == 13:
        return b"_\r\n"
    if choice == 14:
        return chance.choice((b"#t\r\n", b"#f\r\n"))
    if choice == 15:
        return chance.choice((b",1.5\r\n", b",inf\r\n", b",-nan\r\n", b",1e-7\r\n"))
    if choice == 16:
        return b"(%d\r\n" % (1 << chance.randrange(200))
    if choice == 17:
        return b"=9\r\ntxt:hello\r\n"
    if choice == 18:
        return b"!9\r\nERR wrong\r\n"
    if choice == 19:
        parts = [chance.randbytes(chance.randrange(1, 6)) for _ in range(chance.randrange(4))]
        return b"$?\r\n" + b"".join(b";%d\r\n%s\r\n" % (len(part), part) for part in parts) + b";0\r\n"
    if choice == 20:
        kind = chance.choice((b"*", b"~", b"%"))
        count = chance.randrange(3) * (2 if kind == b"%" else 1)
        return kind + b"?\r\n" + b"".join(reply(chance, three, depth + 1) for _ in range(count)) + b".\r\n"
    return push(chance, three) if depth == 0 else b"_\r\n"


def items(kind: bytes, chance: random.Random, three: bool, depth: int) -> bytes:
    count = chance.choice((0, 1, 2, 2, 3, 9))
    parts = count * (2 if kind in (b"%", b"|") else 1)
    return kind + b"%d\r\n" % count + b"".join(reply(chance, three, depth + 1) for _ in range(parts))


def push(chance: random.Random, three: bool) -> bytes:
    words = chance.choice(
        (
            (b"message", b"c", b"hello"),
            (b"pmessage", b"*", b"c", b"x"),
            (b"invalidate", b"a"),
            (b"subscribe", b"c"),
            (b"unsubscribe", b"c"),
        )
    )
    number = b":1\r\n" if b"subscribe" in words[0] else b""
    count = len(words) + (1 if number else 0)
    return (b">" if three else b"*") + b"%d\r\n" % count + b"".join(map(bulk, words)) + number


def conversation(chance: random.Random) -> list[tuple[Sender, bytes]]:
    """Mostly right, so that it goes on."""
    pieces: list[tuple[Sender, bytes]] = []
    three = chance.random() < 0.5
    if three:
        pieces.append((Sender.CLIENT, b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"))
        pieces.append((Sender.SERVER, b"%1\r\n$5\r\nproto\r\n:3\r\n"))
    waiting = 0
    for _ in range(chance.choice((2, 6, 12, 24))):
        if waiting and chance.random() < 0.5:
            pieces.append((Sender.SERVER, reply(chance, three)))
            waiting -= 1
        elif chance.random() < 0.07:
            pieces.append((Sender.SERVER, push(chance, three)))
        else:
            pieces.append((Sender.CLIENT, command(chance)))
            waiting += 1
    pieces += [(Sender.SERVER, reply(chance, three)) for _ in range(waiting if chance.random() < 0.8 else 0)]
    return pieces


Said = tuple[bytes, Status, str | None, str]
"""A reply, and what it tells."""
OK: tuple[Said, ...] = ((b"+OK\r\n", Status.OK, None, "simple_string"),)
WRONG: tuple[Said, ...] = (
    (b"-WRONGTYPE Operation against a key\r\n", Status.FAILED_PRECONDITION, "WRONGTYPE", "simple_error"),
    (b"-LOADING not yet\r\n", Status.UNAVAILABLE, "LOADING", "simple_error"),
)
TEXT: tuple[Said, ...] = (
    (b"$-1\r\n", Status.OK, None, "bulk_string"),
    (b"$700\r\n" + b"x" * 700 + b"\r\n", Status.OK, None, "bulk_string"),
    (b"$13\r\n-ERR a\r\n+OK\r\n\r\n", Status.OK, None, "bulk_string"),
)
NUMBER: tuple[Said, ...] = (
    (b":3\r\n", Status.OK, None, "integer"),
    (b":-9223372036854775808\r\n", Status.OK, None, "integer"),
)
LIST: tuple[Said, ...] = (
    (b"*2\r\n*0\r\n*1\r\n$1\r\na\r\n", Status.OK, None, "array"),
    (b"*-1\r\n", Status.OK, None, "array"),
)
THREE: tuple[Said, ...] = (
    (b"%1\r\n+a\r\n~2\r\n#t\r\n,1.5\r\n", Status.OK, None, "map"),
    (b"_\r\n", Status.OK, None, "null"),
    (b"!11\r\nLOADING not\r\n", Status.UNAVAILABLE, "LOADING", "bulk_error"),
    (b"=7\r\ntxt:abc\r\n", Status.OK, None, "verbatim_string"),
    (b"*?\r\n:1\r\n.\r\n", Status.OK, None, "array"),
    (b"$?\r\n;3\r\nabc\r\n;0\r\n", Status.OK, None, "bulk_string"),
)
"""Of RESP3."""
ASKED: tuple[tuple[tuple[bytes, ...], str, tuple[bytes, ...], tuple[Said, ...]], ...] = (
    ((b"GET", b"a"), "GET", (b"a",), TEXT + WRONG),
    ((b"set", b"key", b"value"), "SET", (b"key",), OK + WRONG[1:]),
    ((b"MSET", b"a", b"1", b"key", b"2"), "MSET", (b"a", b"key"), OK),
    ((b"DEL", b"a", b"", b"k" * 40), "DEL", (b"a", b"", b"k" * 40), NUMBER[:1]),
    ((b"EVAL", b"return 1", b"2", b"a", b"b", b"x"), "EVAL", (b"a", b"b"), OK + WRONG + TEXT + NUMBER + LIST),
    ((b"OBJECT", b"ENCODING", b"\r\n"), "OBJECT ENCODING", (b"\r\n",), TEXT),
    (
        (b"ZUNIONSTORE", b"d", b"2", b"a", b"key", b"WEIGHTS", b"1", b"2"),
        "ZUNIONSTORE",
        (b"d", b"a", b"key"),
        NUMBER[:1] + WRONG,
    ),
    ((b"XREAD", b"COUNT", b"1", b"STREAMS", b"a", b"b", b"0", b"$"), "XREAD", (b"a", b"b"), LIST),
    ((b"CONFIG", b"GET", b"*"), "CONFIG GET", (), LIST[:1]),
    ((b"nosuch", b"a"), "NOSUCH", (), WRONG[1:]),
)
"""Words, the command and the keys that they are, and what a server answers to such."""


class Talk:
    """One connection: what its client has said, and what waits."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.found: list[Spoken] = []
        self.waiting: list[int] = []
        self.replies: dict[int, tuple[Said, ...]] = {}
        """By place of a command: what it may be answered."""
        self.database = "0"
        self.three = False

    def asks(self, words: tuple[bytes, ...], kind: Kind, **says: object) -> None:
        octets = b"*%d\r\n" % len(words) + b"".join(map(bulk, words))
        if kind is not Kind.ONEWAY:
            self.waiting.append(len(self.found))
        self.found.append(Spoken(Sender.CLIENT, octets, says={"kind": kind, "db.namespace": self.database, **says}))

    def asks_any(self, kind: Kind = Kind.REQUEST) -> None:
        words, operation, keys, replies = self.chance.choice(ASKED)
        self.replies[len(self.found)] = replies + (THREE if operation == "EVAL" and self.three else ())
        self.asks(words, kind, operation=operation, resources=keys)

    def hears(self, octets: bytes, **says: object) -> None:
        """The first that waits is answered."""
        place = self.waiting.pop(0)
        of = self.found[place].says
        self.found.append(
            Spoken(
                Sender.SERVER, octets, answers=place, says={"kind": Kind.RESPONSE, "operation": of["operation"], **says}
            )
        )

    def hears_any(self) -> None:
        while self.waiting:
            octets, status, error, kind = self.chance.choice(self.replies.get(self.waiting[0], OK))
            self.hears(octets, status=status, error=error, **{"redis.reply_type": kind})

    def is_told(self) -> None:
        """Something that nobody asked for."""
        says = {"kind": Kind.PUSH, "operation": "INVALIDATE", "resources": (b"key",)}
        self.found.append(Spoken(Sender.SERVER, b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n", says=says))

    def selects(self) -> None:
        number = self.chance.choice((b"0", b"7"))
        self.asks((b"SELECT", number), Kind.REQUEST, operation="SELECT")
        self.database = number.decode()
        self.hears_any_then(b"+OK\r\n")

    def hears_any_then(self, octets: bytes) -> None:
        """All that waits, the last of it with `octets`."""
        last = self.waiting.pop()
        self.hears_any()
        self.waiting.append(last)
        self.hears(octets)

    def is_silent(self) -> None:
        """CLIENT REPLY."""
        if self.chance.random() < 0.5:
            self.asks((b"CLIENT", b"REPLY", b"SKIP"), Kind.ONEWAY, operation="CLIENT REPLY")
            self.asks_any(Kind.ONEWAY)
            return
        self.asks((b"CLIENT", b"REPLY", b"OFF"), Kind.ONEWAY, operation="CLIENT REPLY")
        for _ in range(self.chance.randrange(4)):
            self.asks_any(Kind.ONEWAY)
        self.asks((b"CLIENT", b"REPLY", b"ON"), Kind.REQUEST, operation="CLIENT REPLY")

    def commits(self) -> None:
        """A transaction."""
        count = self.chance.randrange(4)
        self.asks((b"MULTI",), Kind.REQUEST, operation="MULTI")
        self.hears_any_then(b"+OK\r\n")
        for _ in range(count):
            self.asks_any()
        self.asks((b"EXEC",), Kind.REQUEST, operation="EXEC", **{"db.operation.batch.size": count})
        for _ in range(count):
            self.hears(b"+QUEUED\r\n", status=Status.OK)
        self.hears(b"*%d\r\n" % count + b":1\r\n" * count, status=Status.OK)


def spoken(chance: random.Random) -> list[Spoken]:
    """All of it right: commands with their keys and database, what gets no answer, transactions, pushes, and what answers say."""
    talk = Talk(chance)
    if chance.random() < 0.5:
        talk.three = True
        talk.asks((b"HELLO", b"3"), Kind.REQUEST, operation="HELLO")
        talk.hears(b"%1\r\n$5\r\nproto\r\n:3\r\n", status=Status.OK)
    for _ in range(chance.choice((1, 4, 9, 16))):
        choice = chance.randrange(12)
        if choice == 0:
            talk.selects()
        elif choice == 1:
            talk.is_silent()
        elif choice == 2:
            talk.commits()
        elif choice == 3 and talk.three:
            talk.is_told()
        elif choice < 6:
            talk.hears_any()
        else:
            talk.asks_any()
    talk.hears_any()
    return talk.found
