"""Messages with changes, and answers that are made here: frames around bodies that others make.

The size of a frame stands before everything, so a large message goes on as it comes where all that changes is in its head, and where not
it is gathered and changed as a whole. Names stand before the records of their partition: the head of a Produce has them all where it is
of one topic.
"""

from __future__ import annotations

from typing import Final, cast

from mypy_extensions import i64

from l7codecs import Changes, Kind, ProtocolError, Sender, Status, Unsupported
from l7codecs.pairing.numbering import put_number

from .._schema.layouts import PARTITION, TOPIC, TOPIC_ID, Layout, Value, api, layout
from .._schema.values import decode, encode
from .._schema.walk import pick
from .._wire.apis import API_VERSIONS, CONTROLLED_SHUTDOWN, PRODUCE
from .._wire.header import ANSWER, CLIENT_ID, CORRELATION
from .._wire.requests import KafkaRequest
from .._wire.responses import KafkaResponse
from .answers import error_answer, has_place_at_the_top
from .bodies import NOTHING_ASKED, Asked, asked_of, changed_body, changed_head, keeps
from .changes import KafkaChanges
from .codes import UNSUPPORTED_VERSION, error_code
from .names import Names
from .streams import FETCH, StreamedFetch

__all__ = [
    "CHANGEABLE",
    "answer_stays",
    "as_changes",
    "changed_answer",
    "changed_request",
    "error_reply",
    "follow_as_read",
    "gathered",
    "stays",
    "streamed_answer",
]

_CLIENT: Final = "messaging.client.id"
_CORRELATION: Final = "kafka.correlation_id"
TOPICS: Final = "kafka.topics"
CHANGEABLE: Final = frozenset({_CLIENT, _CORRELATION, TOPICS})

_SIZE: Final[i64] = 4
"""Octets of a frame's size, which does not count them."""
_LONGEST: Final = 0x7FFF
_KNOWN_VERSION: Final = 0


def as_changes(changes: Changes, message: KafkaRequest | KafkaResponse) -> KafkaChanges:
    """`changes` to `message`, whose attributes are checked.

    Raises `Unsupported` for what Kafka cannot change, or not in this message, and ValueError for a value that it cannot say.
    """
    if isinstance(changes, KafkaChanges) and not changes.attributes:
        return changes
    if changes.set_headers or changes.remove_headers:
        raise Unsupported("kafka has no headers that are not of a record")
    given = cast("dict[object, object]", changes.attributes)  # compiled, values of other types are a TypeError
    other = sorted([str(key) for key in given if key not in CHANGEABLE])
    if other:
        raise Unsupported(f"kafka cannot change {', '.join(other)}")
    client = given.get(_CLIENT)
    if client is not None:
        if not isinstance(client, str):
            raise Unsupported(f"{_CLIENT} is a text, not {type(client).__name__}")
        if len(client.encode("utf-8", "surrogateescape")) > _LONGEST:
            raise ValueError(f"{_CLIENT} has {len(client)} characters, more than a string has room for")
        if not isinstance(message, KafkaRequest):
            raise Unsupported(f"{_CLIENT} is of requests")
    number = given.get(_CORRELATION)
    if number is not None:
        if not isinstance(number, int) or isinstance(number, bool):
            raise Unsupported(f"{_CORRELATION} is a number, not {type(number).__name__}")
        if not -(2**31) <= number < 2**31:
            raise ValueError(f"{_CORRELATION} has 32 bits, and {number} has more")
    topics = given.get(TOPICS)
    if topics is None:
        return changes if isinstance(changes, KafkaChanges) else _NOTHING
    if isinstance(changes, KafkaChanges) and changes.topics is not None:
        raise ValueError(f"{TOPICS} and topics are given, and both say the same")
    names = _renamed(topics, message)
    if isinstance(changes, KafkaChanges):
        return KafkaChanges(
            topics=names,
            groups=changes.groups,
            transactional_ids=changes.transactional_ids,
            nodes=changes.nodes,
            cluster_id=changes.cluster_id,
            versions=changes.versions,
        )
    return KafkaChanges(topics=names)


_NOTHING: Final = KafkaChanges()


def _renamed(topics: object, message: KafkaRequest | KafkaResponse) -> Names:
    """The topics that `message` names, by other names."""
    known = list(dict.fromkeys(message.own_topics()))
    if any(isinstance(each, bytes) for each in known):
        raise Unsupported(f"{TOPICS} cannot change: {message.operation} names topics by their ids")
    if not isinstance(topics, tuple) or len(topics) != len(known):
        raise Unsupported(f"{message.operation} names {len(known)} topics, as many have to be given")
    renamed: dict[str, str] = {}
    for old, new in zip(known, topics, strict=True):
        if not isinstance(new, str) or not isinstance(old, str):
            raise Unsupported(f"{TOPICS} are texts, not {type(new).__name__}")
        if len(new.encode("utf-8", "surrogateescape")) > _LONGEST:
            raise ValueError(f"{TOPICS} has a name of {len(new)} characters, and a string {_LONGEST} octets at most")
        renamed[old] = new

    def rename(name: str) -> str | None:
        return renamed.get(name, name)

    return Names(rename, rename)


def stays(request: KafkaRequest, changes: KafkaChanges) -> bool:
    """Whether `request`, whose layout is known, has nothing that `changes` are about."""
    if changes.attributes or request.more:
        return False
    known = request.layout
    return changes.asked_roles == 0 or (known is not None and keeps(known, changes))


def answer_stays(answer: KafkaResponse, changes: KafkaChanges) -> bool:
    """Whether `answer`, whose layout is known, has nothing that `changes` are about."""
    known = answer.layout
    return known is not None and answer.api_key != API_VERSIONS and not changes.attributes and keeps(known, changes)


def changed_request(request: KafkaRequest, given: Changes, changes: KafkaChanges) -> KafkaRequest | None:
    """`request` with changes, itself where nothing changes; None where all of it has to come first."""
    body: bytes | None = None
    whole = True
    if changes.asked_roles != 0:
        known = _layout_of(request)
        try:
            if request.more:
                body, whole = changed_head(known, request.octets, request.body, request.stop, changes, NOTHING_ASKED)
            else:
                body = changed_body(known, request.octets, request.body, request.stop, changes, NOTHING_ASKED)
        except ProtocolError as error:
            raise _unreadable(request, error) from None
    if not whole:
        return None
    if not given.attributes:
        return request if body is None else _requested(request, body, None, None)
    number = given.attributes.get(_CORRELATION)
    return _requested(request, body, given.attributes.get(_CLIENT), number if isinstance(number, int) else None)


def _requested(request: KafkaRequest, body: bytes | None, client: object, number: int | None) -> KafkaRequest:
    """`request` with another body, client id and correlation id, where they are given."""
    octets, start, stop = request.octets, request.start, request.stop
    client_start, client_stop = request.client_place
    body_start = request.body
    if isinstance(client, str):
        if stop - start < CLIENT_ID + 2 or (request.api_key == CONTROLLED_SHUTDOWN and request.version == 0):
            raise Unsupported(f"{request.operation} has no client id")
        name = client.encode("utf-8", "surrogateescape")
        at = start + CLIENT_ID
        header = octets[start:at] + len(name).to_bytes(2, "big") + name
        old = client_stop if client_start >= 0 else at + 2
        rest_start = body_start if body is not None else stop
        header += octets[old:rest_start]
        body_start = len(header) - (rest_start - body_start) if body_start >= 0 else -1
        client_start, client_stop = CLIENT_ID + 2, CLIENT_ID + 2 + len(name)
        client_text: str | None = name.decode("utf-8", "replace")
    else:
        header = octets[start : body_start if body is not None else stop]
        body_start = body_start - start if body_start >= 0 else -1
        client_start = client_start - start if client_start >= 0 else -1
        client_stop -= start
        client_text = request.client_id
    raw = header if body is None else header + body
    correlation = request.correlation if number is None else number
    grown = len(raw) - (stop - start)
    size = i64(request.declared_size if request.more else stop - start) + grown
    if number is not None:
        raw = put_number(raw, int(CORRELATION), 4, number)
    raw = _sized(raw, size)
    made = KafkaRequest(
        request.flow, request.sender, request.kind, request.offset, raw, 0, len(raw), request.more, request.form,
        correlation, client_text, client_start, client_stop, body_start, request.reached,
    )  # fmt: skip
    made.declared_size = size if request.more else -1
    made.session_topics = request.session_topics
    return made


def changed_answer(answer: KafkaResponse, given: Changes, changes: KafkaChanges) -> bytes | None:
    """The octets of `answer` with changes; None where all of it has to come first."""
    raw: bytes | None = None
    whole = True
    if changes.answered_roles != 0 or (changes.clamps and answer.api_key == API_VERSIONS):
        known = _layout_of(answer)
        request = answer.request
        asked = NOTHING_ASKED
        if isinstance(request, KafkaRequest):
            asked = _asked(request)
        try:
            if answer.more:
                body, whole = changed_head(known, answer.octets, answer.body, answer.stop, changes, asked)
            else:
                body = changed_body(known, answer.octets, answer.body, answer.stop, changes, asked)
        except ProtocolError as error:
            raise _unreadable(answer, error) from None
        if not whole:
            return None
        if body is not None:
            header = answer.octets[answer.start : answer.body]
            grown = len(header) + len(body) - (answer.stop - answer.start)
            size = i64(answer.declared_size if answer.more else answer.stop - answer.start) + grown
            raw = _sized(header + body, size)
    if raw is None:
        raw = answer.raw
    number = given.attributes.get(_CORRELATION)
    if number is None and isinstance(answer.request, KafkaRequest):
        number = answer.request.correlation
    if isinstance(number, int) and number != answer.correlation:
        raw = put_number(raw, int(ANSWER - 4), 4, number)
    return raw


def follow_as_read(answer: KafkaResponse, changes: KafkaChanges, limit: i64) -> StreamedFetch | None:
    """What changes the rest of `answer`, a large one to Fetch whose head stays as it is; None of any other, see `streamed_answer`."""
    nodes = changes.nodes
    known = answer.layout
    request = answer.request
    if known is None or answer.api_key != FETCH or nodes is None or not changes.only_nodes or changes.attributes:
        return None
    if not isinstance(request, KafkaRequest) or request.correlation != answer.correlation:
        return None
    stream = StreamedFetch(known, nodes, limit, answer.offset)
    return stream if stream.begin(answer.octets, answer.body, answer.stop) is None else None


def streamed_answer(
    answer: KafkaResponse, given: Changes, changes: KafkaChanges, limit: i64
) -> tuple[bytes, StreamedFetch] | None:
    """The head of a large answer to Fetch, with changes, and what changes its rest as it comes; None where all of it has to come first.

    `limit` bounds what is kept of it, see `StreamedFetch`.
    """
    nodes = changes.nodes
    known = answer.layout
    if known is None or answer.api_key != FETCH or nodes is None:
        return None
    octets = changed_answer(answer, given, changes.without_nodes)
    if octets is None:
        return None
    stream = StreamedFetch(known, nodes, limit, answer.offset)
    header: i64 = answer.body - answer.start
    written = stream.begin(octets, header, len(octets))
    return octets if written is None else octets[:header] + written, stream


def _asked(request: KafkaRequest) -> Asked:
    known = request.layout
    if known is None:
        return NOTHING_ASKED
    try:
        return asked_of(known, request.octets, request.body, request.stop)
    except ProtocolError:
        return NOTHING_ASKED


def _sized(raw: bytes, size: i64) -> bytes:
    return put_number(raw, 0, int(_SIZE), int(size - _SIZE))


def _layout_of(message: KafkaRequest | KafkaResponse) -> Layout:
    found = message.layout
    if found is None:
        name = message.operation or f"key {message.api_key}"
        raise Unsupported(f"{name} version {message.body_version} is not known, and what it names cannot be changed")
    return found


def _unreadable(message: KafkaRequest | KafkaResponse, error: ProtocolError) -> Unsupported:
    return Unsupported(f"{message.operation} version {message.body_version} cannot be read: {error}")


def gathered(head: KafkaRequest | KafkaResponse, octets: bytes) -> KafkaRequest | KafkaResponse:
    """The whole message `octets` that began with `head`."""
    if isinstance(head, KafkaRequest):
        client_start, client_stop = head.client_place
        made = KafkaRequest(
            head.flow, head.sender, head.kind, head.offset, octets, 0, len(octets), False, head.form,
            head.correlation, head.client_id, client_start - head.start if client_start >= 0 else -1, client_stop - head.start,
            head.body - head.start if head.body >= 0 else -1, head.reached,
        )  # fmt: skip
        made.session_topics = head.session_topics
        return made
    answer = KafkaResponse(
        head.flow, head.sender, head.kind, head.offset, octets, 0, len(octets), False, head.correlation, head.reached
    )
    if isinstance(head.request, KafkaRequest):
        answer.answers(head.request)
    return answer


# Answers that are made here.


def error_reply(request: KafkaRequest, status: Status | None, code: int, text: str, offset: i64) -> KafkaResponse:
    """The answer to `request` that says the error of `status`, or `code` where that is None; it is at `offset` of its direction.

    Raises `Unsupported` where nothing is answered, or where the form of an answer is not known.
    """
    if request.sender is not Sender.CLIENT:
        raise Unsupported("only a request can be answered with an error")
    if request.kind is Kind.ONEWAY:
        raise Unsupported(f"{request.operation} with acks=0 expects no answer")
    key = request.api_key
    known = layout(key, request.version, True)
    if status is not None:
        asked = request.layout
        by_id = asked is not None and asked.has & TOPIC_ID != 0 and asked.has & TOPIC == 0
        code = error_code(key, request.version, status, by_id)
    if key == API_VERSIONS and (known is None or code == UNSUPPORTED_VERSION):
        body = _refused_version()
        flexible = False
    else:
        if known is None:
            raise Unsupported(f"key {key} version {request.version} is not known: the connection has to be closed")
        body = encode(known, error_answer(known, _layout_of(request), _fields(request, known), code, text))
        flexible = known.header_version == 1
    correlation: int = request.correlation
    header = correlation.to_bytes(4, "big", signed=True) + (b"\0" if flexible else b"")
    octets = (len(header) + len(body)).to_bytes(4, "big") + header + body
    made = KafkaResponse(
        request.flow,
        Sender.SERVER,
        Kind.RESPONSE,
        offset,
        octets,
        0,
        len(octets),
        False,
        request.correlation,
        request.reached,
    )
    made.answers(request)
    return made


def _refused_version() -> bytes:
    """What says that a version of ApiVersions is not known: a body of version 0, with its own versions alone."""
    known = api(API_VERSIONS)
    answer = layout(API_VERSIONS, _KNOWN_VERSION, True)
    assert known is not None and answer is not None
    entry: dict[str, Value] = {"ApiKey": known.key, "MinVersion": known.lowest, "MaxVersion": known.highest}
    return encode(answer, {"ErrorCode": UNSUPPORTED_VERSION, "ApiKeys": [entry]})


def _fields(request: KafkaRequest, answer: Layout) -> dict[str, Value]:
    """What the request asks for, as far as the answer has to say it."""
    known = _layout_of(request)
    try:
        if not request.more:
            return decode(known, request.octets, request.body, request.stop)[0]
        if has_place_at_the_top(answer):
            return {}
        if request.api_key == PRODUCE:
            return _produced(known, request)
    except ProtocolError as error:
        raise _unreadable(request, error) from None
    raise Unsupported(f"{request.operation} cannot be answered before the rest of it has come")


def _produced(known: Layout, request: KafkaRequest) -> dict[str, Value]:
    """Topics and partitions of a Produce whose records are still to come."""
    found = pick(known, request.octets, request.body, request.stop, TOPIC | TOPIC_ID | PARTITION, False, True)
    if not found.complete:
        raise Unsupported("Produce cannot be answered before the rest of it has come: it is of several partitions")
    topics: list[Value] = []
    partitions: list[Value] = []
    for number in range(len(found)):
        role = found.role(number)
        if role == PARTITION:
            partitions.append({"Index": found.number(number)})
        else:
            partitions = []
            name: Value = found.text(number) if role == TOPIC else found.octets_of(number)
            topics.append({"Name" if role == TOPIC else "TopicId": name, "PartitionData": partitions})
    return {"TopicData": topics}
