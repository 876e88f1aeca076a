"""What a router sees of DNS, with dnspython as the second opinion."""

import socket
import threading
from pathlib import Path

import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

import l7codecs
from l7codecs import Kind, Limits, Message, ProtocolError, Sender, Session, Status
from l7codecs.testing import Vector, load_vectors, replay

VECTORS = load_vectors(Path(__file__).parents[1] / "vectors")
BY_NAME = {vector.name: vector for vector in VECTORS}


def messages(vector: Vector) -> list[Message]:
    found = replay(l7codecs.open_session("dns"), vector, eof=True)
    assert not found.errors
    return [event for event in found.events if isinstance(event, Message)]


def framed(message: dns.message.Message) -> bytes:
    octets = message.to_wire()
    return len(octets).to_bytes(2) + octets


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_dnspython_reads_the_same(vector: Vector) -> None:
    for message in messages(vector):
        other = dns.message.from_wire(message.payload)
        assert message.request_id == other.id
        assert message.attributes["dns.opcode"] == dns.opcode.to_text(other.opcode())
        if other.question:
            name = other.question[0].name.to_text(omit_final_dot=True)
            assert message.resources == (name,)
            assert message.attributes["dns.question.name"] == name
            assert message.attributes["dns.qtype"] == dns.rdatatype.to_text(other.question[0].rdtype)
        if message.kind is Kind.RESPONSE:
            assert message.attributes["dns.rcode"] == dns.rcode.to_text(other.rcode())
            assert message.request is not None
            assert message.request.request_id == other.id


def test_outcomes() -> None:
    assert [(m.operation, m.resources, m.status, m.error) for m in messages(BY_NAME["no-such-name"])] == [
        ("AAAA", ("nobody.example",), None, None),
        ("AAAA", ("nobody.example",), Status.NOT_FOUND, "NXDOMAIN"),
    ]
    assert messages(BY_NAME["refused"])[1].status is Status.PERMISSION_DENIED
    assert [m.operation for m in messages(BY_NAME["notify"])] == ["NOTIFY", "NOTIFY"]


def test_answers_come_in_any_order() -> None:
    slow, fast, first, second = messages(BY_NAME["out-of-order"])
    assert first.request is fast
    assert second.request is slow


def test_every_part_of_a_transfer_answers_its_query() -> None:
    transfer, other, *answers = messages(BY_NAME["transfer-in-parts"])
    assert [answer.request for answer in answers] == [transfer, other, transfer, transfer]
    assert [answer.operation for answer in answers] == ["AXFR", "A", "AXFR", "AXFR"]
    session = l7codecs.open_session("dns")
    replay(session, BY_NAME["transfer-in-parts"])
    assert session.pending == 0


def test_an_answer_to_nothing() -> None:
    session = l7codecs.open_session("dns")
    (answer,) = session.receive(Sender.SERVER, BY_NAME["answer"].octets(Sender.SERVER))
    assert isinstance(answer, Message)
    assert answer.request is None


def test_no_question() -> None:
    status = dns.message.Message(id=40)
    status.set_opcode(dns.opcode.STATUS)
    session = l7codecs.open_session("dns")
    (message,) = session.receive(Sender.CLIENT, framed(status))
    assert isinstance(message, Message)
    assert (message.operation, message.resources) == ("STATUS", ())


@pytest.mark.parametrize("cut", range(1, 44))
def test_a_bad_label_is_told_with_its_offset(cut: int) -> None:
    good = BY_NAME["answer"].octets(Sender.CLIENT)
    octets = good + good[:14] + b"\x40" + good[15:]
    session = l7codecs.open_session("dns")
    events = list(session.receive(Sender.CLIENT, octets[:cut]))
    with pytest.raises(ProtocolError) as caught:
        events.extend(session.receive(Sender.CLIENT, octets[cut:]))
    assert [event.raw for event in events] == [good]
    assert caught.value.offset == len(good) + 14
    assert caught.value.seen == "a label of size 0x40"


def test_too_short_for_a_header() -> None:
    session = l7codecs.open_session("dns")
    with pytest.raises(ProtocolError, match="at octet 0: saw a frame of 13 octets"):
        list(session.receive(Sender.CLIENT, b"\0\x0b" + bytes(12)))


def test_a_head_is_never_shorter_than_the_header() -> None:
    session = l7codecs.open_session("dns", limits=Limits(head=4, message=8))
    head, _ = session.receive(Sender.CLIENT, BY_NAME["answer"].octets(Sender.CLIENT))
    assert isinstance(head, Message)
    assert (len(head.raw), head.request_id, head.resources) == (14, 1, ())


def test_a_head_that_cuts_the_question() -> None:
    octets = BY_NAME["answer"].octets(Sender.CLIENT)
    session = l7codecs.open_session("dns", limits=Limits(head=16, message=16))
    head, data = session.receive(Sender.CLIENT, octets)
    assert isinstance(head, Message)
    assert (head.more, head.size, head.resources, head.request_id) == (True, len(octets), (), 1)
    assert head.raw + data.raw == octets


def test_detection() -> None:
    octets = BY_NAME["answer"].octets(Sender.CLIENT)
    assert l7codecs.detect(octets)[0].protocol == "dns"
    for other in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/1.1\r\n", b"*1\r\n$4\r\nPING\r\n"):
        assert "dns" not in [item.protocol for item in l7codecs.detect(other)]
    session = l7codecs.open_session("auto")
    (message,) = session.receive(Sender.CLIENT, octets)
    assert session.protocol == "dns"
    assert isinstance(message, Message)


def test_after_lost_octets() -> None:
    vector = BY_NAME["pipelined"]
    first, second, third = [octets for who, octets in vector.pieces if who is Sender.CLIENT]
    session = l7codecs.open_session("dns")
    events = list(session.receive(Sender.CLIENT, first + second[:5]))
    events += session.gap(Sender.CLIENT, 7)
    events += session.receive(Sender.CLIENT, second[12:] + third)
    assert [event.raw for event in events if isinstance(event, Message)] == [first, third]
    assert b"".join(event.raw for event in events) == first + second[:5] + second[12:] + third


def test_dnspython_understands_our_errors() -> None:
    """A server that refuses everything, and a real client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener, 2), daemon=True)
        thread.start()
        for kind in ("A", "TXT"):
            query = dns.message.make_query("www.example.", kind)
            answer = dns.query.tcp(query, "127.0.0.1", port=listener.getsockname()[1], timeout=10)
            assert answer.rcode() == dns.rcode.REFUSED
            assert answer.question == query.question
        thread.join(10)


def refuse(listener: socket.socket, count: int) -> None:
    for _ in range(count):
        connection = listener.accept()[0]
        with connection:
            session: Session = l7codecs.open_session("dns", endpoint=Sender.SERVER)
            while octets := connection.recv(4096):
                for event in session.receive(Sender.CLIENT, octets):
                    assert isinstance(event, Message)
                    connection.sendall(session.reply_error(event, Status.PERMISSION_DENIED, "not today"))
                assert session.pending == 0


def asked(session: Session, octets: bytes) -> list[Message]:
    return [event for event in session.receive(Sender.CLIENT, octets) if isinstance(event, Message)]


def test_clients_that_use_one_id_share_a_connection() -> None:
    up = l7codecs.open_session("dns", endpoint=Sender.CLIENT)
    clients = [l7codecs.open_session("dns", endpoint=Sender.SERVER) for _ in range(3)]
    sent = b""
    for number, client in enumerate(clients):
        query = dns.message.make_query(f"host{number}.example", "A", id=7)
        (request,) = asked(client, framed(query))
        sent += up.send(request)
    queries, at = [], 0
    while at < len(sent):
        size = int.from_bytes(sent[at : at + 2])
        queries.append(dns.message.from_wire(sent[at + 2 : at + 2 + size]))
        at += 2 + size
    assert len({query.id for query in queries}) == 3
    flows = {client.flow: number for number, client in enumerate(clients)}
    answers = b"".join(framed(dns.message.make_response(query)) for query in reversed(queries))
    for event in up.receive(Sender.SERVER, answers):
        assert isinstance(event, Message) and event.request is not None
        number = flows[event.request.connection]
        answer = dns.message.from_wire(clients[number].send(event)[2:])
        assert answer.id == 7 and answer.question[0].name.to_text() == f"host{number}.example."
    assert up.pending == 0 and not any(client.pending for client in clients)


def test_a_transfer_in_parts_passes_through_a_proxy() -> None:
    vector = BY_NAME["transfer-in-parts"]
    down, up = (
        l7codecs.open_session("dns", endpoint=Sender.SERVER),
        l7codecs.open_session("dns", endpoint=Sender.CLIENT),
    )
    said = {sender: b"".join(octets for who, octets in vector.pieces if who is sender) for sender in Sender}
    stranger = l7codecs.open_session("dns", endpoint=Sender.SERVER)
    first = asked(stranger, framed(dns.message.make_query("x.example", "A", id=1)))
    assert b"".join(up.send(event) for event in first)
    sent = b"".join(up.send(event) for event in down.receive(Sender.CLIENT, said[Sender.CLIENT]))
    ids = {}
    for octets in (sent, said[Sender.CLIENT]):
        at, found = 0, []
        while at < len(octets):
            found.append(octets[at + 2 : at + 4])
            at += 2 + int.from_bytes(octets[at : at + 2])
        ids[octets] = found
    given = dict(zip(ids[said[Sender.CLIENT]], ids[sent], strict=True))
    answers, at, octets = b"", 0, said[Sender.SERVER]
    while at < len(octets):
        size = 2 + int.from_bytes(octets[at : at + 2])
        answers += octets[at : at + 2] + given[octets[at + 2 : at + 4]] + octets[at + 4 : at + size]
        at += size
    assert given and all(own != new for own, new in given.items())
    assert b"".join(down.send(event) for event in up.receive(Sender.SERVER, answers)) == said[Sender.SERVER]
    assert down.pending == 0 and up.pending == 1
