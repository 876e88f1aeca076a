"""Encodings from somebody hostile: time and memory follow the octets, and nothing but `ProtocolError` comes."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7codecs import LimitExceeded, Limits, ProtocolError
from l7codecs.testing import growth
from l7codecs_thrift._encoding.encoding import Encoding
from l7codecs_thrift._encoding.encodings import BINARY, COMPACT, ENCODINGS, JSON, METADATA_JSON, TEXT_JSON
from l7codecs_thrift._encoding.skipper import Skipper

HUGE = 1 << 40
LIMITS = Limits(nesting=HUGE, elements=HUGE)
HEADS = {
    "binary": b"\x80\x01\x00\x01\x00\x00\x00\x01n\x00\x00\x00\x00",
    "compact": b"\x82\x21\x00\x01n",
    "json": b'[1,"n",1,0,',
    "thriftpy2-json": b'{"metadata": {"version": 1, "name": "n", "ttype": 1, "seqid": 0}, "payload": ',
    "ttext": b'{ "method" : "n", "type" : "CALL", "seqid" : 0, "args" : ',
}


def varint(number: int) -> bytes:
    made = b""
    while number > 127:
        made += bytes([number & 127 | 128])
        number >>= 7
    return made + bytes([number])


def message(name: str, body: bytes) -> bytes:
    """A message with a body, as whole as the encoding has it."""
    if name == "json":
        return HEADS[name] + body + b"]"
    if name == "thriftpy2-json":
        text = HEADS[name] + body + b"}"
        return len(text).to_bytes(4, "big") + text
    return HEADS[name] + body


def skipper_of(encoding: Encoding, octets: bytes, nesting: int = HUGE, elements: int = HUGE) -> tuple[Skipper, int]:
    head = encoding.head(octets, 0, len(octets), 65536)
    assert head is not None
    return encoding.skipper(head, nesting, elements, HUGE), int(head.body)


def keys(count: int, shift: int) -> bytes:
    """Pairs of eight octets, which are different, and one."""
    return b"".join(((each << shift) % 2**63).to_bytes(8, "big") + b"\1" for each in range(count))


LONG: dict[str, Callable[[int], bytes]] = {
    "binary fields": lambda n: b"\x02\x00\x01\x01" * n + b"\x00",
    "binary nested structs": lambda n: b"\x0c\x00\x01" * n + b"\x00" * n + b"\x00",
    "binary nested lists": lambda n: b"\x0f\x00\x01" + b"\x0f\x00\x00\x00\x01" * n + b"\x02\x00\x00\x00\x00\x00",
    "binary nested maps": lambda n: b"\x0d\x00\x01" + b"\x02\x0d\x00\x00\x00\x01\x01" * n + b"\x02\x02\x00\x00\x00\x00\x00",
    "binary empty strings": lambda n: b"\x0f\x00\x01\x0b" + n.to_bytes(4, "big") + b"\x00\x00\x00\x00" * n + b"\x00",
    "binary empty structs": lambda n: b"\x0f\x00\x01\x0c" + n.to_bytes(4, "big") + b"\x00" * n + b"\x00",
    "binary a string": lambda n: b"\x0b\x00\x01" + n.to_bytes(4, "big") + b"x" * n + b"\x00",
    "binary int keys": lambda n: b"\x0d\x00\x01\x0a\x02" + n.to_bytes(4, "big") + keys(n, 40) + b"\x00",
    "binary double keys": lambda n: b"\x0d\x00\x01\x04\x02" + n.to_bytes(4, "big") + keys(n, 0) + b"\x00",
    "binary keys that are lists": lambda n: b"\x0d\x00\x01\x0f\x02" + n.to_bytes(4, "big") + b"\x02\x00\x00\x00\x00\x01" * n + b"\x00",
    "compact fields": lambda n: b"\x11" * n + b"\x00",
    "compact long ids": lambda n: b"\x05\x02\xff\xff\x03" * n + b"\x00",
    "compact nested structs": lambda n: b"\x1c" * n + b"\x00" * n + b"\x00",
    "compact nested lists": lambda n: b"\x19" + b"\x19" * n + b"\x01\x00",
    "compact varints": lambda n: b"\x19\xf5" + varint(n) + b"\xff\x01" * n + b"\x00",
    "compact empty maps": lambda n: b"\x19\xfb" + varint(n) + b"\x00" * n + b"\x00",
    "json fields": lambda n: b"{" + b",".join([b'"1":{"tf":1}'] * n) + b"}",
    "json nested structs": lambda n: b'{"1":{"rec":' * n + b"{}" + b"}}" * n,
    "json nested lists": lambda n: b'{"1":{"lst":["lst",1' + b',["lst",1' * n + b',["tf",0]' + b"]" * n + b"]}}",
    "json escapes": lambda n: b'{"1":{"str":"' + b'\\"' * n + b'"}}',
    "json backslashes": lambda n: b'{"1":{"str":"' + b"\\\\" * n + b'"}}',
    "json surrogates": lambda n: b'{"1":{"str":"' + b"\\ud800" * n + b'"}}',
    "json space": lambda n: b'{"1"' + b" " * n + b':{"tf":1}}',
    "json digits": lambda n: b'{"1":{"str":"' + b"1" * n + b'"}}',
    "thriftpy2-json fields": lambda n: b"{" + b",".join(b'"%d":1' % each for each in range(n)) + b"}",
    "thriftpy2-json escapes": lambda n: b'{"a":"' + b'\\"' * n + b'"}',
}  # fmt: skip


def of(shape: str) -> Encoding:
    return ENCODINGS[shape.split()[0]]


@pytest.mark.parametrize("shape", LONG)
@pytest.mark.parametrize("work", ["skip", "each octet", "structure", "pick", "exception"])
def test_linear(work: str, shape: str) -> None:
    """Four times as much takes some four times as long."""
    encoding = of(shape)

    def cost(count: int) -> float:
        octets = message(encoding.name, LONG[shape](count))
        skipper, body = skipper_of(encoding, octets)
        begun = time.process_time()
        if work == "skip":
            assert skipper.feed(octets, body, len(octets)) == len(octets) and skipper.done
        elif work == "each octet":
            at = body
            for end in range(body, len(octets) + 1):
                at = skipper.feed(octets, at, end)
            assert skipper.done
        elif work == "structure":
            assert encoding.structure(octets, body, len(octets), LIMITS) is not None
        elif work == "pick":
            assert encoding.pick(octets, body, len(octets), (32000, 1)) is None
        else:
            encoding.application_exception(octets, body, len(octets))
        return time.process_time() - begun

    assert growth(cost, 1_500, 12_000, 24) <= 24


@pytest.mark.parametrize("shape", LONG)
def test_memory(shape: str) -> None:
    """A value takes some hundred times its octets at most, and passing over it next to nothing."""
    encoding = of(shape)
    octets = message(encoding.name, LONG[shape](10_000))
    skipper, body = skipper_of(encoding, octets)
    tracemalloc.start()
    try:
        skipper.feed(octets, body, len(octets))
        skipped = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        encoding.structure(octets, body, len(octets), LIMITS)
        built = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert skipped < 64 * len(octets), skipped / len(octets)
    assert built < 1000 * len(octets), built / len(octets)


@pytest.mark.parametrize("nesting", [1, 2, 64])
@pytest.mark.parametrize("shape", [each for each in LONG if "nested" in each])
def test_depth_bombs_are_refused(shape: str, nesting: int) -> None:
    encoding = of(shape)
    octets = message(encoding.name, LONG[shape](100_000))
    skipper, body = skipper_of(encoding, octets, nesting)
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded):
            skipper.feed(octets, body, len(octets))
        with pytest.raises(LimitExceeded):
            encoding.structure(octets, body, len(octets), Limits(nesting=nesting))
        assert tracemalloc.get_traced_memory()[1] < 300_000
    finally:
        tracemalloc.stop()


COUNTS = {
    "binary list": b"\x0f\x00\x01\x08\x7f\xff\xff\xff",
    "binary set of strings": b"\x0e\x00\x01\x0b\x7f\xff\xff\xff",
    "binary map": b"\x0d\x00\x01\x0b\x0c\x7f\xff\xff\xff",
    "compact list": b"\x19\xf5\xff\xff\xff\xff\x07",
    "compact list of structs": b"\x19\xfc\xff\xff\xff\xff\x07",
    "compact map": b"\x1b\xff\xff\xff\xff\x07\x58",
}


@pytest.mark.parametrize("shape", COUNTS)
def test_counts_of_31_bits_allocate_nothing(shape: str) -> None:
    encoding = of(shape)
    octets = message(encoding.name, COUNTS[shape] + b"\x00" * 1000)
    tracemalloc.start()
    try:
        skipper, body = skipper_of(encoding, octets, 64, 1 << 20)
        with pytest.raises(LimitExceeded):
            skipper.feed(octets, body, len(octets))
        skipper, _ = skipper_of(encoding, octets)
        skipper.feed(octets, body, len(octets))
        assert not skipper.done
        for limits in (Limits(), LIMITS):
            with pytest.raises(ProtocolError):
                encoding.structure(octets, body, len(octets), limits)
        assert tracemalloc.get_traced_memory()[1] < 300_000
    finally:
        tracemalloc.stop()


def test_counts_of_json_are_refused() -> None:
    octets = message("json", b'{"1":{"lst":["i32",2147483647,1]}}')
    _, body = skipper_of(JSON, octets)
    for limits, error in ((Limits(), LimitExceeded), (LIMITS, ProtocolError)):
        with pytest.raises(error):
            JSON.structure(octets, body, len(octets), limits)


@pytest.mark.parametrize(
    ("encoding", "octets"),
    [
        (BINARY, b"GET / HTTP/1.1\r\n"),
        (BINARY, b"\x80\x01\x00\x01\x47\x45\x54\x20"),
        (BINARY, b"\x80\x01\x00\x01\x7f\xff\xff\xff"),
        (COMPACT, b"\x82\x21\x00\xff\xff\xff\xff\x0f"),
        (COMPACT, b"\x82\x21\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        (JSON, b'[1,"' + b"x" * 5000),
        (METADATA_JSON, b"\x40\x00\x00\x00" + b'{"metadata": {"name": "' + b"x" * 9000),
        (METADATA_JSON, b"\x40\x00\x00\x00" + b'{"metadata": {"name": ' + b" " * 9000),
    ],
)
def test_names_of_a_gigabyte_are_refused_at_once(encoding: Encoding, octets: bytes) -> None:
    with pytest.raises(LimitExceeded) as refused:
        encoding.head(octets, 0, len(octets), 65536)
    assert f"{type(refused.value)} {refused.value}" == first_error(encoding, octets)


def first_error(encoding: Encoding, octets: bytes) -> str:
    """What is said as soon as there is something wrong, octet by octet."""
    for end in range(len(octets) + 1):
        try:
            encoding.head(octets[:end], 0, end, 65536)
        except ProtocolError as error:
            return f"{type(error)} {error}"
    return ""


@pytest.mark.parametrize(
    ("encoding", "octets"),
    [
        (BINARY, b"\x80\x02"),
        (BINARY, b"\x81"),
        (BINARY, b"\x80\x01\x00\x00\x00\x00\x00\x01"),
        (BINARY, b"\x80\x01\x00\x05"),
        (BINARY, b"\x80\x01\x00\x01\xff\xff\xff\xff"),
        (BINARY, b"\x00\x00\x00\x01n\x09"),
        (COMPACT, b"\x83"),
        (COMPACT, b"\x82\x22"),
        (COMPACT, b"\x82\x01"),
        (COMPACT, b"\x82\x21" + b"\xff" * 10),
        (JSON, b"[2"),
        (JSON, b'[1,"n",0,'),
        (JSON, b'[1,"n",99999999999999'),
        (JSON, b'[1,"n",-,'),
        (JSON, b'[1,"n",01,'),
        (JSON, b'[1,"n",1,2147483648,{'),
        (JSON, b'[1,"n",1,-2147483649,{'),
        (JSON, b'[1,"n",1,1,['),
        (JSON, b'[1,"\\x",1,1,{'),
        (JSON, b'[1,"\xff",1,1,{'),
        (METADATA_JSON, b"\x00\x00\x00\x02{}"),
        (
            METADATA_JSON,
            b'\x00\x00\x00\x52{"metadata": {"version": 1, "name": "n", "ttype": 01, "seqid": 0}, "payload": {}}   ',
        ),
        (METADATA_JSON, b'\x00\x00\x00\x60{"metadata": {"version": 1, "name": "n", "ttype": 1, "seqid": 2147483648,'),
        (METADATA_JSON, b'\x00\x00\x00\x28{"metadata": {"version": 2,'),
        (METADATA_JSON, b'\x00\x00\x00\x1e{"metadata": {"version": 1}}  '),
        (METADATA_JSON, b'\x00\x00\x00\x2a{"metadata": {"version": 1}, "payload": {}}'),
        (TEXT_JSON, b'{"method": "n", "type": "call", "seqid": 0, "args": {}}'),
        (TEXT_JSON, b'{"method": "n", "type": "CALL", "args": {}}'),
        (TEXT_JSON, b'{"method": "n", "type": "CALL", "seqid": 4294967296, "args": {}}'),
        (TEXT_JSON, b'{"method": "n", "type": "CALL", "seqid": 0, "args": []}'),
        (TEXT_JSON, b'{"method": 5, "type": "CALL", "seqid": 0, "args": {}}'),
        (TEXT_JSON, b"{" + b'"a": 1, ' * 20),
    ],
)
def test_what_is_no_message_is_refused(encoding: Encoding, octets: bytes) -> None:
    for rest in (b"", b" ", b"x" * 9000):
        with pytest.raises(ProtocolError) as refused:
            encoding.head(octets + rest, 0, len(octets + rest), 65536)
        assert f"{type(refused.value)} {refused.value}" == first_error(encoding, octets)


@pytest.mark.parametrize("name", ENCODINGS)
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.integers(0, 2**32).map(lambda seed: random.Random(seed).randbytes(40)))
def test_noise(name: str, noise: bytes) -> None:
    """Nothing but `ProtocolError`, and whatever is passed over whole is passed over in pieces, to the same octet."""
    encoding = ENCODINGS[name]
    try:
        encoding.head(noise, 0, len(noise), 65536)
    except ProtocolError:
        pass
    octets = HEADS[name] + noise
    if name == "thriftpy2-json":
        octets = (len(octets) + 8).to_bytes(4, "big") + HEADS[name] + b"{" + noise
    elif name == "ttext":
        octets = HEADS[name] + b"{" + noise
    try:
        skipper, body = skipper_of(encoding, octets + b"{", 8, 100)
    except (ProtocolError, AssertionError):
        return
    told: list[object] = []
    for step in (len(octets), 1):
        skipper.clear()
        at = body
        try:
            for end in range(body, len(octets) + step, step):
                at = int(skipper.feed(octets[:end], at, min(end, len(octets))))
            told.append((skipper.done, at if skipper.done else 0))
        except ProtocolError as error:
            told.append((type(error), str(error)))
    assert told[0] == told[1]
    assert_told(encoding, octets, body, Limits(nesting=8, elements=100))


def assert_told(encoding: Encoding, octets: bytes, body: int, limits: Limits) -> None:
    """Each way to read a body has a result, or the error that it says, inside of the octets."""
    for work in (
        lambda: encoding.structure(octets, body, len(octets), limits),
        lambda: encoding.first_field(octets, body, len(octets)),
        lambda: encoding.application_exception(octets, body, len(octets)),
        lambda: encoding.pick(octets, body, len(octets), (1, 2)),
        lambda: encoding.pick(octets, body, len(octets), (1 << 80, "x")),
        lambda: skipper_of(encoding, message(encoding.name, b"{}" if "json" in encoding.name else b"\x00"))[0].feed(
            octets, body, len(octets)
        ),
    ):
        offset = 0
        try:
            work()
        except ProtocolError as error:
            offset = error.offset
        assert 0 <= offset <= len(octets)


@pytest.mark.parametrize("shape", LONG)
def test_mutations(shape: str) -> None:
    """Octets turned at random, and what they make."""
    encoding = of(shape)
    octets = message(encoding.name, LONG[shape](6))
    _, body = skipper_of(encoding, octets)
    chance = random.Random(7)
    for _ in range(300):
        turned = bytearray(octets)
        for _ in range(chance.randint(1, 3)):
            turned[chance.randrange(body, len(turned))] = chance.choice(
                (0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x5C, 12, 13, 15)
            )
        data = bytes(turned)[: chance.randint(body, len(turned))]
        assert_told(encoding, data, body, Limits())
