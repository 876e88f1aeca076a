"""The window against a plain model: one bytes object and one index."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from l7codecs.buffer import Buffer
from l7codecs.testing import growth

CHUNKS = st.lists(st.binary(max_size=90), max_size=12)


@given(CHUNKS, st.data())
@settings(max_examples=400, deadline=None)
def test_it_behaves_as_one_piece(chunks: list[bytes], data: st.DataObject) -> None:
    """Random reads and random operations: positions, octets and messages are those of the whole direction."""
    buffer = Buffer()
    fed = b""
    pos = start = 0
    for chunk in chunks:
        buffer.feed(chunk)
        fed += chunk
        for _ in range(data.draw(st.integers(0, 4))):
            assert buffer.available == len(fed) - pos
            assert buffer.unfinished == len(fed) - start
            assert buffer.offset == pos
            assert buffer.message_offset == start
            assert buffer.message_size() == pos - start
            action = data.draw(
                st.sampled_from(("need", "pass_over", "pass_window", "take", "look", "message", "line", "release"))
            )
            size = data.draw(st.integers(0, 120))
            if action == "need":
                there = buffer.need(size)
                assert there == (len(fed) - pos >= size)
                if there:
                    assert buffer.data[buffer.pos : buffer.pos + size] == fed[pos : pos + size]
            elif action == "pass_over":
                left = buffer.pass_over(size)
                assert left == max(0, size - (len(fed) - pos))
                pos += size - left
            elif action == "pass_window":
                left = buffer.pass_window(size)
                assert 0 <= left <= size
                assert pos + size - left <= len(fed)
                assert left < size or size == 0 or pos == len(fed) or start < pos
                pos += size - left
            elif action == "take":
                assert buffer.take() == fed[start:pos]
                start = pos
            elif action == "look":  # as often as one likes
                octets, at = buffer.message(), buffer.message_start()
                assert octets[at : at + pos - start] == fed[start:pos]
            elif action == "message":
                octets, at = buffer.message(), buffer.message_start()
                assert octets[at : at + pos - start] == fed[start:pos]
                buffer.finish()
                start = pos
            elif action == "line":
                end = fed.find(b"\n", pos)
                found = buffer.line(50)
                if end >= 0 and end + 1 - pos <= 50:
                    assert found == end + 1 - pos
                    assert buffer.data[buffer.pos : buffer.pos + found] == fed[pos : end + 1]
                    buffer.pos += found
                    pos = end + 1
                else:
                    assert found == (-1 if len(fed) - pos >= 50 else 0)
                    # A decoder that waits for a line does nothing else.
                    buffer.finish()
                    start = pos
            else:
                buffer.release()
    assert buffer.take_all() == fed[start:]


def test_a_chunk_that_is_not_cut_is_not_copied() -> None:
    buffer = Buffer()
    chunk = bytes(1000)
    buffer.feed(chunk)
    assert buffer.data is chunk
    buffer.pass_over(1000)
    assert buffer.take() is chunk


def test_only_the_cut_token_is_joined_with_the_next_chunk() -> None:
    buffer = Buffer()
    second = bytes(100_000)
    buffer.feed(b"ab")
    buffer.pass_over(1)
    buffer.feed(second)
    assert buffer.need(3)
    assert len(buffer.data) < 200
    buffer.pass_over(3)
    buffer.take()
    assert buffer.need(1000)
    assert buffer.data is second


def test_lines_are_scanned_once() -> None:
    """A line of 64 KiB octet by octet: no more than a few times the octets are touched."""

    def seconds(size: int) -> float:
        buffer = Buffer()
        start = time.process_time()
        buffer.feed(b"x")
        buffer.need(1)
        for _ in range(size):
            buffer.feed(b"x")
            assert buffer.line(1 << 20) == 0
        return time.process_time() - start

    assert growth(seconds, 16_384, 131_072, 24) <= 24


def test_an_idle_buffer_holds_no_chunk() -> None:
    buffer = Buffer()
    buffer.feed(bytes(70_000))
    buffer.pass_over(70_000)
    buffer.take()
    buffer.release()
    assert buffer.data == b""
    assert buffer.offset == 70_000
