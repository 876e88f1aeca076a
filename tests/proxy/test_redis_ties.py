"""What ties a client to one server, through the engine before two: transactions, WATCH, subscriptions, what blocks, CLIENT REPLY."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from .running import TWO_OF_REDIS, Running, read, running, wait_until

SPLIT = (
    TWO_OF_REDIS
    + """
- match: {{ operation: {{ prefix: CONFIG }} }}
  reply: {{ status: PERMISSION_DENIED, text: not through this proxy }}
- match: {{ any: [{{ resources: {{ prefix: "a:" }} }}, {{ attributes: {{ redis.channels: {{ prefix: "a:" }} }} }}] }}
  cluster: a
- cluster: b
"""
)
ELSEWHERE = b"-ERR what is under way is at another server\r\n"
ABORTED = b"-EXECABORT Transaction discarded because of previous errors.\r\n"
REFUSED = b"-NOPERM not through this proxy\r\n"


@pytest.fixture
def here(servers: Any) -> Iterator[Running]:
    with running(SPLIT.format(*servers.hosts)) as here:
        yield here
        assert here.seen.refusals == []


def read_to(raw: socket.socket, end: bytes) -> bytes:
    """All up to `end`, which has to come."""
    raw.settimeout(10)
    found = b""
    while not found.endswith(end):
        more = raw.recv(65536)
        assert more, found
        found += more
    return found


def talk(here: Running, *steps: tuple[str, bytes]) -> None:
    """Say each, and read what is expected; then the same at once, in one write."""
    for each in (steps, (("\r\n".join(said for said, _ in steps), b"".join(answer for _, answer in steps)),)):
        with socket.create_connection(("127.0.0.1", here.port())) as raw:
            for said, answer in each:
                raw.sendall(said.encode() + b"\r\n")
                assert read(raw, len(answer)) == answer, said
            raw.sendall(b"DEL a:k\r\nDEL b:k\r\nPING\r\n")
            assert read_to(raw, b"+PONG\r\n").count(b"\r\n") == 3


def test_a_transaction_is_where_its_first_key_is(here: Running) -> None:
    for key in ("a:k", "b:k", "a:k"):
        talk(
            here,
            ("MULTI", b"+OK\r\n"),
            (f"SET {key} 1", b"+QUEUED\r\n"),
            (f"INCR {key}", b"+QUEUED\r\n"),
            ("EXEC", b"*2\r\n+OK\r\n:2\r\n"),
            (f"GET {key}", b"$1\r\n2\r\n"),
            (f"DEL {key}", b":1\r\n"),
        )


def test_two_in_a_row_are_at_two_servers(here: Running) -> None:
    talk(
        here,
        ("MULTI\r\nSET a:k 1\r\nEXEC", b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"),
        ("MULTI\r\nSET b:k 2\r\nEXEC", b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"),
        ("GET a:k\r\nGET b:k", b"$1\r\n1\r\n$1\r\n2\r\n"),
        ("MULTI\r\nEXEC\r\nMULTI\r\nDISCARD\r\nEXEC", b"+OK\r\n*0\r\n+OK\r\n+OK\r\n-ERR EXEC without MULTI\r\n"),
    )


@pytest.mark.parametrize(
    ("refused", "answer"),
    [("SET b:k 2", ELSEWHERE), ("CONFIG GET maxmemory", REFUSED)],
    ids=["a key of another server", "a rule"],
)
@pytest.mark.parametrize("first", [True, False], ids=["before any other", "behind another"])
def test_nothing_of_a_transaction_is_done_where_a_part_is_refused(
    here: Running, refused: str, answer: bytes, first: bool
) -> None:
    """The connection stays, and what is asked next is answered."""
    steps = [("SET a:k 1", b"+QUEUED\r\n"), (refused, answer), ("SET a:k 3", b"+QUEUED\r\n")]
    if first and answer is REFUSED:
        steps = steps[1:]
    talk(
        here,
        ("MULTI", b"+OK\r\n"),
        *steps,
        ("EXEC", ABORTED),
        ("GET a:k\r\nGET b:k", b"$-1\r\n$-1\r\n"),
        ("MULTI\r\nSET b:k 7\r\nEXEC", b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"),
    )


def test_a_refused_exec_ends_the_transaction(servers: Any) -> None:
    text = SPLIT.format(*servers.hosts).replace("{ prefix: CONFIG }", "EXEC")
    with running(text) as here:
        talk(
            here,
            ("MULTI\r\nSET a:k 1\r\nEXEC", b"+OK\r\n+QUEUED\r\n" + REFUSED),
            ("GET a:k", b"$-1\r\n"),
            ("MULTI\r\nEXEC", b"+OK\r\n" + REFUSED),
            ("SET a:k 2\r\nGET a:k", b"+OK\r\n$1\r\n2\r\n"),
        )


def test_without_a_route_for_what_has_no_key(servers: Any) -> None:
    text = SPLIT.format(*servers.hosts).replace("- cluster: b\n", "")
    with running(text) as here:
        talk(
            here,
            ("MULTI\r\nSET a:k 1\r\nGET b:k\r\nEXEC", b"+OK\r\n+QUEUED\r\n-ERR no route for GET\r\n" + ABORTED),
            ("MULTI\r\nGET b:k\r\nGET a:k\r\nEXEC", b"+OK\r\n-ERR no route for GET\r\n+QUEUED\r\n" + ABORTED),
            ("MULTI\r\nEXEC\r\nGET a:k", b"+OK\r\n-ERR no route for EXEC\r\n$-1\r\n"),
        )


def test_watched_keys_are_of_one_server_and_others_can_be_read(here: Running, servers: Any) -> None:
    talk(
        here,
        ("WATCH a:k", b"+OK\r\n"),
        ("WATCH b:k", ELSEWHERE),
        ("SET b:k 5", b"+OK\r\n"),
        ("GET b:k\r\nGET a:k", b"$1\r\n5\r\n$-1\r\n"),
        ("MULTI\r\nINCR a:k\r\nEXEC", b"+OK\r\n+QUEUED\r\n*1\r\n:1\r\n"),
        ("WATCH b:k\r\nUNWATCH\r\nWATCH a:k\r\nUNWATCH", b"+OK\r\n" * 4),
    )
    with socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.sendall(b"WATCH a:k\r\nGET a:k\r\n")
        assert read(raw, 10) == b"+OK\r\n$-1\r\n"
        servers.direct[0].set("a:k", 9)
        raw.sendall(b"MULTI\r\nSET a:k 2\r\nEXEC\r\nGET a:k\r\n")
        assert read(raw, 26) == b"+OK\r\n+QUEUED\r\n*-1\r\n$1\r\n9\r\n"[:26]


def test_channels_are_of_one_server(here: Running) -> None:
    """Where rules spread them: one of another server is refused rather than never heard of."""
    confirmed = b"*3\r\n$9\r\nsubscribe\r\n$3\r\na:c\r\n:1\r\n"
    with socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.sendall(b"SUBSCRIBE a:c\r\nSUBSCRIBE b:c\r\nUNSUBSCRIBE\r\nSUBSCRIBE a:c\r\n")
        ended = b"*3\r\n$11\r\nunsubscribe\r\n$3\r\na:c\r\n:0\r\n"
        expected = confirmed + ELSEWHERE + ended + confirmed
        assert read(raw, len(expected)) == expected
        with socket.create_connection(("127.0.0.1", here.port())) as other:
            other.sendall(b"PUBLISH b:c no\r\nPUBLISH a:c yes\r\n")
            assert read(other, 8) == b":0\r\n:1\r\n"
        pushed = b"*3\r\n$7\r\nmessage\r\n$3\r\na:c\r\n$3\r\nyes\r\n"
        assert read(raw, len(pushed)) == pushed


def test_what_blocks_waits_at_one_server_after_another(here: Running, servers: Any) -> None:
    """And nothing behind it is done before."""
    talk(
        here,
        ("BLPOP a:none 0.05\r\nBLPOP b:none 0.05\r\nGET a:k", b"*-1\r\n*-1\r\n$-1\r\n"),
        (
            "WATCH a:k\r\nBLPOP b:none 0.05\r\nMULTI\r\nGET a:k\r\nEXEC",
            b"+OK\r\n*-1\r\n+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n",
        ),
    )
    with socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.sendall(b"BLPOP a:q 5\r\nRPUSH a:q own\r\nLLEN a:q\r\n")
        wait_until(lambda: servers.direct[0].info("clients")["blocked_clients"])
        servers.direct[0].rpush("a:q", "other")
        expected = b"*2\r\n$3\r\na:q\r\n$5\r\nother\r\n:1\r\n:1\r\n"
        assert read(raw, len(expected)) == expected


def resp3(here: Running, tracking: str) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", here.port()))
    raw.sendall(f"HELLO 3\r\nCLIENT TRACKING {tracking}\r\nPING\r\n".encode())
    assert read_to(raw, b"+PONG\r\n").endswith(b"\r\n+OK\r\n+PONG\r\n")
    return raw


def test_every_server_tells_a_client_what_it_may_not_keep(here: Running, servers: Any) -> None:
    """Of keys at both: it has connections of its own, one to each."""
    with resp3(here, "ON") as raw, resp3(here, "ON"):
        raw.sendall(b"GET a:k\r\nGET b:k\r\nMULTI\r\nGET b:more\r\nEXEC\r\nGET a:more\r\n")
        assert read_to(raw, b"*1\r\n_\r\n_\r\n") == b"_\r\n_\r\n+OK\r\n+QUEUED\r\n*1\r\n_\r\n_\r\n"
        for direct, key in zip((*servers.direct, *servers.direct), ("a:k", "b:k", "a:more", "b:more"), strict=True):
            direct.set(key, "1")
            told = f">2\r\n$10\r\ninvalidate\r\n*1\r\n${len(key)}\r\n{key}\r\n".encode()
            assert read(raw, len(told)) == told
        raw.sendall(b"CLIENT TRACKING OFF\r\nGET a:k\r\nGET b:k\r\n")
        assert read_to(raw, b"1\r\n$1\r\n1\r\n") == b"+OK\r\n$1\r\n1\r\n$1\r\n1\r\n"
        for direct, key in zip(servers.direct, ("a:k", "b:k"), strict=True):
            direct.set(key, "2")
        raw.sendall(b"PING\r\n")
        assert read_to(raw, b"+PONG\r\n") == b"+PONG\r\n", "nothing is tracked any more"


def test_what_a_client_wants_to_keep_it_says_of_any_key(here: Running, servers: Any) -> None:
    with resp3(here, "ON OPTIN") as raw:
        for direct, key in zip(servers.direct, ("a:k", "b:k"), strict=True):
            asked = f"CLIENT CACHING YES\r\nGET {key}\r\nGET {key}:not\r\n"
            asked += f"CLIENT CACHING YES\r\nMULTI\r\nPTTL {key}:m\r\nGET {key}:m\r\nEXEC\r\n"
            raw.sendall(asked.encode())
            answer = b"+OK\r\n_\r\n_\r\n+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:-2\r\n_\r\n"
            assert read(raw, len(answer)) == answer
            direct.mset({f"{key}:not": "1", key: "1", f"{key}:m": "1"})
            raw.sendall(b"PING\r\n")  # its answer may come before what a server tells, and in one read with it
            raw.settimeout(10)
            told = b""
            while not all(
                each in told for each in (b"+PONG\r\n", f"\r\n{key}\r\n".encode(), f"\r\n{key}:m\r\n".encode())
            ):
                more = raw.recv(65536)
                assert more, told
                told += more
            assert told.count(b"invalidate") == 2
            assert b":not" not in told
        raw.sendall(b"CLIENT TRACKING OFF\r\nCLIENT CACHING YES\r\n")
        assert b"-ERR CLIENT CACHING can be called only" in read_to(raw, b"enabled\r\n")


def test_who_is_not_told_any_more_what_to_keep_is_told_that(here: Running, servers: Any) -> None:
    """A server ends the connection on which it would tell: so ends that to the client, which forgets what it has kept."""
    with resp3(here, "ON") as raw:
        raw.sendall(b"GET a:k\r\nGET b:k\r\n")
        assert read(raw, 6) == b"_\r\n_\r\n"
        for each in servers.direct[1].client_list():
            if each["cmd"] == "get":
                servers.direct[1].client_kill(each["addr"])
        assert read(raw, 1) == b""


def test_what_is_selected_while_something_is_watched_holds_there_too(here: Running, servers: Any) -> None:
    talk(
        here,
        ("WATCH a:k", b"+OK\r\n"),
        ("SELECT 3", b"+OK\r\n"),
        ("MULTI\r\nSET a:k 3\r\nEXEC", b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"),
        ("GET a:k", b"$1\r\n3\r\n"),
        ("SELECT 0\r\nGET a:k\r\nSELECT 3\r\nDEL a:k\r\nSELECT 0", b"+OK\r\n$-1\r\n+OK\r\n:1\r\n+OK\r\n"),
    )


@pytest.mark.parametrize("tied", ["", "WATCH a:k\r\n"], ids=["", "watching"])
def test_who_has_gone_takes_nothing_that_comes_later(here: Running, servers: Any, tied: str) -> None:
    """A worker that ends while it waits, as each does: what is put into its queue then is another's."""
    first = servers.direct[0]
    for held in (False, True):
        with socket.create_connection(("127.0.0.1", here.port())) as raw:
            raw.sendall(f"{tied}BLPOP a:queue 0\r\n{'BLPOP a:more 0' * held}\r\n".encode())
            wait_until(lambda: first.info("clients")["blocked_clients"] == 1)
        wait_until(lambda: first.info("clients")["blocked_clients"] == 0)
        first.rpush("a:queue", "kept")
        assert first.lpop("a:queue") == b"kept"
        wait_until(lambda: not here.engine.clients)
    assert {told for told in here.seen.told() if told[0] == "BLPOP"} == {("BLPOP", "a", "CLIENT_GONE")}
    first.rpush("a:queue", "1", "2")
    with socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.sendall(f"{tied}BLPOP a:queue 0\r\nBLPOP a:queue 0\r\nBLPOP a:queue 0\r\n".encode())
        raw.shutdown(socket.SHUT_WR)
        popped = b"*2\r\n$7\r\na:queue\r\n$1\r\n%d\r\n"
        got = read(raw, 1000).removeprefix(b"+OK\r\n")
        assert got == popped % 1 + popped % 2 or (tied and got == popped % 1), "what is there when its end is heard of"


def test_who_wants_no_answers_gets_none_of_any_server(here: Running) -> None:
    talk(
        here,
        ("CLIENT REPLY SKIP\r\nSET a:k 1\r\nGET a:k", b"$1\r\n1\r\n"),
        ("CLIENT REPLY OFF\r\nSET a:k 2\r\nSET b:k 3\r\nGET a:k\r\nCLIENT REPLY ON", b"+OK\r\n"),
        ("GET a:k\r\nGET b:k", b"$1\r\n2\r\n$1\r\n3\r\n"),
        ("CLIENT REPLY SKIP\r\nSET a:k 4\r\nGET b:k\r\nGET a:k", b"$1\r\n3\r\n$1\r\n4\r\n"),
        (
            "CLIENT REPLY OFF\r\nMULTI\r\nINCR a:k\r\nINCR a:k\r\nEXEC\r\nCLIENT REPLY ON",
            b"+OK\r\n",
        ),
        ("GET a:k\r\nMULTI\r\nGET a:k\r\nEXEC", b"$1\r\n6\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n6\r\n"),
        ("MULTI\r\nGET b:k\r\nEXEC\r\nGET a:k", b"+OK\r\n+QUEUED\r\n*1\r\n$1\r\n3\r\n$1\r\n6\r\n"),
    )


def test_whoever_is_free_again_leaves_its_connection_to_the_next(here: Running, servers: Any) -> None:
    """Clients that stay, with a transaction each, one after another: a connection for them all, and for each database."""
    host = here.engine.pools["a"].hosts[servers.hosts[0]]
    with contextlib.ExitStack() as stack:
        for number in range(30):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", here.port())))
            raw.sendall(f"SELECT {number % 2}\r\nMULTI\r\nINCR a:n\r\nEXEC\r\nRPUSH a:q x\r\nBLPOP a:q 1\r\n".encode())
            expected = (
                f"+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:{number // 2 + 1}\r\n:1\r\n*2\r\n$3\r\na:q\r\n$1\r\nx\r\n".encode()
            )
            assert read(raw, len(expected)) == expected
        assert host.own == 2
        raw.sendall(b"SELECT 3\r\nSELECT 1\r\nMULTI\r\nGET a:n\r\nEXEC\r\nSUBSCRIBE a:c\r\n")
        expected = b"+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$2\r\n15\r\n*3\r\n"
        assert read(raw, len(expected)) == expected
        with socket.create_connection(("127.0.0.1", here.port())) as other:
            other.sendall(b"SELECT 1\r\nMULTI\r\nGET a:n\r\nEXEC\r\n")
            expected = b"+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$2\r\n15\r\n"
            assert read(other, len(expected)) == expected, "not on the one that is subscribed"
        assert host.own == 3


def test_reset_forgets_what_set_the_connection_up(here: Running) -> None:
    talk(
        here,
        ("SELECT 2\r\nSET a:k 2\r\nMULTI\r\nGET a:k\r\nEXEC", b"+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n2\r\n"),
        ("SELECT 0\r\nMULTI\r\nGET a:k\r\nEXEC", b"+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n"),
        ("SELECT 2\r\nGET a:k\r\nRESET\r\nGET a:k", b"+OK\r\n$1\r\n2\r\n+RESET\r\n$-1\r\n"),
        ("MULTI\r\nGET a:k\r\nEXEC", b"+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n"),
    )


def script(draw: random.Random) -> list[str]:
    """What a client may say whose transactions have keys of one server each."""
    said: list[str] = []

    def some(prefix: str) -> str:
        key = f"{prefix}:{draw.randrange(3)}"
        return draw.choice([f"SET {key} {draw.randrange(99)}", f"GET {key}", f"INCR {key}", f"APPEND {key} 1", f"LPUSH {key} x",
                            f"DEL {key}", "GET"])  # fmt: skip

    for _ in range(30):
        prefix = draw.choice("ab")
        match draw.randrange(8):
            case 0 | 1:
                if draw.randrange(2):
                    said += [f"WATCH {prefix}:1", *(some(draw.choice("ab")) for _ in range(draw.randrange(3)))]
                said += [
                    "MULTI",
                    f"GET {prefix}:0",
                    *(some(prefix) for _ in range(draw.randrange(4))),
                    draw.choice(["EXEC", "EXEC", "DISCARD"]),
                ]
            case 2:
                said.append(f"SELECT {draw.randrange(3)}")
            case 3:
                said += [f"RPUSH {prefix}:9 x", f"{draw.choice(['BLPOP', 'BRPOP'])} {prefix}:9 1"]
                said.append(draw.choice(["UNWATCH", "EXEC", "RESET", "DISCARD"]))
            case _:
                said += [some(draw.choice("ab")) for _ in range(draw.randrange(5))]
    return said


def test_two_servers_answer_as_one_does(servers: Any) -> None:
    """The same said to a server itself, and through the engine to it and another: the same answers, to the octet."""
    text = SPLIT.format(*servers.hosts)
    with running(text) as here:
        for seed in range(25):
            draw = random.Random(seed)
            said = [*script(draw), "SELECT 0", "ECHO end"]
            found = []
            for port in (servers.ports[0], here.port()):
                for each in servers.direct:
                    each.flushall()
                with socket.create_connection(("127.0.0.1", port)) as raw:
                    cut = random.Random(seed)
                    at = 0
                    while at < len(said):
                        until = at + cut.choice((1, 2, 5, 50))
                        raw.sendall("".join(f"{each}\r\n" for each in said[at:until]).encode())
                        at = until
                    found.append(read_to(raw, b"$3\r\nend\r\n"))
            assert found[0] == found[1], seed


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        (
            "- match: {{ operation: CLIENT REPLY }}\n  reply: {{ status: PERMISSION_DENIED, text: no }}\n",
            b"-NOPERM no\r\n",
        ),
        ("- match: {{ operation: CLIENT REPLY }}\n  cluster: a\n  rate_limit: {{ tokens: 1, every: 1h }}\n", None),
        ("", b"-ERR no route for CLIENT REPLY\r\n"),
    ],
    ids=["by a rule", "by a limit", "for want of a route"],
)
@pytest.mark.parametrize("quiet", ["OFF", "SKIP"])
def test_who_may_not_do_without_answers_gets_them(servers: Any, rules: str, error: bytes | None, quiet: str) -> None:
    """That it may not, too, as a server that does not let it (`ACL SETUSER … -client|reply`)."""
    text = TWO_OF_REDIS + rules + '- match: {{ resources: {{ prefix: "a:" }} }}\n  cluster: a\n'
    with running(text.format(*servers.hosts)) as here, socket.create_connection(("127.0.0.1", here.port())) as raw:
        if error is None:
            raw.sendall(b"CLIENT REPLY ON\r\n")
            assert read(raw, 5) == b"+OK\r\n"
            error = b"-OOM too many requests: CLIENT REPLY\r\n"
        said = b"SET a:k 1\r\nGET a:k\r\nCLIENT REPLY %s\r\nINCR a:k\r\n"
        expected = b"+OK\r\n$1\r\n1\r\n" + error + b":2\r\n"
        if rules:
            said += b"MULTI\r\nINCR a:k\r\nCLIENT REPLY %s\r\nEXEC\r\n"
            expected += b"+OK\r\n+QUEUED\r\n" + error + ABORTED
        for _ in range(2):
            raw.sendall(said.replace(b"%s", quiet.encode()))
            assert read(raw, len(expected)) == expected
        raw.sendall(said.split(b"INCR")[0].replace(b"%s", quiet.encode()) + b"*x\r\n")
        assert read(raw, 1000).endswith(error + b"-ERR Protocol error: invalid multibulk length\r\n")


def test_every_prefix_that_is_tracked_is_tracked_at_every_server(here: Running, servers: Any) -> None:
    """Also where the connection was made behind the second command; and those that were asked for before are not forgotten by it."""
    with socket.create_connection(("127.0.0.1", here.port())) as raw:
        raw.sendall(
            b"HELLO 3\r\nCLIENT TRACKING ON BCAST PREFIX b:one\r\nCLIENT TRACKING ON BCAST PREFIX b:two\r\nPING\r\n"
        )
        assert read_to(raw, b"+PONG\r\n").endswith(b"\r\n+OK\r\n+OK\r\n+PONG\r\n")
        raw.sendall(b"GET a:k\r\nGET b:k\r\n")
        assert read(raw, 6) == b"_\r\n_\r\n"
        for key in ("b:one:k", "b:other", "b:two:k"):
            servers.direct[1].set(key, "1")
        told = b"".join(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$7\r\nb:%s:k\r\n" % each for each in (b"one", b"two"))
        assert read(raw, len(told)) == told
        raw.sendall(b"CLIENT TRACKING OFF\r\nPING\r\n")
        assert read_to(raw, b"+PONG\r\n") == b"+OK\r\n+PONG\r\n"


def test_tracking_for_another_connection_is_refused(here: Running) -> None:
    """It would be told to nobody: ids are those of connections between here and servers."""
    refused = b"-ERR CLIENT TRACKING with REDIRECT does not work through a proxy, RESP3 needs none\r\n"
    talk(here, ("GET a:k", b"$-1\r\n"), ("CLIENT TRACKING on redirect 7", refused), ("GET a:k", b"$-1\r\n"))
