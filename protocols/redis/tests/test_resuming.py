"""Where the server's direction is taken up after lost octets, replication of version 8, and what errors and pushes mean."""

import contextlib

import pytest

from l7codecs import IncompleteMessage, Kind, Limits, ProtocolError, Sender, Session, Status, get_protocol, open_session
from l7codecs.message import Gap, Message, Opaque

C, S = Sender.CLIENT, Sender.SERVER


def session() -> Session:
    return open_session("redis")


LOST = b"st of a value, no reply\r\n"
MONITOR = b'+1700000000.123456 [0 127.0.0.1:1] "GET" "k"\r\n'
REPLIES = [
    b",1.5\r\n", b",-1e-7\r\n", b",inf\r\n", b",-inf\r\n", b",nan\r\n", b",-nan\r\n", b",10\r\n", b",3.0E+10\r\n",
    b"(1234567999999999999999999999999999999\r\n", b"(-5\r\n",
    b"+Background saving started\r\n", b"+Background append only file rewriting started\r\n",
    b"+OK\r\n", b"+RDBCHANNELSYNC\r\n", MONITOR, b'+1700000000.123456 [0 lua] "GET" "k"\r\n',
    b'+1700000000.123456 [15 unix:/tmp/s] "GET" "k"\r\n', b":-3\r\n", b"#t\r\n", b"_\r\n",
]  # fmt: skip
NOISE = [
    b",\r\n", b",1.5x\r\n", b",infinity\r\n", b",1,2\r\n", b"(12a\r\n", b"()\r\n", b"+background saving\r\n", b"+1 555 0100\r\n",
    b"+1700000000 seconds\r\n", b"+Yes! <b>it</b> is\r\n", b"+a\r\n",
]  # fmt: skip


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize("reply", REPLIES)
def test_every_reply_is_taken_up_after_a_gap(reply: bytes, step: int) -> None:
    heard = session()
    heard.gap(S, 100)
    octets = LOST + reply
    events = [event for at in range(0, len(octets), step) for event in heard.receive(S, octets[at : at + step])]
    assert [e.octets[e.start : e.stop] for e in events if isinstance(e, Message)] == [reply]


@pytest.mark.parametrize("noise", NOISE)
def test_noise_is_passed_over_after_a_gap(noise: bytes) -> None:
    heard = session()
    heard.gap(S, 100)
    events = list(heard.receive(S, LOST + noise + b"+OK\r\n"))
    assert [e.octets[e.start : e.stop] for e in events if isinstance(e, Message)] == [b"+OK\r\n"]


ERRORS = {
    b"-ERR invalid password": Status.UNAUTHENTICATED,
    b"-WRONGPASS invalid username-password pair or user is disabled.": Status.UNAUTHENTICATED,
    b"-ERR Unknown subcommand or wrong number of arguments for 'SETINFO'. Try CLIENT HELP.": Status.UNIMPLEMENTED,
    b"-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.": Status.UNIMPLEMENTED,
    b"-ERR EXEC without MULTI": Status.FAILED_PRECONDITION,
    b"-ERR DISCARD without MULTI": Status.FAILED_PRECONDITION,
    b"-ERR MULTI calls can not be nested": Status.FAILED_PRECONDITION,
    b"-ERR WATCH inside MULTI is not allowed": Status.FAILED_PRECONDITION,
    b"-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context":
        Status.FAILED_PRECONDITION,
    b"-ERR increment or decrement would overflow": Status.OUT_OF_RANGE,
    b"-ERR decrement would overflow": Status.OUT_OF_RANGE,
    b"-ERR This instance has cluster support disabled": Status.UNIMPLEMENTED,
    b"-ERR User 'nou' not found": Status.NOT_FOUND,
    b"-ERR value is not an integer or out of range": Status.INVALID_ARGUMENT,
    b"-ERR something of a module": Status.UNKNOWN,
}  # fmt: skip


@pytest.mark.parametrize(("line", "status"), ERRORS.items())
def test_what_an_error_means(line: bytes, status: Status) -> None:
    heard = session()
    list(heard.receive(C, b"*1\r\n$4\r\nTIME\r\n"))
    (answer,) = heard.receive(S, line + b"\r\n")
    assert isinstance(answer, Message)
    assert answer.status is status


@pytest.mark.parametrize(
    ("keys", "expected"),
    [(b"*2\r\n$2\r\ntk\r\n$3\r\na\r\n\r\n", (b"tk", b"a\r\n"))],
)
def test_keys_of_an_invalidation(keys: bytes, expected: tuple[bytes, ...]) -> None:
    heard = session()
    list(heard.receive(C, b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"))
    list(heard.receive(S, b"%0\r\n"))
    (push,) = heard.receive(S, b">2\r\n$10\r\ninvalidate\r\n" + keys)
    (flushed,) = heard.receive(S, b">2\r\n$10\r\ninvalidate\r\n_\r\n")
    assert isinstance(push, Message) and isinstance(flushed, Message)
    assert push.kind is Kind.PUSH
    assert push.resources == expected == push.attributes["redis.keys"]
    assert flushed.resources == ()


def test_commands_follow_at_once_behind_rdbchannelsync() -> None:
    heard = session()
    list(heard.receive(C, b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"))
    answer, ping, write = heard.receive(
        S, b"+RDBCHANNELSYNC 7\r\n*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
    )
    for event in (answer, ping, write):
        assert isinstance(event, Message) and not isinstance(event, Opaque)
    assert [(e.kind, e.operation, e.status) for e in (answer, ping, write) if isinstance(e, Message)] == [
        (Kind.RESPONSE, "PSYNC", Status.OK),
        (Kind.PUSH, "PING", None),
        (Kind.PUSH, "SET", None),
    ]


def test_pushes_inside_the_answer_to_a_command_whose_name_is_not_seen() -> None:
    """A limit of a head smaller than the name: it may have been EXEC."""
    heard = get_protocol("redis").open(limits=Limits(head=9, message=1))
    list(heard.receive(C, b"*1\r\n$4\r\nEXEC\r\n"))
    octets = b"*2\r\n>2\r\n+a\r\n+x\r\n:1\r\n_\r\n"
    assert b"".join(event.raw for event in heard.receive(S, octets)) == octets


def test_what_was_told_of_a_reply_that_goes_wrong_behind_a_gap_is_the_same_in_every_cut() -> None:
    """A gap inside of a string announces its reply; where the string does not end, its octets are that reply's all the same."""
    told = []
    for size in (1, 3, 1 << 20):
        heard = session()
        events = [*heard.gap(S), *heard.receive(C, b"*1\r\n$4\r\nPING\r\n"), *heard.receive(S, b"+OK\r\n")]
        events += [*heard.receive(C, b"*1\r\n$4\r\nPING\r\n"), *heard.receive(S, b"*3\r\n$9\r\n"), *heard.gap(S, 1)]
        rest = b"3\r\n$9\r\nsubscribe\r\n+OK\r\n"
        for at in range(0, len(rest), size):
            events += heard.receive(S, rest[at : at + size])
        events += heard.eof(S)
        octets: dict[str, bytes] = {}
        for event in events:
            if event.sender is S:
                octets[type(event).__name__] = octets.get(type(event).__name__, b"") + event.raw
        told.append(octets)
    assert told[0] == told[1] == told[2]
    assert sum(map(len, told[0].values())) == 5 + 8 + 23


@pytest.mark.parametrize("rest", [b"*", b"*1", b"*2\r\n$3\r\nGE"])
@pytest.mark.parametrize("held", [1, 3])
@pytest.mark.parametrize("most", [1, 7, 1 << 20])
def test_what_is_held_before_what_the_server_interrupts_is_not_lost(rest: bytes, held: int, most: int) -> None:
    """The server speaks within what looked like a command: those before it come as octets, each once and in their order."""
    joined = session()
    octets: bytes = b"x\r\n" + b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * held + rest
    events = [*joined.gap(S), *joined.gap(C)]
    for at in range(0, len(octets), most):
        events += joined.receive(C, octets[at : at + most])
    events += joined.receive(S, b"+PONG\r\n+OK\r\n$1\r\n1\r\n")
    with contextlib.suppress(IncompleteMessage):  # of the rest, where a message may begin with it
        for event in joined.eof(C):
            events.append(event)
    at = 0
    for event in events:
        if event.sender is C and not isinstance(event, Gap):
            assert event.offset == at
            assert event.raw
            at += len(event.raw)
    assert at >= len(octets) - len(rest)


@pytest.mark.parametrize("form", [b"$%c\r\n", b"$%c2\r\n", b"$%c23\r\n", b"$2%c\r\n", b"$23%c\r\n", b"*1\r\n$%c\r\n"])
def test_only_digits_are_a_length(form: bytes) -> None:
    """A streamed string begins with ``$?``, and its parts may look like one of so many octets as a digit behind 9 says."""
    streamed = b";1\r\na\r\n;4\r\nabcd\r\n;0\r\n"
    for octet in range(256):
        octets = form % octet + streamed + b"x" * 300
        found = []
        for size in (len(octets), 1):
            heard = session()
            raws: list[object] = []
            try:
                for at in range(0, len(octets), size):
                    for event in heard.receive(S, octets[at : at + size]):
                        raws.append(event.raw)
            except ProtocolError as error:
                raws.append((error.offset, error.seen))
            found.append(raws)
        assert found[0] == found[1], octets[:20]
