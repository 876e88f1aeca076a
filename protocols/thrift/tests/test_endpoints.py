"""Proxies: several clients on one connection to a server, and one-way calls that are written as calls."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable
from struct import pack

import pytest

import l7codecs
from l7codecs import Data, Kind, LimitExceeded, Limits, Message, Sender, Status
from l7codecs.session import Session

C, S = Sender.CLIENT, Sender.SERVER
CALL, REPLY, EXCEPTION, ONEWAY = 1, 2, 3, 4


def octets(name: str, kind: int, seqid: int, transport: str = "framed") -> bytes:
    if transport == "compact":
        return bytes([0x82, kind << 5 | 1, seqid, len(name)]) + name.encode() + b"\0"
    if transport == "json":
        return f'[1,"{name}",{kind},{seqid},{{}}]'.encode()
    message = b"\x80\x01\x00" + bytes([kind]) + pack(">i", len(name)) + name.encode() + pack(">i", seqid) + b"\0"
    if transport == "header":
        message = b"\x0f\xff\0\0" + pack(">iH", seqid, 1) + bytes(4) + message
    return message if transport == "unframed" else pack(">i", len(message)) + message


class Proxy:
    """Clients that share a connection to a server, which answers as it is told."""

    def __init__(self, clients: int = 2, limits: Limits | None = None) -> None:
        self.clients = [
            l7codecs.open_session("thrift", endpoint=S, limits=limits or Limits()) for _each in range(clients)
        ]
        self.upstream = l7codecs.open_session("thrift", endpoint=C, limits=limits or Limits())
        self.server = l7codecs.open_session("thrift", limits=limits or Limits())
        self.to_client: list[bytes] = [b""] * clients
        self.asked: list[Message] = []

    def ask(self, client: int, said: bytes) -> list[Message]:
        """What the server receives of it."""
        found: list[Message] = []
        for event in self.clients[client].receive(C, said):
            self.asked += [event] if isinstance(event, Message) else []
            found += [each for each in self.server.receive(C, self.upstream.send(event)) if isinstance(each, Message)]
        return found

    def answer(self, said: bytes) -> None:
        for event in self.upstream.receive(S, said):
            assert isinstance(event, Message)
            for number, client in enumerate(self.clients):
                if event.request is not None and event.request.connection is client.flow:
                    self.to_client[number] += client.send(event)


def number_of(message: Message) -> int:
    number = message.request_id
    assert isinstance(number, int)
    return number


def test_clients_that_count_alike_share_a_connection() -> None:
    for transport in ("framed", "unframed", "compact", "json", "header"):
        for own in (0, 7):
            proxy = Proxy()
            asked = [proxy.ask(turn % 2, octets("a", CALL, own, transport))[0] for turn in range(6)]
            assert len({number_of(each) for each in asked}) == 6
            for each in (asked[1], asked[0], *asked[2:]):
                proxy.answer(octets("a", REPLY, number_of(each), transport))
            assert proxy.to_client == [octets("a", REPLY, own, transport) * 3] * 2
            assert proxy.upstream.pending == 0 and proxy.upstream.unanswered() == []


def test_answers_to_one_standing_id_are_written_in_the_order_of_the_calls() -> None:
    """Python, C++ and thriftpy2 write 0 for ever, and know answers by their order alone."""
    for own in (0, 7):
        proxy = Proxy()
        names = ["a", "b", "a", "c"]
        asked = [proxy.ask(0, octets(name, CALL, own))[0] for name in names]
        (other,) = proxy.ask(1, octets("d", CALL, own))
        for index in (3, 1):
            proxy.answer(octets(names[index], REPLY, number_of(asked[index])))
        assert proxy.to_client == [b"", b""]
        proxy.answer(octets("d", REPLY, number_of(other)))
        proxy.answer(octets("a", REPLY, number_of(asked[0])))
        assert proxy.to_client == [octets("a", REPLY, own) + octets("b", REPLY, own), octets("d", REPLY, own)]
        proxy.answer(octets("a", REPLY, number_of(asked[2])))
        assert proxy.to_client[0] == b"".join(octets(name, REPLY, own) for name in names)
        assert proxy.clients[0].unanswered() == proxy.upstream.unanswered() == []


def test_the_answer_to_a_renamed_call_has_the_name_that_its_client_called() -> None:
    """Clients of Go and C++ take no answer of another method ("wrong method name"), and do not go on behind one."""
    renamed = l7codecs.Changes({"thrift.method": "other", "thrift.service": "Svc"})
    for transport in ("framed", "unframed", "compact", "json", "header"):
        for kind in (REPLY, EXCEPTION):
            proxy = Proxy(1)
            for name in ("first", "Shop:b", "other"):
                (call,) = proxy.clients[0].receive(C, octets(name, CALL, 7, transport))
                (asked,) = proxy.server.receive(C, proxy.upstream.send(call, renamed))
                assert isinstance(asked, Message) and (asked.service, asked.operation) == ("Svc", "other")
                proxy.answer(octets("other", kind, 7, transport))
            assert proxy.to_client == [b"".join(octets(name, kind, 7, transport) for name in ("first", "b", "other"))]


def test_an_answer_can_have_another_name_and_no_service() -> None:
    client = l7codecs.open_session("thrift")
    list(client.receive(C, octets("Shop:a", CALL, 7)))
    (answer,) = client.receive(S, octets("a", REPLY, 7))
    assert client.send(answer, l7codecs.Changes({"thrift.method": "other"})) == octets("other", REPLY, 7)
    with pytest.raises(l7codecs.Unsupported, match="service"):
        client.send(answer, l7codecs.Changes({"thrift.service": "Shop"}))


def test_servers_that_write_ids_of_their_own_answer_in_order() -> None:
    """One of Finagle 22.7 answers each call with the same id, whatever it was asked with."""
    proxy = Proxy()
    proxy.ask(0, octets("a", CALL, 5) + octets("b", CALL, 6))
    proxy.ask(1, octets("a", CALL, 5))
    for name in ("a", "b", "a"):
        proxy.answer(octets(name, REPLY, 77))
    assert proxy.to_client == [octets("a", REPLY, 5) + octets("b", REPLY, 6), octets("a", REPLY, 5)]
    assert proxy.upstream.pending == 0 and proxy.clients[0].unanswered() == proxy.clients[1].unanswered() == []


def test_a_server_that_repeats_ids_is_not_believed_to_write_its_own() -> None:
    proxy = Proxy(1)
    (call,) = proxy.ask(0, octets("a", CALL, 5))
    proxy.answer(octets("a", REPLY, number_of(call)))
    proxy.ask(0, octets("a", CALL, 6))
    (stray,) = proxy.upstream.receive(S, octets("a", REPLY, 77))
    assert isinstance(stray, Message) and stray.request is None and len(proxy.upstream.unanswered()) == 1


def test_what_is_answered_here_keeps_the_order_of_a_standing_id() -> None:
    proxy = Proxy(1)
    first, second = list(proxy.clients[0].receive(C, octets("a", CALL, 0) + octets("b", CALL, 0)))
    assert isinstance(first, Message) and isinstance(second, Message)
    assert proxy.clients[0].reply_error(second, Status.UNAVAILABLE, "gone") == b""
    (sent,) = proxy.server.receive(C, proxy.upstream.send(first))
    assert isinstance(sent, Message)
    (answer,) = proxy.upstream.receive(S, octets("a", REPLY, number_of(sent)))
    written = proxy.clients[0].send(answer)
    assert written.startswith(octets("a", REPLY, 0)) and b"gone" in written
    assert proxy.clients[0].unanswered() == []


def test_a_client_alone_is_passed_on_to_the_octet() -> None:
    proxy = Proxy(1)
    for number in (0, 0, -5, 9):
        said = octets("a", CALL, number)
        (message,) = proxy.ask(0, said)
        assert message.raw == said
        proxy.answer(octets("a", REPLY, number))
    assert proxy.to_client == [b"".join(octets("a", REPLY, number) for number in (0, 0, -5, 9))]


def test_an_answer_to_a_call_that_was_forgotten_answers_no_other() -> None:
    """Past the limit nobody knows whose a server's own id is: the call's that was forgotten, or another's of its name."""
    proxy = Proxy(1, Limits(pending=2))
    proxy.ask(0, octets("a", CALL, 5))
    for number in range(6, 10):
        proxy.ask(0, octets("b", CALL, number))
    (last,) = proxy.ask(0, octets("a", CALL, 10))
    proxy.answer(octets("a", REPLY, 5))
    assert proxy.to_client == [b""] and proxy.asked[-1] in proxy.upstream.unanswered()
    proxy.answer(octets("a", REPLY, number_of(last)))
    assert proxy.to_client == [octets("a", REPLY, 10)]


def test_one_way_calls_that_are_written_as_calls_do_not_fill_an_endpoint() -> None:
    proxy = Proxy(2, Limits(pending=20))
    for number in range(1, 401, 2):
        proxy.ask(0, octets("fire", CALL, number))
        (call,) = proxy.ask(0, octets("a", CALL, number + 1))
        proxy.answer(octets("a", REPLY, number_of(call)))
        for session in (proxy.upstream, proxy.clients[0]):
            assert len(session.unanswered()) <= 1 and not session.full
    assert proxy.to_client[0] == b"".join(octets("a", REPLY, number + 1) for number in range(1, 401, 2))
    list(proxy.upstream.eof(S))
    assert proxy.upstream.abandoned() == []


def test_what_was_overtaken_can_still_be_answered() -> None:
    proxy = Proxy(1)
    calls = [proxy.ask(0, octets("a", CALL, number))[0] for number in (1, 2, 3)]
    for index in (2, 0, 1):
        proxy.answer(octets("a", REPLY, number_of(calls[index])))
    assert proxy.to_client[0] == b"".join(octets("a", REPLY, number) for number in (3, 1, 2))


def test_what_a_server_leaves_is_answered_here() -> None:
    """thriftpy2 closes the connection in place of an answer."""
    proxy = Proxy()
    proxy.ask(0, octets("a", CALL, 5) + octets("fire", ONEWAY, 6))
    proxy.ask(1, octets("b", CALL, 5))
    list(proxy.upstream.eof(S))
    left = proxy.upstream.abandoned()
    assert [each.operation for each in left] == ["a", "b"] and all(each.kind is Kind.REQUEST for each in left)
    for request, client in zip(left, proxy.clients, strict=True):
        observer: Session = l7codecs.open_session("thrift")
        list(observer.receive(C, request.raw))
        (answer,) = observer.receive(S, client.reply_error(request, Status.UNAVAILABLE, "the server has gone"))
        assert isinstance(answer, Message)
        assert (answer.request_id, answer.error, answer.operation) == (5, "INTERNAL_ERROR", request.operation)


def test_calls_that_are_never_answered_do_not_fill_an_endpoint() -> None:
    """A server that gets one-way calls alone, which Go writes as calls, says nothing: what waits is bounded all the same."""
    proxy = Proxy(2, Limits(pending=20))
    for number in range(1, 401):
        proxy.ask(number % 2, octets("fire", CALL, number))
        for session in (proxy.upstream, *proxy.clients):
            assert len(session.unanswered()) <= 20 and not session.full
    calls = [proxy.ask(0, octets("a", CALL, 1000))[0], proxy.ask(1, octets("a", CALL, 1000))[0]]
    for each in reversed(calls):
        proxy.answer(octets("a", REPLY, number_of(each)))
    assert proxy.to_client == [octets("a", REPLY, 1000)] * 2


def test_what_waits_beyond_what_counts_is_answered_or_abandoned() -> None:
    proxy = Proxy(1, Limits(pending=4, waiting=1000))
    calls = [proxy.ask(0, octets("a", CALL, number))[0] for number in range(8)]
    proxy.answer(octets("a", REPLY, number_of(calls[1])))
    assert proxy.to_client == [octets("a", REPLY, 1)]
    list(proxy.upstream.eof(S))
    assert [each.request_id for each in proxy.upstream.abandoned()] == [0, 2, 3, 4, 5, 6, 7]
    assert proxy.upstream.abandoned() == []
    for each in (proxy.asked[0], *proxy.asked[2:]):
        assert proxy.clients[0].reply_error(each, Status.UNAVAILABLE, "gone")


def test_octets_of_what_is_never_answered_are_bounded() -> None:
    proxy = Proxy(1, Limits(waiting=1000))
    for number in range(1, 100):
        proxy.ask(0, octets("f" * 300, CALL, number))
    list(proxy.upstream.eof(S))
    assert 3 <= len(proxy.upstream.abandoned()) <= 6


LARGE = b"\x0b\0\1" + pack(">i", 4_000_000) + bytes(4_000_000) + b"\0"


def large(name: str, kind: int, seqid: int) -> bytes:
    """A message of more octets than ``limits.message``."""
    return octets(name, kind, seqid, "unframed")[:-1] + LARGE


def in_header(message: bytes, kind: int, seqid: int, times: int = 1) -> bytes:
    for _each in range(times):
        message = zlib.compress(message)
    said = bytes([0, times, *[1] * times])
    said += bytes(-len(said) % 4)
    said = b"\x0f\xff\0\0" + pack(">iH", seqid, len(said) // 4) + said + message
    return pack(">i", len(said)) + said


def in_http(message: bytes, kind: int, seqid: int) -> bytes:
    packed = gzip.compress(message)
    first = b"POST / HTTP/1.1" if kind == CALL else b"HTTP/1.1 200 OK"
    return first + b"\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed


def out_of_header(said: bytes) -> bytes:
    message = said[18:] if said[15] == 1 else zlib.decompress(said[18:])
    return zlib.decompress(message)


def out_of_http(said: bytes) -> bytes:
    return gzip.decompress(said.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("wrapped", "unwrapped"),
    [
        (in_header, out_of_header),
        (lambda message, kind, seqid: in_header(message, kind, seqid, 2), out_of_header),
        (in_http, out_of_http),
    ],
    ids=["header", "header twice", "http"],
)
def test_clients_share_a_connection_whatever_their_messages_inflate_to(
    wrapped: Callable[[bytes, int, int], bytes], unwrapped: Callable[[bytes], bytes]
) -> None:
    """Calls and answers of one id that inflate to four times ``limits.message``: the server's truth is what is inside."""
    proxy = Proxy(2)
    call = wrapped(large("a", CALL, 7), CALL, 7)
    (first,) = proxy.ask(0, call)
    assert first.raw == call
    tracemalloc.start()
    try:
        (second,) = proxy.ask(1, call)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000  # three messages hold what is inflated up to the limit
    finally:
        tracemalloc.stop()
    assert number_of(first) == 7 != number_of(second)
    assert unwrapped(second.raw) == large("a", CALL, number_of(second))
    for each in (second, first):
        proxy.answer(wrapped(large("a", REPLY, number_of(each)), REPLY, number_of(each)))
    for said in proxy.to_client:
        assert unwrapped(said) == large("a", REPLY, 7)
    assert proxy.upstream.pending == 0


def test_clients_share_a_stream_of_zlib_whatever_it_inflates_to() -> None:
    proxy = Proxy(2)
    found: list[bytes] = []
    machine = zlib.decompressobj()
    plain = b""
    for client in range(2):
        packer = zlib.compressobj()
        message = large("a", CALL, 7)
        said = packer.compress(pack(">i", len(message)) + message) + packer.flush(zlib.Z_SYNC_FLUSH)
        for event in proxy.clients[client].receive(C, said):
            plain += machine.decompress(proxy.upstream.send(event))
    size = len(large("a", CALL, 7)) + 4
    found = [plain[4:size], plain[size + 4 :]]
    assert found[0] == large("a", CALL, 7)
    number = int.from_bytes(found[1][9:13], "big")
    assert number != 7 and found[1] == large("a", CALL, number)


NOISE = random.Random(5).randbytes(3_000_000)


def noisy(name: str, kind: int, seqid: int) -> bytes:
    """A message that is larger than ``limits.message`` also once it is compressed."""
    return octets(name, kind, seqid, "unframed")[:-1] + b"\x0b\0\1" + pack(">i", len(NOISE)) + NOISE + b"\0"


class Streams:
    """Two clients of one server whose messages come in reads: what was written, and what the sessions make of it."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.clients = [l7codecs.open_session("thrift", endpoint=S, limits=limits or Limits()) for _each in range(2)]
        self.upstream = l7codecs.open_session("thrift", endpoint=C, limits=limits or Limits())
        self.heads: list[Message] = []
        self.answers: list[Message] = []

    def ask(self, client: int, said: bytes, changes: l7codecs.Changes | None = None) -> bytes:
        """What is written to the server."""
        written = b""
        for at in range(0, len(said), 65536):
            for event in self.clients[client].receive(C, said[at : at + 65536]):
                if isinstance(event, Message):
                    self.heads.append(event)
                    written += self.upstream.send(event, changes)
                else:
                    written += self.upstream.send(event)
        return written + self.upstream.pending_output()

    def answer(self, said: bytes) -> list[bytes]:
        """What is written to each client."""
        written = [b"", b""]
        for at in range(0, len(said), 65536):
            for event in self.upstream.receive(S, said[at : at + 65536]):
                head = event.message if isinstance(event, Data) else event
                assert isinstance(head, Message) and head.request is not None
                self.answers += [head] if head is event else []
                number = [each.flow for each in self.clients].index(head.request.connection)
                written[number] += self.clients[number].send(event)
        return written


@pytest.mark.parametrize(("wrapped", "unwrapped"), [(in_header, out_of_header), (in_http, out_of_http)])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_clients_share_a_connection_whatever_streams(
    wrapped: Callable[[bytes, int, int], bytes], unwrapped: Callable[[bytes], bytes], order: tuple[int, int]
) -> None:
    """Compressed calls and answers that come in pieces, and get another id once the last of them has come."""
    proxy = Streams()
    call = wrapped(noisy("a", CALL, 7), CALL, 7)
    asked = [proxy.ask(client, call) for client in range(2)]
    assert asked[0] == call and all(head.more for head in proxy.heads)
    numbers = [int.from_bytes(unwrapped(each)[9:13], "big") for each in asked]
    assert numbers[0] == 7 != numbers[1] and unwrapped(asked[1]) == noisy("a", CALL, numbers[1])
    assert proxy.upstream.queued == 0 and len(proxy.upstream.unanswered()) == 2
    for client in order:
        written = proxy.answer(wrapped(noisy("a", REPLY, numbers[client]), REPLY, numbers[client]))
        assert unwrapped(written[client]) == noisy("a", REPLY, 7) and written[1 - client] == b""
    assert proxy.upstream.pending == 0 and [each.queued for each in proxy.clients] == [0, 0]
    assert [head.request for head in proxy.answers] == [proxy.heads[client] for client in order]


def test_what_waits_for_its_end_can_be_given_up() -> None:
    proxy = Streams()
    call = in_header(noisy("a", CALL, 7), CALL, 7)
    proxy.ask(0, call)
    assert proxy.ask(1, call[:2_000_000]) == b"" and proxy.upstream.queued > 1_000_000
    assert proxy.upstream.unanswered() == proxy.heads
    assert proxy.upstream.cancel(proxy.heads[1]) == b"" and proxy.upstream.queued == 0
    assert proxy.ask(1, call[2_000_000:]) == b"" and proxy.upstream.unanswered() == proxy.heads[:1]


def test_what_waits_for_its_end_is_bounded() -> None:
    proxy = Streams(Limits(queued=100_000))
    call = in_header(noisy("a", CALL, 7), CALL, 7)
    proxy.ask(0, call)
    with pytest.raises(LimitExceeded, match=r"limits\.queued"):
        proxy.ask(1, call)
    assert proxy.upstream.queued <= 800_000
    assert b"too large" in proxy.clients[1].reply_error(proxy.heads[1], Status.RESOURCE_EXHAUSTED, "too large")


def test_headers_of_what_streams_are_changed_with_its_id() -> None:
    proxy = Streams()
    call = in_header(noisy("a", CALL, 7), CALL, 7)
    changes = l7codecs.Changes(set_headers={"tenant": "x"})
    first, second = [proxy.ask(client, call, changes) for client in range(2)]
    observer = l7codecs.open_session("thrift", limits=Limits(message=2**23))
    found = [each for each in observer.receive(C, first + second) if isinstance(each, Message)]
    assert [each.headers.get("tenant") for each in found] == ["x", "x"]
    assert number_of(found[0]) == 7 != number_of(found[1])
    assert [each.structure() for each in found] == [{1: NOISE}] * 2
