"""What passed over a connection, as a session sees it, to be held against what consumer and provider say themselves."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from l7codecs import Kind, Message, Sender, open_session
from l7codecs.testing import Recording, Vector, check_cuts
from l7codecs_dubbo._hessian.scan import decode
from l7codecs_dubbo._hessian.values import HessianList, HessianMap, HessianObject, Long

__all__ = ["Call", "Heard", "headers_of", "is_same", "request_arguments", "result_value"]

CALLS = (Kind.REQUEST, Kind.ONEWAY)
LOCAL = ("input", "output")
"""Attachments that Dubbo adds when it has read: the size of the frame."""


@dataclass
class Call:
    """A request and its answer; None where it has none."""

    request: Any
    response: Any = None


def frames(octets: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Flags, status, id and body of each message, in a direction that holds nothing else."""
    at = 0
    while at < len(octets):
        magic, flags, status, number, size = struct.unpack_from(">HBBQI", octets, at)
        assert magic == 0xDABB and at + 16 + size <= len(octets), at
        yield flags, status, number, octets[at + 16 : at + 16 + size]
        at += 16 + size


class Heard:
    """One connection."""

    def __init__(self, recording: Recording | Vector) -> None:
        self.vector = recording if isinstance(recording, Vector) else recording.to_vector()
        self.session = open_session("dubbo")
        self.events: list[Any] = []
        self.calls: list[Call] = []
        waiting: dict[int, Call] = {}
        for sender, octets in self.vector.pieces:
            for event in self.session.receive(sender, octets):
                self.events.append(event)
                if isinstance(event, Message) and event.kind in CALLS:
                    waiting[id(event)] = call = Call(event)
                    self.calls.append(call)
                elif isinstance(event, Message) and event.kind is Kind.RESPONSE:
                    assert event.request is not None, event
                    if event.request.kind in CALLS:
                        waiting[id(event.request)].response = event

    def check(self, *kinds: Kind) -> None:
        """Every octet belongs to an event, in whatever cuts; headers are what `struct` reads; every call is answered that waits for it.

        kinds: of events that may be there, beside calls and answers.
        """
        for sender in Sender:
            octets = self.vector.octets(sender)
            assert b"".join(event.raw for event in self.events if event.sender is sender) == octets
            messages = [each for each in self.events if isinstance(each, Message) and each.sender is sender]
            seen = [(each.flags, each.status_octet, each.request_id, each.size) for each in messages]
            assert seen == [(flags, status, number, len(body) + 16) for flags, status, number, body in frames(octets)]
            for each, (flags, _, _, _) in zip(messages, frames(octets), strict=True):
                assert (each.kind in CALLS) == (flags & 0xA0 == 0x80), each
        assert {event.kind for event in self.events} <= {*CALLS, Kind.RESPONSE, Kind.DATA, *kinds}
        check_cuts(lambda: open_session("dubbo"), self.vector)
        for call in self.calls:
            if call.request.kind is Kind.REQUEST:
                assert call.response is not None and call.response.request_id == call.request.request_id, call
            else:
                assert call.response is None

    def of_kind(self, kind: Kind) -> list[Any]:
        return [event for event in self.events if event.kind is kind]


# ------------------------------------------------------------------------------------------------------- what is compared


def headers_of(message: Any) -> dict[str, Any]:
    """Attachments, each once."""
    found = dict(message.headers)
    assert len(found) == len(message.headers)
    return found


def plain(attachments: dict[str, Any]) -> dict[str, Any]:
    """Attachments that Dubbo logs, as headers have them."""
    return {key: header(value) for key, value in attachments.items() if key not in LOCAL}


def header(java: Any) -> Any:
    if isinstance(java, dict) and "long" in java:
        return java["long"]
    if isinstance(java, dict) and "list" in java:
        return json.loads(json.dumps([header(each) for each in java["list"]]))
    if isinstance(java, dict) and "double" in java:
        return float(java["double"])
    return java


def told(headers: dict[str, Any]) -> dict[str, Any]:
    """Headers, of which what begins as a list of JSON is one."""
    return {
        key: json.loads(value) if isinstance(value, str) and value[:1] == "[" else value
        for key, value in headers.items()
    }


def bodies(octets: bytes) -> list[Any]:
    """Every value of a body in Hessian 2, which ends with the last."""
    values, end = decode(octets, 0, len(octets))
    assert end == len(octets)
    return values


def request_arguments(request: Any) -> list[Any]:
    """The arguments of a request in Hessian 2."""
    values = bodies(request.payload)
    assert len(values) >= 6 and (values[-1] is None or isinstance(values[-1], (dict, HessianMap)))
    return values[5:-1]


def result_value(response: Any) -> Any:
    """The value of an answer in Hessian 2; None where it is null."""
    values = bodies(response.payload)
    assert values[0] in (1, 2, 4, 5), values[0]
    return values[1] if values[0] in (1, 4) else None


def is_same(java: Any, ours: Any) -> bool:
    """Whether `ours` is the value that Talk.java describes. Raises `AssertionError` where it is not."""
    seen: list[Any] = []
    waits = [(java, ours, "")]
    while waits:
        expected, value, place = waits.pop()
        waits += reversed(_compare(expected, value, place, seen))
    return True


def _compare(expected: Any, value: Any, place: str, seen: list[Any]) -> list[tuple[Any, Any, str]]:
    """Compare one value; what it contains is to be compared."""
    note = f"{place}: {value!r} is not {expected}"
    if not isinstance(expected, dict):
        assert type(value) is type(expected) and value == expected, note
        return []
    (kind, said), *_ = expected.items()
    if kind == "long":
        assert type(value) is Long and value == said, note
    elif kind == "double":
        assert type(value) is float and (value == float(said) or (said == "NaN" and value != value)), note
    elif kind in ("bytes", "text"):
        octets = value if kind == "bytes" else value.encode()
        assert isinstance(value, bytes if kind == "bytes" else str)
        assert (len(octets), zlib.crc32(octets)) == (said, expected["crc"]), note
    elif kind == "date":
        assert isinstance(value, datetime) and round(value.timestamp() * 1000) == said, note
    elif kind == "enum":
        assert isinstance(value, HessianObject) and (value.class_name, value.get("name")) == (said, expected["name"]), (
            note
        )
    elif kind == "again":
        assert value is seen[said], note
    elif kind == "other":
        assert written(said, value) == expected["text"], note
    elif kind == "exception":
        assert isinstance(value, HessianObject)
        assert (value.class_name, value.get("detailMessage")) == (said, expected["message"]), note
    else:
        seen.append(value)
        return _inside(kind, expected, value, place)
    return []


def _inside(kind: str, expected: dict[str, Any], value: Any, place: str) -> list[tuple[Any, Any, str]]:
    if kind == "list":
        if isinstance(value, HessianObject):  # an EnumSet
            assert value.class_name.endswith("EnumSetHandler"), value
            value = value.get("objects")
        items = value.items if isinstance(value, HessianList) else value
        assert isinstance(items, list)
        return [
            (one, other, f"{place}[{at}]") for at, (one, other) in enumerate(zip(expected["list"], items, strict=True))
        ]
    if kind == "map":
        pairs = value.pairs if isinstance(value, HessianMap) else list(value.items())
        both = zip(expected["map"], pairs, strict=True)
        return [
            each
            for (key, item), (ours, other) in both
            for each in ((key, ours, f"{place} key"), (item, other, f"{place}[{ours!r}]"))
        ]
    assert kind == "object" and isinstance(value, HessianObject) and value.class_name == expected["object"], (
        place,
        value,
        expected,
    )
    # Java tells the fields of the parents first, and what has one name in this order; Dubbo writes them in another.
    names: dict[str, list[Any]] = {}
    for name, item in value.fields:
        names.setdefault(name, []).append(item)
    found = [(item, names[name].pop(0), f"{place}.{name}") for name, item in expected["fields"]]
    assert not any(names.values()), names
    return found


def written(name: str, value: Any) -> str | None:
    """What Java's ``toString`` writes of a value that is an object on the wire."""
    handles = "com.alibaba.com.caucho.hessian.io."
    if name == "java.math.BigInteger":
        number = 0
        for each in value.get("mag").items:
            number = number << 32 | each & 0xFFFFFFFF
        return str(number * value.get("signum"))
    assert isinstance(value, HessianObject)
    assert value.class_name == name or value.class_name.startswith(handles), (name, value)
    if name in ("java.math.BigDecimal", "java.util.UUID", "java.util.Locale"):
        return str(value.get("value"))
    if name in ("java.sql.Date", "java.sql.Timestamp"):
        moment = value.get("value")
        assert isinstance(moment, datetime)
        return (
            f"{moment:%Y-%m-%d}"
            if name.endswith("Date")
            else f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 100_000}"
        )
    return moment_of(name, value)


def moment_of(name: str, value: HessianObject) -> str:
    """What stands in the handles of java.time."""

    def number(one: Any, *names: str) -> list[Any]:
        return [one.get(each) for each in names]

    if name == "java.time.LocalDate":
        return "{:04}-{:02}-{:02}".format(*number(value, "year", "month", "day"))
    if name == "java.time.LocalTime":
        hour, minute, second, nano = number(value, "hour", "minute", "second", "nano")
        return f"{hour:02}:{minute:02}:{second:02}.{nano:09}"
    if name == "java.time.LocalDateTime":
        date, time = number(value, "date", "time")
        return f"{moment_of('java.time.LocalDate', date)}T{moment_of('java.time.LocalTime', time)}"
    if name == "java.time.Instant":
        seconds, nanos = number(value, "seconds", "nanos")
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09}Z"
    if name == "java.time.Duration":
        seconds, nanos = number(value, "seconds", "nanos")
        return f"PT{seconds // 60}M{seconds % 60}.{nanos:09}S".replace("PT0M", "PT")
    assert name == "java.time.ZonedDateTime"
    date_time, zone = number(value, "dateTime", "zoneId")
    return f"{moment_of('java.time.LocalDateTime', date_time)}+01:00[{zone}]"
