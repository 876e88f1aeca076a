"""The sides of each row of HTTP/2 find the same in the same octets: a benchmark that compares unequal work is a defect.

What is called here, message by message, are the functions that the other modules time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import BuiltinMethodType

import jh2._hazmat
import pytest

from l7codecs import Status

from .http2_octets import FRAME_SIZE, ROUND_COUNT, Conversation, body, groups, reads
from .http2_sides import (
    H2Answers,
    H2Body,
    H2Requests,
    Nghttp2,
    OurAnswers,
    OurBody,
    OurCalls,
    OurRequests,
    Walk,
    hpack_decoder,
    jh2_decoder,
    nghttp2_missing,
)
from .test_http2_body import head
from .test_http2_messages import H2_FRAMES
from .test_http2_streams import COUNT, measure_memory, opening


def _skip_nghttp2() -> None:
    missing = nghttp2_missing()
    if missing is not None:
        pytest.skip(f"nghttp2 is left out: {missing}")


@pytest.mark.parametrize("fresh", [False, True])
def test_every_side_finds_the_same_methods_and_paths(fresh: bool) -> None:
    now = Conversation(fresh).round(0)
    ours, calls, h2 = OurRequests(), OurCalls(), H2Requests()
    walks = [Walk(decoder(), b":method", b":path") for decoder in (hpack_decoder, jh2_decoder)]
    paths = set()
    for octets, fields in zip(now.requests, now.fields, strict=True):
        assert len(fields) == 12
        method, path = dict(fields)[b":method"], dict(fields)[b":path"]
        assert ours([octets]) == (method.decode(), path.decode())
        assert h2([octets]) == walks[0]([octets]) == walks[1]([octets]) == (method, path)
        service, operation = calls([octets])
        assert f"/{service}/{operation}".encode() == path
        paths.add(path)
    assert len(paths) == ROUND_COUNT if fresh else len(paths) == 24


@pytest.mark.parametrize("fresh", [False, True])
def test_nghttp2_finds_the_same_methods_and_paths(fresh: bool) -> None:
    _skip_nghttp2()
    now = Conversation(fresh).round(0)
    with Nghttp2("server") as native:
        for octets, fields in zip(now.requests, now.fields, strict=True):
            assert native([octets]) > 0
            assert native.count == 1
            assert native.last == (dict(fields)[b":method"], dict(fields)[b":path"])


@pytest.mark.parametrize("fresh", [False, True])
def test_every_side_finds_the_same_statuses(fresh: bool) -> None:
    now = Conversation(fresh).round(0)
    ours, h2 = OurAnswers(), H2Answers()
    ours.ask(now.requests)
    h2.ask(now.streams)
    walks = [Walk(decoder(), b":status", b"grpc-status") for decoder in (hpack_decoder, jh2_decoder)]
    statuses = set()
    for index, octets in enumerate(now.answers):
        status = now.statuses[index // 2]
        expected = (b"200", None) if index % 2 == 0 else (None, status)
        assert h2([octets]) == walks[0]([octets]) == walks[1]([octets]) == expected
        if index % 2 == 0:
            assert ours([octets]) == (200, None)
        else:
            assert ours([octets]) == (None, Status(int(status)))
            statuses.add(status)
    assert statuses == {b"0", b"5"}
    assert ours.session.pending == 0


@pytest.mark.parametrize("fresh", [False, True])
def test_nghttp2_finds_the_same_statuses(fresh: bool) -> None:
    _skip_nghttp2()
    now = Conversation(fresh).round(0)
    with Nghttp2("client") as native:
        native.ask(len(now.streams))
        for index, octets in enumerate(now.answers):
            native([octets])
            assert native.last == ((b"200", None) if index % 2 == 0 else (None, now.statuses[index // 2]))


@pytest.mark.parametrize("fresh", [False, True])
def test_rounds_follow_each_other(fresh: bool) -> None:
    """In reads that cut frames, as they are timed."""
    conversation = Conversation(fresh)
    ours, h2, walk = OurRequests(), H2Requests(), Walk(jh2_decoder(), b":method", b":path")
    answers, h2_answers, back = OurAnswers(), H2Answers(), Walk(hpack_decoder(), b":status", b"grpc-status")
    for index in range(3):
        now = conversation.round(index)
        path = dict(now.fields[-1])[b":path"]
        assert ours(reads(now.requests)) == ("POST", path.decode())
        assert h2(groups(now.requests, H2_FRAMES)) == walk(reads(now.requests)) == (b"POST", path)
        assert ours.session.pending == ROUND_COUNT
        ours.answer(now.closing)
        assert ours.session.pending == 0
        answers.ask(now.requests)
        h2_answers.ask(now.streams)
        status = now.statuses[-1]
        assert answers(reads(now.answers)) == (None, Status(int(status)))
        assert h2_answers(reads(now.answers)) == back(reads(now.answers)) == (None, status)
        assert answers.session.pending == 0


@pytest.mark.parametrize("fresh", [False, True])
def test_nghttp2_takes_all_rounds(fresh: bool) -> None:
    _skip_nghttp2()
    conversation = Conversation(fresh)
    with Nghttp2("server") as server, Nghttp2("client") as client:
        for index in range(3):
            now = conversation.round(index)
            server.close_streams()
            server(reads(now.requests))
            assert server.count == ROUND_COUNT
            assert server.last == (b"POST", dict(now.fields[-1])[b":path"])
            client.ask(len(now.streams))
            client(reads(now.answers))
            assert client.count == 2 * ROUND_COUNT
            assert client.last == (None, now.statuses[-1])


def test_every_side_finds_the_same_octets_of_a_body() -> None:
    frames = body(1, 64 * FRAME_SIZE, ends=False)
    ours, h2 = OurBody(head()), H2Body(head(), 1)
    for octets in frames:
        assert ours([octets]) == h2([octets]) == FRAME_SIZE
    for _ in range(3):
        h2.open_windows()
        assert ours(reads(frames)) == h2(reads(frames)) == 64 * FRAME_SIZE


def test_the_decoder_of_jh2_is_the_one_in_rust() -> None:
    """jh2 has one in Python too, which is as slow as hpack's and finds the same."""
    assert isinstance(jh2._hazmat.Decoder().decode, BuiltinMethodType)
    assert not str(sys.modules["jh2._hazmat"].__file__).endswith(".py")


def test_memory_of_streams_is_not_hidden(tmp_path: Path) -> None:
    """Fresh strings take more than repeated ones, and more than the octets they came in; not so where the heap had room before."""
    found = []
    for fresh in (False, True):
        path = tmp_path / f"requests-{fresh}"
        path.write_bytes(b"".join(opening(fresh)))
        found.append(measure_memory(path))
        assert found[-1]["open"] == found[-1]["events"] == COUNT
        assert found[-1]["each"] > found[-1]["wire"]
    assert found[1]["each"] - found[0]["each"] > found[1]["wire"] - found[0]["wire"]
