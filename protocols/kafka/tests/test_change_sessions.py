"""Changes on their way through two sessions, as a proxy has them: headers, sizes, numbers, large messages, many clients."""

from __future__ import annotations

import random
import time

import pytest

import l7codecs
from l7codecs import Changes, Kind, LimitExceeded, Limits, Message, ProtocolError, Sender, Session, Status, Unsupported
from l7codecs.message import AttrValue
from l7codecs.testing import growth
from l7codecs_kafka import KafkaChanges, Names, Nodes
from l7codecs_kafka._change.streams import StreamedFetch
from l7codecs_kafka._schema.layouts import Value
from l7codecs_kafka._schema.values import encode

from .frames import Body, answer, ask, framed, of, read_answer, read_request

C, S = Sender.CLIENT, Sender.SERVER
PREFIXED = Names.prefixed("tenant-a.")
TENANT = KafkaChanges(topics=PREFIXED, groups=PREFIXED, transactional_ids=PREFIXED)
BROKERS = KafkaChanges(nodes=Nodes.mapped({1: (101, "proxy", 9101), 2: (102, "proxy", 9102)}))


def client(**limits: int) -> Session:
    """The session of a proxy to a client."""
    return l7codecs.open_session("kafka", endpoint=S, limits=Limits(**limits))


def server(**limits: int) -> Session:
    """The session of a proxy to a server."""
    return l7codecs.open_session("kafka", endpoint=C, limits=Limits(**limits))


def through(
    receiver: Session, sender: Sender, sends: Session, octets: bytes, changes: Changes | None, size: int = 65536
) -> bytes:
    """What is written for `octets`, which come in reads of `size`."""
    written = b""
    for at in range(0, len(octets), size):
        for event in receiver.receive(sender, octets[at : at + size]):
            written += sends.send(event, changes if isinstance(event, Message) else None)
    return written


def first(session: Session, sender: Sender, octets: bytes) -> Message:
    event = next(session.receive(sender, octets))
    assert isinstance(event, Message)
    return event


# Headers.


@pytest.mark.parametrize(("key", "version"), [(3, 9), (3, 8), (18, 3), (17, 1), (12, 4), (1, 12)])
@pytest.mark.parametrize("old", [None, "", "producer-1", "x" * 200])
@pytest.mark.parametrize("new", ["", "tenant-a/producer-1", "ü" * 100])
def test_client_ids(key: int, version: int, old: str | None, new: str) -> None:
    value: Body = {"ClientSoftwareName": "n", "ClientSoftwareVersion": "1"} if key == 18 else {}
    tags = b"\1\x4d\2hi"
    request = ask(key, version, -7, value, old, tags)
    down, up = client(), server()
    octets = up.send(first(down, C, request), Changes({"messaging.client.id": new}))
    assert octets == ask(key, version, -7, value, new, tags)
    assert up.unanswered() == [down.unanswered()[0]]


def test_client_id_and_names_at_once() -> None:
    changes = KafkaChanges({"messaging.client.id": "other"}, topics=PREFIXED)
    request = ask(3, 9, 5, {"Topics": [{"Name": "one"}]}, "me", b"\1\x4d\2hi")
    octets = server().send(first(client(), C, request), changes)
    assert octets == ask(3, 9, 5, {"Topics": [{"Name": "tenant-a.one"}]}, "other", b"\1\x4d\2hi")


def test_correlation_ids() -> None:
    """The server sees the number that is given, and the client its own again."""
    down, up = client(), server()
    octets = up.send(first(down, C, ask(12, 4, 5, {})), Changes({"kafka.correlation_id": -(2**31)}))
    assert octets == ask(12, 4, -(2**31), {})
    told = first(up, S, answer(12, 4, -(2**31), {}))
    assert told.request is not None and told.request.request_id == 5
    assert down.send(told) == answer(12, 4, 5, {})


def test_correlation_ids_with_names() -> None:
    down, up = client(), server()
    changes = KafkaChanges({"kafka.correlation_id": 99}, topics=PREFIXED)
    up.send(first(down, C, ask(3, 9, 5, {"Topics": [{"Name": "one"}]})), changes)
    told = first(up, S, answer(3, 9, 99, {"Topics": [{"Name": "tenant-a.one"}]}))
    assert down.send(told, TENANT) == answer(3, 9, 5, {"Topics": [{"Name": "one"}]})


def test_topics_by_attribute() -> None:
    value: Body = {"Topics": [{"Name": "a"}, {"Name": "b"}, {"Name": "a"}]}
    request = first(client(), C, ask(3, 9, 5, value))
    assert request.attributes["kafka.topics"] == ("a", "b")
    octets = server().send(request, Changes({"kafka.topics": ("longer-than-a", "b2")}))
    assert octets == ask(3, 9, 5, {"Topics": [{"Name": "longer-than-a"}, {"Name": "b2"}, {"Name": "longer-than-a"}]})


@pytest.mark.parametrize(
    ("attributes", "error", "match"),
    [
        ({"messaging.destination.name": "x"}, Unsupported, "cannot change messaging.destination.name"),
        ({"messaging.client.id": 5}, Unsupported, "text"),
        ({"messaging.client.id": "x" * 40_000}, ValueError, "room"),
        ({"kafka.correlation_id": "5"}, Unsupported, "number"),
        ({"kafka.correlation_id": 2**31}, ValueError, "32 bits"),
        ({"kafka.topics": ("a", "b", "c")}, Unsupported, "1 topics"),
        ({"kafka.topics": (1,)}, Unsupported, "texts"),
        ({"kafka.topics": ("x" * 40_000,)}, ValueError, "at most"),
    ],
)
def test_what_cannot_be_said(attributes: dict[str, AttrValue], error: type[Exception], match: str) -> None:
    """It leaves the session as it was."""
    down, up = client(), server()
    request = first(down, C, ask(3, 9, 5, {"Topics": [{"Name": "one"}]}))
    with pytest.raises(error, match=match):
        up.send(request, Changes(attributes))
    assert up.unanswered() == [] and up.queued == 0
    assert up.send(request) == request.raw


def test_headers_are_none_of_kafkas() -> None:
    request = first(client(), C, ask(3, 9, 5, {}))
    for changes in (Changes(set_headers={"a": "b"}), Changes(remove_headers=["a"])):
        with pytest.raises(Unsupported, match="headers"):
            server().send(request, changes)


def test_topics_by_id_are_not_renamed() -> None:
    request = first(client(), C, ask(0, 13, 5, {"Acks": 1, "TopicData": [{"TopicId": bytes(range(16))}]}))
    with pytest.raises(Unsupported, match="by their ids"):
        server().send(request, Changes({"kafka.topics": ("x",)}))
    assert server().send(request, TENANT) == request.raw


def test_what_is_not_known_is_refused() -> None:
    """Names in a version that nobody here can read would go on as they are."""
    newer = framed(b"\0\3\0\x63\0\0\0\7\0\2me\0" + b"\2\4one\0")
    unknown = framed(b"\x03\xe7\0\0\0\0\0\7\0\2me")
    for octets in (newer, unknown):
        request = first(client(), C, octets)
        with pytest.raises(Unsupported, match="not known"):
            server().send(request, TENANT)
        assert server().send(request) == octets
    broken = first(client(), C, ask(3, 9, 5, b"\xff"))
    with pytest.raises(Unsupported, match="cannot be read"):
        server().send(broken, TENANT)


def test_tokens_have_no_names() -> None:
    down, up = client(), server()
    octets = through(down, C, up, ask(17, 0, 1, {"Mechanism": "PLAIN"}), TENANT)
    octets += through(up, S, down, answer(17, 0, 1, {}), TENANT)
    token = framed(b"\0alice\0secret")
    event = first(down, C, token)
    with pytest.raises(Unsupported, match="token"):
        up.send(event, Changes({"messaging.client.id": "x"}))
    assert up.send(event, TENANT) == token
    assert through(up, S, down, framed(b""), TENANT) == framed(b"")


# There and back, and every octet otherwise.


def test_metadata_there_and_back() -> None:
    down, up = client(), server()
    changes = KafkaChanges(topics=PREFIXED, nodes=BROKERS.nodes)
    assert through(down, C, up, ask(3, 12, 5, {"Topics": [{"Name": "one"}]}), changes) == ask(
        3, 12, 5, {"Topics": [{"Name": "tenant-a.one"}]}
    )
    partition: Body = {"LeaderId": 2, "ReplicaNodes": [2, 1], "IsrNodes": [2], "OfflineReplicas": [1]}
    said: Body = {
        "Brokers": [
            {"NodeId": 1, "Host": "kafka-1", "Port": 9092},
            {"NodeId": 2, "Host": "kafka-2", "Port": 9092, "Rack": "r"},
        ],
        "ClusterId": "c",
        "ControllerId": 1,
        "Topics": [
            {"Name": "tenant-b.one"},
            {"Name": "tenant-a.one", "TopicId": bytes(range(16)), "Partitions": [partition]},
        ],
    }
    octets = through(up, S, down, answer(3, 12, 5, said, b"\1\x4d\2hi"), changes)
    told: Body = {
        "Brokers": [
            {"NodeId": 101, "Host": "proxy", "Port": 9101},
            {"NodeId": 102, "Host": "proxy", "Port": 9102, "Rack": "r"},
        ],
        "ClusterId": "c",
        "ControllerId": 101,
        "Topics": [
            {
                "Name": "one",
                "TopicId": bytes(range(16)),
                "Partitions": [
                    {"LeaderId": 102, "ReplicaNodes": [102, 101], "IsrNodes": [102], "OfflineReplicas": [101]}
                ],
            }
        ],
    }
    assert octets == answer(3, 12, 5, told, b"\1\x4d\2hi")


def test_octets_behind_a_body_go_on() -> None:
    """What a peer adds that the table does not have."""
    request = ask(3, 9, 5, encode(of(3, 9, False), {"Topics": [{"Name": "one"}]}) + b"added")
    octets = server().send(first(client(), C, request), TENANT)
    assert octets == ask(3, 9, 5, encode(of(3, 9, False), {"Topics": [{"Name": "tenant-a.one"}]}) + b"added")
    for topics in (["tenant-a.one"], ["other", "tenant-a.one"]):
        down, up = client(), server()
        through(down, C, up, ask(3, 9, 5, {}), None)
        said: Body = {"Topics": [{"Name": name} for name in topics]}
        octets = through(up, S, down, answer(3, 9, 5, encode(of(3, 9, True), said) + b"added"), TENANT)
        assert octets == answer(3, 9, 5, encode(of(3, 9, True), {"Topics": [{"Name": "one"}]}) + b"added")


def test_version_35() -> None:
    """A version of ApiVersions that the broker does not have is answered in version 0."""
    down, up = client(), server()
    asked: Body = {"ClientSoftwareName": "n", "ClientSoftwareVersion": "1", "NodeId": 101}
    octets = through(down, C, up, ask(18, 5, 5, asked), BROKERS)
    assert octets == ask(18, 5, 5, {**asked, "NodeId": 1})
    refused = bytes.fromhex("00000010 00000005 0023 00000001 0012 0000 0004")
    assert through(up, S, down, refused, BROKERS) == refused


def test_put() -> None:
    down, up = client(), server()
    for number in range(3):
        up.put(first(down, C, ask(3, 9, number, {"Topics": [{"Name": "one"}]})), TENANT)
    assert up.pending_output() == b"".join(
        ask(3, 9, number, {"Topics": [{"Name": "tenant-a.one"}]}) for number in range(3)
    )


def test_requests_that_stay_as_they_are_are_not_copied() -> None:
    """Records are the bulk of what a proxy passes on; of a Produce, changes of nodes change nothing."""
    down, up = client(), server()
    first_of = through(down, C, up, ask(18, 3, 0, {"ClientSoftwareName": "n", "ClientSoftwareVersion": "1"}), BROKERS)
    assert first_of
    octets = b"".join(ask(0, 9, number, produce(9, [("one", 2)], 5000)) for number in range(1, 4))
    for event in down.receive(C, octets):
        up.put(event, BROKERS)
    assert up.pending_output() is octets
    answers = b"".join(answer(0, 9, number, {"Responses": []}) for number in range(1, 4))
    up_answers = answer(18, 3, 0, {"ApiKeys": []}) + answers
    paired = [event.request for event in up.receive(S, up_answers) if isinstance(event, Message)]
    assert [each.operation if each is not None else None for each in paired] == ["ApiVersions", *["Produce"] * 3]


def test_an_observer_writes_it_too() -> None:
    session = l7codecs.open_session("kafka")
    request = first(session, C, ask(3, 9, 5, {"Topics": [{"Name": "one"}]}))
    assert l7codecs.open_session("kafka").send(request, TENANT) == ask(3, 9, 5, {"Topics": [{"Name": "tenant-a.one"}]})


# Large messages.


def produce(version: int, topics: list[tuple[str, int]], size: int) -> Body:
    return {
        "Acks": 1,
        "TopicData": [
            {
                "Name": name,
                "PartitionData": [{"Index": index, "Records": bytes([index]) * size} for index in range(count)],
            }
            for name, count in topics
        ],
    }


def test_a_large_produce_streams() -> None:
    """Of one topic and one partition: its head goes on as soon as it is there."""
    for version in range(13):
        down, up = client(message=100_000), server(message=100_000)
        request = ask(0, version, 5, produce(version, [("one", 1)], 3_000_000))
        events = down.receive(C, request[:65536])
        head = next(events)
        assert isinstance(head, Message) and head.more
        written = up.send(head, TENANT)
        assert written
        written += b"".join(up.send(event) for event in events)
        assert up.queued == 0
        written += through(down, C, up, request[65536:], TENANT)
        assert written == ask(0, version, 5, produce(version, [("tenant-a.one", 1)], 3_000_000))


def test_a_large_produce_of_topic_ids_streams() -> None:
    down, up = client(message=100_000), server(message=100_000)
    value: Body = {
        "Acks": 1,
        "TopicData": [
            {"TopicId": bytes([n] * 16), "PartitionData": [{"Index": 0, "Records": bytes(200_000)}]} for n in (1, 2)
        ],
    }
    request = ask(0, 13, 5, value)
    events = down.receive(C, request[:65536])
    written = b"".join(up.send(event, TENANT if isinstance(event, Message) else None) for event in events)
    assert up.queued == 0 and len(written) == 65536
    assert written + through(down, C, up, request[65536:], TENANT) == request


@pytest.mark.parametrize("topics", [[("one", 3)], [("one", 1), ("two", 1)], [("one", 2), ("two", 2), ("three", 1)]])
def test_a_large_produce_of_several_topics(topics: list[tuple[str, int]]) -> None:
    """Names stand behind records, and the size before everything: all of it has to come first."""
    for version in (3, 9):
        down, up = client(message=100_000), server(message=100_000)
        request = ask(0, version, 5, produce(version, topics, 200_000))
        written = through(down, C, up, request[:-1], TENANT)
        if len(topics) > 1:
            assert written == b"" and up.queued == len(request) - 1
            assert [each.request_id for each in up.unanswered()] == [5]
        written += through(down, C, up, request[-1:], TENANT)
        assert written == ask(
            0, version, 5, produce(version, [(f"tenant-a.{name}", count) for name, count in topics], 200_000)
        )
        assert up.queued == 0 and [each.request_id for each in up.unanswered()] == [5]
        told = first(up, S, answer(0, version, 5, {"Responses": [{"Name": "tenant-a.one"}]}))
        assert down.send(told, TENANT) == answer(0, version, 5, {"Responses": [{"Name": "one"}]})
        assert down.unanswered() == up.unanswered() == []


def fetched(name: str, leader: int, size: int, count: int = 2) -> Body:
    rows: list[Value] = [
        {"PartitionIndex": index, "PreferredReadReplica": leader, "Records": bytes([index]) * size}
        for index in range(count)
    ]
    return {"Responses": [{"Topic": name, "Partitions": rows}]}


@pytest.mark.parametrize("version", range(11, 19))
@pytest.mark.parametrize("size", [777, 65_536, 1_000_000])
def test_a_large_fetch_with_nodes_streams(version: int, size: int) -> None:
    """Ids change as they come; the addresses at its end, which would make it longer, are hidden."""
    changes = KafkaChanges(topics=PREFIXED, nodes=BROKERS.nodes)
    down, up = client(message=100_000), server(message=100_000)
    topic: Body = {"Topic": "one"} if version < 13 else {"TopicId": bytes(range(16))}
    there: Body = {"Topic": "tenant-a.one"} if version < 13 else topic
    through(down, C, up, ask(1, version, 5, {"Topics": [topic]}), changes)

    def said(name: Body, ids: dict[int, int], end: Body) -> bytes:
        rows: list[Value] = []
        for index, leader in enumerate((1, -1, 2, 101, 1)):
            row: Body = {
                "PartitionIndex": index,
                "PreferredReadReplica": ids.get(leader, leader),
                "Records": bytes([1]) * 70_000 * (index % 3),
            }
            if version >= 12:
                row["CurrentLeader"] = {"LeaderId": ids.get(3 - leader, 3 - leader), "LeaderEpoch": 5}
            rows.append(row)
        return answer(1, version, 5, {"Responses": [{**name, "Partitions": rows}], **end})

    hosts: Body = {"NodeEndpoints": [{"NodeId": 1, "Host": "kafka-1", "Port": 9092}]} if version >= 16 else {}
    octets = said(there, {}, hosts)
    written = b""
    for at in range(0, len(octets), size):
        written += through(up, S, down, octets[at : at + size], changes)
        assert down.queued == 0
    expected = said(topic, {1: 101, 2: 102, 101: -1}, hosts)
    if version >= 16:
        # The tag of NodeEndpoints is 127 in place of 0; nothing is left of the rest.
        at = expected.rindex(b"\x08kafka-1") - 7
        assert expected[at - 1 : at + 1] == b"\x01\x00"
        expected = expected[:at] + b"\x7f" + expected[at + 1 : at + 2] + bytes(len(expected) - at - 2)
    assert written == expected
    assert down.unanswered() == [] and read_answer(1, version, written)[0] == 5


@pytest.mark.parametrize("nodes", [1, 2, 9, 400])
@pytest.mark.parametrize(
    "tags", [{}, {1: b"one"}, {1: b"", 126: b"x" * 200}, {127: b"y"}, {5: b"", 300: b"z" * 3}, {1 << 21: b""}]
)
def test_addresses_are_hidden_in_the_order_of_the_tags(nodes: int, tags: dict[int, bytes]) -> None:
    """Tags rise (KIP-482), so a hidden field stands behind all others, in as many octets as it had."""
    changes = KafkaChanges(nodes=BROKERS.nodes)
    down, up = client(message=100_000), server(message=100_000)
    through(down, C, up, ask(1, 16, 5, {"Topics": [{"TopicId": bytes(16)}]}), changes)
    rows: list[Value] = [{"PartitionIndex": 0, "Records": bytes(150_000)}]
    hosts: list[Value] = [
        {"NodeId": 1 + number % 2, "Host": f"secret-{number}", "Port": 9092} for number in range(nodes)
    ]
    there: Body = {"Responses": [{"TopicId": bytes(16), "Partitions": rows}], "NodeEndpoints": hosts}
    if tags:
        there["_tags"] = tags  # type: ignore[assignment]  # as `decode` gives them
    octets = answer(1, 16, 5, there)
    written = through(up, S, down, octets, changes, 1000)
    assert len(written) == len(octets) and b"secret" not in written
    number, told = read_answer(1, 16, written)
    assert (number, told["Responses"], told.get("NodeEndpoints")) == (
        5,
        read_answer(1, 16, octets)[1]["Responses"],
        None,
    )
    found = told["_tags"]
    assert isinstance(found, dict)
    numbers = [int(tag) for tag in found]
    hidden = numbers.pop()
    assert {tag: found[tag] for tag in numbers} == tags  # type: ignore[index]  # they are numbers
    assert hidden == max(127, *(tag + 1 for tag in tags), 0) and numbers == sorted(numbers)


@pytest.mark.parametrize("read", [1, 64])
def test_a_large_fetch_that_comes_in_small_reads(read: int) -> None:
    """What stands between records is not copied for each read."""
    known = of(1, 11, True)
    aborted: list[Value] = [{"ProducerId": number, "FirstOffset": number} for number in range(60_000)]
    row: Body = {"PartitionIndex": 0, "AbortedTransactions": aborted, "Records": b"x"}
    body = encode(known, {"Responses": [{"Topic": "one", "Partitions": [row]}]})

    def cost(size: int) -> float:
        stream = StreamedFetch(known, BROKERS.nodes, 1 << 24, 0)  # type: ignore[arg-type]  # they are given
        pieces = [body[at : at + read] for at in range(0, size, read)]
        start = time.process_time()
        for piece in pieces:
            stream.add(piece, 0, len(piece), True)
        return time.process_time() - start

    small = 30_000 if read == 1 else 200_000
    assert growth(cost, small, 4 * small, 8) <= 8


def test_a_large_fetch_of_nothing_but_partitions() -> None:
    """What is kept to follow it is bounded."""
    changes = KafkaChanges(nodes=BROKERS.nodes)
    down, up = client(message=50_000), server(message=10_000)
    through(down, C, up, ask(1, 11, 5, {"Topics": [{"Topic": "one"}]}), changes)
    rows: list[Value] = [{"PartitionIndex": number, "Records": b"x"} for number in range(5_000)]
    with pytest.raises(LimitExceeded, match="no records"):
        through(up, S, down, answer(1, 11, 5, {"Responses": [{"Topic": "one", "Partitions": rows}]}), changes)


def test_a_large_fetch_that_breaks_off() -> None:
    changes = KafkaChanges(nodes=BROKERS.nodes)
    for broken in (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xf0"):
        down, up = client(message=50_000), server(message=10_000)
        through(down, C, up, ask(1, 11, 5, {"Topics": [{"Topic": "one"}]}), changes)
        rows: list[Value] = [{"Records": bytes(300_000)}, {"Records": bytes(300_000)}]
        octets = bytearray(answer(1, 11, 5, {"Responses": [{"Topic": "one", "Partitions": rows}]}))
        at = octets.rindex((300_000).to_bytes(4, "big"))
        octets[at : at + 4] = broken
        with pytest.raises(ProtocolError):
            through(up, S, down, bytes(octets), changes)


def test_topics_by_attribute_in_a_large_message() -> None:
    down, up = client(message=100_000), server(message=100_000)
    request = ask(0, 9, 5, produce(9, [("one", 1), ("two", 1)], 200_000))
    head = first(down, C, request[:65536])
    with pytest.raises(Unsupported, match="further ones"):
        up.send(head, Changes({"kafka.topics": ("x",)}))
    single = first(client(message=100_000), C, ask(0, 9, 5, produce(9, [("one", 1)], 200_000))[:65536])
    assert b"\x02x\x02" in up.send(single, Changes({"kafka.topics": ("x",)}))


def test_a_large_fetch_streams() -> None:
    """Of one topic, where nothing behind its records changes."""
    down, up = client(message=100_000), server(message=100_000)
    through(down, C, up, ask(1, 4, 5, {"Topics": [{"Topic": "one"}]}), TENANT)
    said = answer(1, 4, 5, {"Responses": [{"Topic": "tenant-a.one", "Partitions": [{"Records": bytes(900_000)}]}]})
    events = up.receive(S, said[:200_000])
    written = b"".join(down.send(event, TENANT if isinstance(event, Message) else None) for event in events)
    assert down.queued == 0 and len(written) > 100_000
    written += through(up, S, down, said[200_000:], TENANT)
    assert written == answer(1, 4, 5, {"Responses": [{"Topic": "one", "Partitions": [{"Records": bytes(900_000)}]}]})


def test_large_metadata() -> None:
    down, up = client(message=10_000), server(message=10_000)
    through(down, C, up, ask(3, 9, 5, {"Topics": None}), TENANT)
    rows: list[Value] = [{"Name": f"{'tenant-a.' if n % 3 else ''}topic-{n}"} for n in range(3000)]
    own: list[Value] = [{"Name": f"topic-{n}"} for n in range(3000) if n % 3]
    assert through(up, S, down, answer(3, 9, 5, {"Topics": rows}), TENANT) == answer(3, 9, 5, {"Topics": own})


def test_too_much_to_be_gathered() -> None:
    down, up = client(message=10_000), server(message=10_000, queued=1000)
    request = ask(0, 9, 5, produce(9, [("one", 1), ("two", 1)], 200_000))
    with pytest.raises(LimitExceeded, match="changed as a whole"):
        through(down, C, up, request, TENANT)


def test_what_is_gathered_is_given_up() -> None:
    request = ask(0, 9, 5, produce(9, [("one", 1), ("two", 1)], 200_000))
    down, up = client(message=10_000), server(message=10_000)
    assert through(down, C, up, request[:300_000], TENANT) == b""
    (waiting,) = up.unanswered()
    assert up.cancel(waiting) == b"" and up.unanswered() == [] and up.queued == 0
    assert through(down, C, up, request[300_000:], TENANT) == b""
    assert up.send(first(client(), C, ask(12, 4, 6, {}))) == ask(12, 4, 6, {})


def test_what_is_gathered_when_the_server_ends() -> None:
    request = ask(0, 9, 5, produce(9, [("one", 1), ("two", 1)], 200_000))
    down, up = client(message=10_000), server(message=10_000)
    through(down, C, up, request[:300_000], TENANT)
    assert list(up.eof(S)) == []
    assert [each.request_id for each in up.abandoned()] == [5]
    assert up.abandoned() == [] and up.queued == 0
    assert through(down, C, up, request[300_000:], None) == b""


def test_any_reads_write_the_same() -> None:
    rng = random.Random(1)
    request = ask(0, 9, 5, produce(9, [("one", 2), ("two", 1)], 30_000)) + ask(3, 9, 6, {"Topics": [{"Name": "x"}]})
    expected = None
    for _ in range(20):
        down, up = client(message=10_000), server(message=10_000)
        written, at = b"", 0
        while at < len(request):
            size = rng.choice((1, 7, 500, 20_000, 65_536))
            written += through(down, C, up, request[at : at + size], TENANT)
            at += size
        assert expected in (None, written)
        expected = written


# Many clients on one connection.


def test_many_clients_on_one_connection() -> None:
    """All of them count from 1; each is a tenant of its own."""
    up = server()
    names = {name: KafkaChanges(topics=Names.prefixed(f"{name}.")) for name in ("ann", "bob", "cat")}
    downs = {name: client() for name in names}
    sent = b""
    for number in (1, 2):
        for name, down in downs.items():
            sent += through(down, C, up, ask(3, 9, number, {"Topics": [{"Name": "t"}]}), names[name])
    numbers = []
    asked = []
    for at in range(6):
        size = len(sent) // 6
        number, _, value = read_request(3, 9, sent[at * size : (at + 1) * size])
        numbers.append(number)
        asked.append(value["Topics"][0]["Name"])  # type: ignore[index, call-overload]  # a list of structs
    assert len(set(numbers)) == 6
    assert asked == ["ann.t", "bob.t", "cat.t"] * 2
    owners = {down.flow: (name, down) for name, down in downs.items()}
    for number, topic in zip(numbers, asked, strict=True):
        (event,) = up.receive(S, answer(3, 9, number, {"Topics": [{"Name": str(topic)}]}))
        assert isinstance(event, Message) and event.request is not None
        name, down = owners[event.request.connection]
        got, value = read_answer(3, 9, down.send(event, names[name]))
        assert got == event.request.request_id
        assert value["Topics"][0]["Name"] == "t" and str(topic).startswith(name)  # type: ignore[index, call-overload]  # the same
    assert up.unanswered() == [] and all(down.unanswered() == [] for down in downs.values())


def test_what_pins() -> None:
    """SASL, transactions and share sessions belong to a connection; fetch sessions by their id do not."""
    request = lambda *args: first(client(), C, ask(*args))  # noqa: E731  # short
    assert request(17, 1, 1, {"Mechanism": "PLAIN"}).pins == request(36, 2, 1, {}).pins == "authentication"
    for key, version in ((22, 4), (24, 3), (25, 3), (26, 3), (28, 3), (0, 9)):
        name = "V3AndBelowTransactionalId" if key == 24 else "TransactionalId"
        assert request(key, version, 1, {name: "t"}).pins == "transaction"
    assert request(22, 4, 1, {"TransactionalId": None}).pins is None
    assert request(3, 9, 1, {}).pins is None and request(12, 4, 1, {}).pins is None


def test_a_client_that_goes_away() -> None:
    up = server()
    ann, bob = client(), client()
    through(ann, C, up, ask(3, 9, 1, {"Topics": [{"Name": "t"}]}), TENANT)
    sent = through(bob, C, up, ask(3, 9, 1, {"Topics": [{"Name": "t"}]}), TENANT)
    for request in ann.unanswered():
        assert up.cancel(request) == b""
    number, _, _ = read_request(3, 9, sent)
    other = {1, 2} - {number}
    events = list(
        up.receive(S, answer(3, 9, other.pop(), {}) + answer(3, 9, number, {"Topics": [{"Name": "tenant-a.t"}]}))
    )
    assert len(events) == 1 and isinstance(events[0], Message) and events[0].request is not None
    assert events[0].request.connection is bob.flow
    assert bob.send(events[0], TENANT) == answer(3, 9, 1, {"Topics": [{"Name": "t"}]})


def test_acks_0_through_changes() -> None:
    down, up = client(), server()
    value = {**produce(8, [("one", 1)], 10), "Acks": 0}
    request = first(down, C, ask(0, 8, 1, value))
    assert request.kind is Kind.ONEWAY
    assert up.send(request, TENANT) == ask(0, 8, 1, {**produce(8, [("tenant-a.one", 1)], 10), "Acks": 0})
    assert up.unanswered() == [] and down.unanswered() == []


def test_a_refusal_in_the_words_of_the_client() -> None:
    """The refusal has the client's own names, whatever was sent on."""
    down, up = client(), server()
    request = first(down, C, ask(0, 8, 1, produce(8, [("one", 1)], 10)))
    up.send(request, TENANT)
    number, value = read_answer(0, 8, down.reply_error(request, Status.DEADLINE_EXCEEDED, "slow"))
    assert number == 1 and "'Name': 'one'" in str(value) and "'ErrorCode': 7" in str(value) and "slow" in str(value)
