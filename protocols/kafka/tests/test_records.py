"""Record batches: what clients write, what the broker cuts, and what nobody should send.

The independent truth are kafka-python and aiokafka, which write and read the same octets, and batches of other peers as they were recorded.
"""

from __future__ import annotations

import struct
import sys
import zlib
from typing import Any

import lz4.frame
import pytest
import snappy
import zstandard
from aiokafka.record.default_records import DefaultRecordBatchBuilder as AioBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from l7codecs import L7Error, LimitExceeded, ProtocolError, Unsupported
from l7codecs_kafka._records.batches import RecordBatch, Records
from l7codecs_kafka._records.records import Record

from .kafka_python import (
    DefaultRecordBatch,
    DefaultRecordBatchBuilder,
    LegacyRecordBatch,
    LegacyRecordBatchBuilder,
    MemoryRecords,
)

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
NOW = 1_790_000_000_000

JAVA = bytes.fromhex(
    "0000000000000000 00000042 ffffffff 02 00000000 0000 00000000 000001a000000000 000001a000000000"
    "0000000000000007 0000 00000000 00000001 20 00 00 00 01 14 30313233343536373839 00"
)
"""As the Java producer 4.4.0 writes a value of ten octets, but for the checksum."""


def one(octets: bytes, offset: int = 0) -> RecordBatch:
    records = Records(octets, 0, len(octets), offset)
    assert records.cut == 0
    (batch,) = records.batches
    return batch


def facts(record: Record) -> tuple[int, int, bytes | None, bytes | None, list[tuple[bytes, bytes | None]]]:
    return record.offset, record.timestamp, record.key, record.value, list(record.headers)


def theirs(record: Any) -> tuple[int, int, bytes | None, bytes | None, list[tuple[bytes, bytes | None]]]:
    headers = [(name.encode(), value) for name, value in record.headers]
    return record.offset, -1 if record.timestamp is None else record.timestamp, record.key, record.value, headers


octets_or_none = st.none() | st.binary(max_size=200)
written = st.lists(
    st.tuples(
        st.integers(0, 2**41),
        octets_or_none,
        octets_or_none,
        st.lists(st.tuples(st.text("abcé", max_size=5), octets_or_none), max_size=3),
    ),
    min_size=1,
    max_size=20,
)


@given(
    written,
    st.integers(0, 4),
    st.booleans(),
    st.integers(-1, 2**62),
    st.integers(-1, 2**15 - 1),
    st.integers(-1, 2**31 - 1),
)
def test_batches_of_kafka_python(
    rows: Any, codec: int, transactional: bool, producer: int, epoch: int, sequence: int
) -> None:
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, epoch, sequence, 1 << 20)
    for index, (timestamp, key, value, headers) in enumerate(rows):
        builder.append(index, timestamp, key, value, headers)
    octets = bytes(builder.build())
    truth = DefaultRecordBatch(octets)
    batch = one(octets)
    assert (batch.base_offset, batch.last_offset, batch.count) == (0, truth.last_offset, len(rows))
    assert batch.compression == CODECS[truth.compression_type]
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (producer, epoch, sequence)
    assert (batch.transactional, batch.control) == (transactional, False)
    assert (batch.base_timestamp, batch.max_timestamp) == (truth.first_timestamp, truth.max_timestamp)
    assert (batch.timestamp_type, batch.delete_horizon) == ("create", None)
    assert (batch.magic, batch.size, batch.raw) == (2, len(octets), octets)
    assert batch.checksum == truth.crc and batch.checksum_matches()
    assert [facts(record) for record in batch.records()] == [theirs(record) for record in truth]


@given(written, st.integers(0, 4))
def test_batches_of_aiokafka(rows: Any, codec: int) -> None:
    builder = AioBuilder(2, codec, False, -1, -1, 0, 1 << 20)
    for index, (timestamp, key, value, headers) in enumerate(rows):
        builder.append(index, timestamp=timestamp, key=key, value=value, headers=headers)
    octets = bytes(builder.build())
    batch = one(octets)
    assert batch.checksum_matches()
    expected = [
        (index, timestamp, key, value, [(name.encode(), content) for name, content in headers])
        for index, (timestamp, key, value, headers) in enumerate(rows)
    ]
    assert [facts(record) for record in batch.records()] == expected


@given(
    st.lists(st.tuples(st.integers(0, 2**41), octets_or_none, octets_or_none), min_size=1, max_size=20),
    st.integers(0, 1),
    st.integers(0, 3),
)
def test_message_sets_of_kafka_python(rows: Any, magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
    for index, (timestamp, key, value) in enumerate(rows):
        builder.append(index, timestamp, key, value)
    octets = bytes(builder.build())
    records = Records(octets, 0, len(octets))
    assert records.cut == 0
    assert len(records.batches) == (1 if codec else len(rows))
    for batch in records.batches:
        assert batch.magic == magic and batch.checksum_matches()
        assert batch.compression == CODECS[codec]
        assert batch.count == (None if codec else 1) == (None if batch.base_offset is None else 1)
        assert batch.producer_id is batch.producer_epoch is batch.base_sequence is batch.partition_leader_epoch is None
        assert not batch.transactional and not batch.control
    assert records.count == (None if codec else len(rows))
    truth: list[Any] = []
    set_of_all = MemoryRecords(octets)
    while set_of_all.has_next():
        truth.extend(set_of_all.next_batch())
    assert [facts(record) for record in records.records()] == [theirs(record) for record in truth]


def test_offsets_and_times_inside_a_message() -> None:
    """As a broker keeps magic 1: the message has the last offset, those inside count from 0; its own time counts where it appends."""
    builder = LegacyRecordBatchBuilder(1, 1, 1 << 20)
    for index in range(3):
        builder.append(index, NOW + index, None, b"%d" % index)
    octets = bytearray(builder.build())
    octets[:8] = (102).to_bytes(8, "big")
    truth = [theirs(record) for record in LegacyRecordBatch(bytes(octets), 1)]
    assert [row[0] for row in truth] == [100, 101, 102]
    assert [facts(record) for record in one(bytes(octets)).records()] == truth
    assert one(bytes(octets)).timestamp_type == "create"
    octets[17] |= 8
    octets[18:26] = (NOW + 500).to_bytes(8, "big")
    batch = one(bytes(octets))
    assert batch.timestamp_type == "append" and batch.last_offset == 102 and batch.base_offset is None
    assert [record.timestamp for record in batch.records()] == [NOW + 500] * 3


def test_time_of_the_broker() -> None:
    octets = bytearray(JAVA)
    octets[22] |= 8
    octets[35:43] = (NOW).to_bytes(8, "big")
    batch = one(bytes(octets))
    assert batch.timestamp_type == "append"
    assert [record.timestamp for record in batch.records()] == [NOW]


def test_delete_horizon() -> None:
    octets = bytearray(JAVA)
    octets[22] |= 64
    batch = one(bytes(octets))
    assert batch.delete_horizon == 0x1A000000000 and batch.base_timestamp is None


def test_bare_snappy_and_xerial() -> None:
    """librdkafka writes a bare block, Java's library blocks with lengths."""
    payload = JAVA[61:]
    header = bytearray(JAVA[:61])
    header[22] |= 2
    stream = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
    blocks = b"".join(
        len(block).to_bytes(4, "big") + block for block in (snappy.compress(payload[:5]), snappy.compress(payload[5:]))
    )
    for compressed in (snappy.compress(payload), stream + blocks):
        octets = with_payload(bytes(header), compressed)
        assert [record.value for record in one(octets).records()] == [b"0123456789"]
    for broken in (
        stream[:12],
        (stream + blocks)[:-1],
        stream + b"\0\0",
        snappy.compress(payload)[:-1],
        b"",
        b"\xff" * 9,
    ):
        with pytest.raises(ProtocolError):
            list(one(with_payload(bytes(header), broken)).records())


def with_payload(header: bytes, payload: bytes) -> bytes:
    return header[:8] + (49 + len(payload)).to_bytes(4, "big") + header[12:61] + payload


@pytest.mark.parametrize("size", [True, False])
@pytest.mark.parametrize("check", [True, False])
def test_zstd_frames(size: bool, check: bool) -> None:
    """Java and librdkafka write frames without the content's size, the clients in Python with it. None is taken for whole that is cut."""
    payload = record(bytes(range(256)) * 400)
    header = bytearray(JAVA[:61])
    header[22] |= 4
    frame = zstandard.ZstdCompressor(write_content_size=size, write_checksum=check).compress(payload)
    assert [each.value for each in one(with_payload(bytes(header), frame)).records()] == [bytes(range(256)) * 400]
    skipped = b"\x5e\x2a\x4d\x18\x03\0\0\0abc"
    assert len(list(one(with_payload(bytes(header), skipped + frame)).records())) == 1
    for broken in [frame[:cut] for cut in range(len(frame))] + [frame + b"x", frame + frame[:-1], skipped[:-1]]:
        with pytest.raises(ProtocolError):
            list(one(with_payload(bytes(header), broken)).records())


def varint(number: int) -> bytes:
    value = (number << 1) ^ (number >> 63)
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes(found) + bytes([value])


def record(value: bytes) -> bytes:
    body = b"\0\0\0\x01" + varint(len(value)) + value + b"\0"
    return varint(len(body)) + body


@pytest.mark.parametrize("codec", [1, 3])
def test_streams_that_are_cut(codec: int) -> None:
    header = bytearray(JAVA[:61])
    header[22] |= codec
    compress = zlib_gzip if codec == 1 else lz4.frame.compress
    whole = compress(record(bytes(range(256)) * 40))
    assert len(list(one(with_payload(bytes(header), whole)).records())) == 1
    for broken in [whole[:cut] for cut in range(len(whole))] + [whole + b"x"]:
        with pytest.raises(ProtocolError):
            list(one(with_payload(bytes(header), broken)).records())


def zlib_gzip(octets: bytes) -> bytes:
    stream = zlib.compressobj(wbits=31)
    return stream.compress(octets) + stream.flush()


def bombs() -> list[tuple[str, int, bytes]]:
    zeros = bytes(1 << 20)
    window = zstandard.ZstdCompressor(write_content_size=False)
    return [
        ("gzip", 1, zlib_gzip(zeros)),
        ("snappy", 2, snappy.compress(zeros)),
        ("lz4", 3, lz4.frame.compress(zeros, store_size=False)),
        ("zstd", 4, window.compress(zeros)),
        ("zstd that says so", 4, zstandard.ZstdCompressor().compress(zeros)),
    ]


@pytest.mark.parametrize(("codec", "octets"), [each[1:] for each in bombs()], ids=[each[0] for each in bombs()])
def test_bombs(codec: int, octets: bytes) -> None:
    header = bytearray(JAVA[:61])
    header[22] |= codec
    batch = one(with_payload(bytes(header), octets), 1000)
    with pytest.raises(LimitExceeded, match="decoded_size = 65536") as caught:
        batch.records(65536)
    assert caught.value.offset == 1000
    with pytest.raises(ProtocolError) as other:
        list(batch.records(1 << 20))
    assert not isinstance(other.value, LimitExceeded)  # they are zeros, and no records
    with pytest.raises(LimitExceeded):
        batch.records((1 << 20) - 1)


def test_a_lie_of_snappy_allocates_nothing() -> None:
    header = bytearray(JAVA[:61])
    header[22] |= 2
    with pytest.raises(ProtocolError, match="say they are"):
        one(with_payload(bytes(header), b"\x80\x80\x80\x20")).records()


def test_bomb_inside_a_message() -> None:
    value = zlib_gzip(bytes(1 << 20))
    body = struct.pack(">BBi", 0, 1, -1) + struct.pack(">i", len(value)) + value
    octets = struct.pack(">qiI", 0, 4 + len(body), zlib.crc32(body)) + body
    with pytest.raises(LimitExceeded):
        one(octets).records(1000)


def message(offset: int, value: bytes | None, magic: int = 0, attributes: int = 0) -> bytes:
    body = struct.pack(">BB", magic, attributes) + bytes(8 * magic) + struct.pack(">i", -1)
    body += struct.pack(">i", -1 if value is None else len(value)) + (value or b"")
    return struct.pack(">qiI", offset, 4 + len(body), zlib.crc32(body)) + body


@pytest.mark.parametrize(
    "inside",
    [
        message(0, b"x", attributes=1),  # compressed again
        message(0, b"x", magic=1),
        message(0, b"x")[:-1],
        message(0, b"x") + b"\0",
        bytes(30),
    ],
)
def test_message_sets_that_break_the_rules(inside: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(one(message(0, zlib_gzip(inside), attributes=1)).records())


def test_a_compressed_message_without_a_set() -> None:
    with pytest.raises(ProtocolError):
        one(message(0, None, attributes=1)).records()
    assert list(one(message(0, zlib_gzip(b""), attributes=1)).records()) == []


def test_control_batches() -> None:
    for mark, octets in (("abort", b"\0\0\0\0"), ("commit", b"\0\0\0\x01"), ("5", b"\0\0\0\x05")):
        body = b"\0\0\0" + varint(4) + octets + varint(6) + bytes(6) + b"\0"
        batch = with_payload(JAVA[:61], varint(len(body)) + body)
        batch = batch[:21] + b"\0\x30" + batch[23:]
        assert one(batch).control and one(batch).transactional
        assert one(batch).control_type == mark
        assert next(Records(batch + JAVA, 0, len(batch + JAVA)).records()).value == b"0123456789"
    broken = JAVA[:21] + b"\0\x30" + JAVA[23:]
    with pytest.raises(ProtocolError):
        one(broken).control_type  # noqa: B018
    assert one(JAVA).control_type is None


def test_a_batch_that_is_cut() -> None:
    """raw-partial: a partition's limit of 100 octets with batches of 78 gives 78 and 22."""
    for cut in range(len(JAVA)):
        octets = b"before" + JAVA + JAVA[:cut]
        records = Records(octets, 6, len(octets), 500)
        assert [batch.offset for batch in records.batches] == [500]
        assert (records.cut, records.size, records.count) == (cut, 78 + cut, 1)
        assert len(list(records.records())) == 1


def test_sizes_that_are_none() -> None:
    for size in (-1, 0, 8, 48, 2**31 - 1, -(2**31)):
        octets = JAVA + JAVA[:8] + struct.pack(">i", size) + JAVA[12:]
        records = Records(octets, 0, len(octets))
        assert (len(records.batches), records.cut) == (1, 78)


def test_a_magic_of_tomorrow() -> None:
    octets = JAVA[:16] + b"\x03" + JAVA[17:]
    batch = one(octets)
    assert (batch.magic, batch.size, batch.compression) == (3, 78, "none")
    assert batch.count is batch.base_offset is batch.last_offset is batch.max_timestamp is batch.checksum is None
    assert batch.timestamp_type is batch.checksum_matches() is batch.producer_id is None
    with pytest.raises(Unsupported):
        batch.records()


def test_a_compression_of_tomorrow() -> None:
    batch = one(JAVA[:22] + b"\x05" + JAVA[23:])
    assert batch.compression == "5"
    with pytest.raises(Unsupported):
        batch.records()


def test_a_wrong_checksum() -> None:
    assert one(JAVA).checksum_matches() is False
    changed = bytearray(message(0, b"x"))
    assert one(bytes(changed)).checksum_matches() is True
    changed[-1] ^= 1
    assert one(bytes(changed)).checksum_matches() is False


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        JAVA[61:-1],
        JAVA[61:] + b"\0",
        b"\x21" + JAVA[62:],  # a negative length
        b"\x22" + JAVA[62:] + b"\0",  # a record longer than what is in it
        b"\x1e" + JAVA[62:],
        b"\xff\xff\xff\xff\xff\x0f" + JAVA[62:],
        b"\x20\0\0\0\x01\x16" + JAVA[67:],
        b"\x20\0\0\0\x03\x14" + JAVA[67:],
        b"\x20" + JAVA[62:-1] + b"\x01",  # -1 headers
        b"\x20" + JAVA[62:-1] + b"\x02",
        b"\x24" + JAVA[62:-1] + b"\x02\x01\x01",  # a header whose key is null
        b"\x20\0" + b"\xff" * 11 + JAVA[74:],
    ],
)
def test_records_that_break_the_rules(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        list(one(with_payload(JAVA[:61], payload), 7).records())
    assert caught.value.offset == 7


def test_counts_that_lie() -> None:
    for count in (-1, 0, 2, 2**31 - 1):
        with pytest.raises(ProtocolError):
            list(one(JAVA[:57] + struct.pack(">i", count) + JAVA[61:]).records())


def test_extremes_of_offsets_and_times() -> None:
    """The largest base with the largest deltas is no number of 64 bits, and still one."""
    top = 2**63 - 1
    body = b"\0" + varint(-top) + varint(2**31 - 1) + b"\x01\x01\0"
    octets = with_payload(
        struct.pack(">q", top) + JAVA[8:27] + struct.pack(">q", -top - 1) + JAVA[35:61], varint(len(body)) + body
    )
    (found,) = one(octets).records()
    assert facts(found) == (top + 2**31 - 1, -2 * top - 1, None, None, [])


@settings(max_examples=300)
@given(st.binary(max_size=120), st.integers(0, 5), st.integers(0, 255))
def test_hostile_octets(tail: bytes, magic: int, attributes: int) -> None:
    head = bytes(8) + (len(tail) + 6).to_bytes(4, "big") + bytes(4) + bytes([magic, attributes])
    for octets in (tail, head + tail, with_payload(JAVA[:21] + bytes([0, attributes]) + JAVA[23:61], tail)):
        records = Records(octets, 0, len(octets))
        assert sum(batch.size for batch in records.batches) + records.cut == len(octets)
        for batch in records.batches:
            repr(batch)
            batch.checksum_matches()
            try:
                assert sum(1 for _ in batch.records(4096)) >= 0
                repr(batch.control_type)
            except L7Error:
                pass


@settings(max_examples=300)
@given(st.data())
def test_flipped_octets(data: st.DataObject) -> None:
    codec = data.draw(st.integers(0, 4))
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, 0, 1 << 20)
    for index in range(5):
        builder.append(index, NOW, b"key", b"value" * 20, [("name", b"x")])
    octets = bytearray(builder.build())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    records = Records(bytes(octets), 0, len(octets))
    try:
        assert len(list(records.records(1 << 16))) < 1 << 16
    except L7Error:
        pass


@pytest.mark.parametrize(("codec", "name"), [(2, "cramjam"), (3, "lz4.frame"), (4, "zstandard")])
def test_a_missing_library_names_the_extra(codec: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, 0, 1 << 20)
    builder.append(0, NOW, None, bytes(1000), [])
    batch = one(bytes(builder.build()))
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"l7codecs\[kafka\]"):
        batch.records()
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    with pytest.raises(ImportError, match=r"l7codecs\[kafka\]"):
        batch.checksum_matches()
    assert (batch.count, batch.compression) == (1, CODECS[codec])


def test_decoded_size_is_a_size() -> None:
    with pytest.raises(ValueError, match="negative"):
        one(JAVA).records(-1)
