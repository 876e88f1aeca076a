"""Answers that are made here: of every API and version that the table has.

That Java would answer the same is held in test_error_answers_java; that kafka-python and kio read them, here.
"""

from __future__ import annotations

import importlib
import random
import time

import pytest
from kio.serial import entity_reader

import l7codecs
from l7codecs import Kind, Sender, Status, Unsupported
from l7codecs.testing import growth
from l7codecs_kafka._change.codes import error_code
from l7codecs_kafka._meaning.errors import error_status
from l7codecs_kafka._schema.layouts import ERROR_CODE, ERROR_MESSAGE, PARTITION, TOPIC, TOPIC_ID, Layout, Value, apis
from l7codecs_kafka._schema.values import encode
from l7codecs_kafka._schema.walk import pick

from .frames import ask, framed, of, read_answer
from .kafka_python import answer_class
from .schema_truth import every_layout, random_body

LAYOUTS = [each for each in every_layout() if each.api.key >= 0 and not each.response]
C, S = Sender.CLIENT, Sender.SERVER
FAILING = [status for status in Status if status is not Status.OK]
PASSING = (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.RESOURCE_EXHAUSTED, Status.ABORTED, Status.CANCELLED)


def replied(request: bytes, status: Status = Status.UNAVAILABLE, text: str = "later", code: int = 0) -> bytes:
    """What a session to a client writes in place of the answer."""
    session = l7codecs.open_session("kafka", endpoint=S)
    (event,) = session.receive(C, request)
    assert isinstance(event, l7codecs.Message)
    octets = session.reply_error_code(event, code, text) if code else session.reply_error(event, status, text)  # type: ignore[attr-defined]  # Kafka's
    assert isinstance(octets, bytes)
    assert session.unanswered() == []
    return octets


def body_of(layout: Layout, seed: str) -> dict[str, Value]:
    value = random_body(layout, random.Random(seed))
    if layout.api.key == 0:
        value["Acks"] = -1
    return value


def in_items(layout: Layout) -> bool:
    """Whether an answer has its codes in items alone."""
    return not any(field.role == ERROR_CODE and field.tag < 0 for field in layout.fields)


@pytest.mark.parametrize("layout", LAYOUTS, ids=repr)
def test_every_answer(layout: Layout) -> None:
    """It is whole, names what was asked for, and has the code wherever it has one."""
    key, version = layout.api.key, layout.version
    answered = of(key, version, True)
    for turn in range(3):
        value = body_of(layout, f"{layout} {turn}")
        octets = replied(ask(key, version, 7 - turn, value), code=41, text="why")
        number, found = read_answer(key, version, octets)
        assert number == 7 - turn
        body = encode(answered, found)
        codes = pick(answered, body, 0, len(body), ERROR_CODE)
        assert {codes.number(at) for at in range(len(codes))} <= {41}
        if not in_items(answered):
            assert len(codes) > 0
        texts = pick(answered, body, 0, len(body), ERROR_MESSAGE)
        assert {texts.text(at) for at in range(len(texts))} <= {"why"}
        asked = encode(layout, value)
        if (
            in_items(answered)
            and key not in (24, 27, 35, 51)
            and answered.has & (TOPIC | TOPIC_ID)
            and layout.has & (TOPIC | TOPIC_ID)
        ):
            wanted = TOPIC | TOPIC_ID | PARTITION
            if key in (3, 9, 19, 20, 37, 75, 90):  # the code is the topic's, or the group's
                continue
            assert names(layout, asked, wanted) == names(answered, body, wanted)


def names(layout: Layout, body: bytes, wanted: int) -> list[bytes | None]:
    found = pick(layout, body, 0, len(body), wanted & layout.has)
    skipped = ("Assignments", "Forgotten", "AbortedTransactions")
    return [
        found.octets_of(at) for at in range(len(found)) if not any(word in found.field(at).path for word in skipped)
    ]


@pytest.mark.parametrize("layout", LAYOUTS, ids=repr)
def test_every_status(layout: Layout) -> None:
    """Every status has a code that clients know, and that says to try again where the status does."""
    key, version = layout.api.key, layout.version
    value = body_of(layout, f"status {layout}")
    for status in FAILING:
        octets = replied(ask(key, version, 1, value), status)
        code = error_code(key, version, status, False)
        assert code == -1 or 0 < code <= 133
        told = error_status(code)
        mild = (Status.UNAVAILABLE, Status.ABORTED, Status.RESOURCE_EXHAUSTED, Status.DEADLINE_EXCEEDED)
        assert (told in mild) == (status in PASSING), (status, code, told)
        if key == 18 and code == 35:
            read_answer(18, 0, octets)
        else:
            read_answer(key, version, octets)


def test_a_fetch_has_no_code_that_a_consumer_fails_at() -> None:
    """Java's consumer takes a code in a Fetch that it does not expect for its own error, and ends (FetchCollector)."""
    expected = {1, 2, 3, 6, 9, 29, 56, 74, 76, 78, 100, -1}
    for status in PASSING:
        assert error_code(1, 11, status, False) in expected
    for status in (
        Status.NOT_FOUND,
        Status.PERMISSION_DENIED,
        Status.INTERNAL,
        Status.UNKNOWN,
        Status.DATA_LOSS,
        Status.OUT_OF_RANGE,
    ):
        assert error_code(1, 11, status, False) in expected


# The rules that no table tells.


def test_versions_of_api_versions() -> None:
    """Error 35 is said in a body of version 0, whatever was asked; the one entry says what would be read."""
    refused = bytes.fromhex("00000010 00000007 0023 00000001 0012 0000 0005")
    for version in range(6):
        assert replied(ask(18, version, 7, {}), Status.UNIMPLEMENTED) == refused
    unknown = framed(b"\0\x12\0\x7f\0\0\0\7\0\2me\0" + b"\1\1\0")
    assert replied(unknown, Status.UNIMPLEMENTED) == refused
    assert replied(unknown, Status.UNAVAILABLE) == refused  # there is no other form


def test_unknown_keys_and_versions_have_no_answer() -> None:
    for octets in (framed(b"\x03\xe7\0\0\0\0\0\7\0\2me"), framed(b"\0\3\0\x63\0\0\0\7\0\2me\0\0")):
        with pytest.raises(Unsupported, match="closed"):
            replied(octets)


def test_no_answer_to_acks_0() -> None:
    session = l7codecs.open_session("kafka", endpoint=S)
    (event,) = session.receive(C, ask(0, 8, 1, {"Acks": 0, "TopicData": []}))
    assert isinstance(event, l7codecs.Message) and event.kind is Kind.ONEWAY
    with pytest.raises(Unsupported, match="expects no answer"):
        session.reply_error(event, Status.UNAVAILABLE, "")


def test_what_is_no_error() -> None:
    request = ask(12, 4, 1, {})
    with pytest.raises(ValueError, match="other than OK"):
        replied(request, Status.OK)
    for code in (-2, 0x8000):
        with pytest.raises(ValueError, match="error code"):
            replied(request, code=code)


def test_a_body_that_cannot_be_read() -> None:
    with pytest.raises(Unsupported, match="cannot be read"):
        replied(ask(3, 9, 1, b"\xff\xff"))


def test_in_turn_and_once() -> None:
    """The refusal waits for the answers before it, and the broker's own answer is nothing then."""
    down = l7codecs.open_session("kafka", endpoint=S)
    up = l7codecs.open_session("kafka", endpoint=C)
    first, second = down.receive(C, ask(12, 4, 1, {"GroupId": "g"}) + ask(12, 4, 2, {"GroupId": "h"}))
    sent = up.send(first) + up.send(second)
    assert sent.count(b"\0\x0c\0\4") == 2
    assert isinstance(second, l7codecs.Message)
    assert down.reply_error(second, Status.UNAVAILABLE, "") == b""
    octets = b""
    for event in up.receive(S, framed(b"\0\0\0\1\0" + bytes(6) + b"\0") + framed(b"\0\0\0\2\0" + bytes(6) + b"\0")):
        octets += down.send(event)
    assert octets == framed(b"\0\0\0\1\0" + bytes(6) + b"\0") + framed(b"\0\0\0\2\0" + bytes(4) + b"\0\x0f\0")
    assert down.unanswered() == []
    with pytest.raises(Unsupported):
        down.reply_error(second, Status.UNAVAILABLE, "")


# Large requests.


def produce(version: int, partitions: list[int]) -> bytes:
    rows: list[Value] = [{"Index": index, "Records": bytes(3_000_000)} for index in partitions]
    topic: dict[str, Value] = {"Name": "big"} if version < 13 else {"TopicId": bytes(range(16))}
    return ask(0, version, 5, {"Acks": 1, "TopicData": [{**topic, "PartitionData": rows}]})


@pytest.mark.parametrize("version", range(14))
def test_a_large_produce_is_answered_by_its_head(version: int) -> None:
    session = l7codecs.open_session("kafka", endpoint=S)
    events = list(session.receive(C, produce(version, [7])))
    head = events[0]
    assert isinstance(head, l7codecs.Message) and head.more
    number, found = read_answer(0, version, session.reply_error(head, Status.UNAVAILABLE, ""))
    assert number == 5
    assert "'Index': 7, 'ErrorCode': 6" in str(found)


def test_a_large_produce_of_several_partitions() -> None:
    """The names of the rest are not known, and a partition without an answer would never be tried again."""
    session = l7codecs.open_session("kafka", endpoint=S)
    head = next(session.receive(C, produce(9, [7, 8])))
    assert isinstance(head, l7codecs.Message)
    with pytest.raises(Unsupported, match="several partitions"):
        session.reply_error(head, Status.UNAVAILABLE, "")


# What others read.


def test_kafka_python_reads_them() -> None:
    tried = 0
    for layout in LAYOUTS:
        key, version = layout.api.key, layout.version
        found = answer_class(key)
        if found is None or not found.valid_versions[0] <= version <= found.valid_versions[1]:
            continue
        if key == 18 and version > 0:
            continue  # kafka-python reads an error of ApiVersions as version 0, as it ought to do for error 35 alone
        octets = replied(ask(key, version, 7, body_of(layout, f"kafka-python {layout}")), code=41, text="why")
        body = octets[8 + (1 if of(key, version, True).header_version else 0) :]
        made = found.decode(body, version=version)
        made._header = None
        assert bytes(made.encode(version=version)) == body, layout
        tried += 1
    assert tried > 150


NO_NEGATIVE_TIMES = (38, 39, 40)
"""Answers about delegation tokens: kio refuses the -1 that Java says there."""


def test_kio_reads_them() -> None:
    tried = 0
    for layout in LAYOUTS:
        key, version = layout.api.key, layout.version
        found = kio_class(layout.api.name, version)
        if found is None or key in NO_NEGATIVE_TIMES:
            continue
        octets = replied(ask(key, version, 7, body_of(layout, f"kio {layout}")), code=41, text="why")
        body = octets[8 + (1 if of(key, version, True).header_version else 0) :]
        _, size = entity_reader(found)(body, 0)
        assert size == len(body), layout
        tried += 1
    assert tried > 150


def kio_class(name: str, version: int) -> type | None:
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    try:
        module = importlib.import_module(f"kio.schema.{words}.v{version}.response")
    except ImportError:
        return None
    return getattr(module, f"{name}Response", None)


def test_every_api_is_tried() -> None:
    assert {layout.api.key for layout in LAYOUTS} == {each.key for each in apis() if each.key >= 0}


def test_an_answer_to_many_users_costs_what_they_cost() -> None:
    def cost(number: int) -> float:
        octets = ask(51, 0, 1, {"Deletions": [{"Name": f"u{each}"} for each in range(number)]})
        start = time.process_time()
        replied(octets, code=41)
        return time.process_time() - start

    assert growth(cost, 4_000, 32_000, 24) <= 24
