"""ThriftMux keeps every promise of the interface, and says what its frames say."""

from __future__ import annotations

import os
from pathlib import Path
from struct import pack

import pytest

import l7codecs
from l7codecs import Kind, LimitExceeded, Sender, Status, Unsupported, Verdict, open_session
from l7codecs.testing import ProtocolConformance, Vector, load_vectors, replay
from l7codecs_thrift import THRIFTMUX, MuxMessage

from . import thrift_recorded as recorded

C, S = Sender.CLIENT, Sender.SERVER
VECTORS = tuple(load_vectors(Path(__file__).parent.parent / "vectors" / "mux"))


def frame(kind: int, tag: int, body: bytes = b"") -> bytes:
    return pack(">i", len(body) + 4) + pack(">b", kind) + pack(">I", tag)[1:] + body


class TestMux(ProtocolConformance):
    protocol = "thriftmux"
    vectors = VECTORS

    def large(self, size: int) -> list[Vector]:
        call = b"\x80\x01\x00\x01\0\0\0\5hello\0\0\0\0\x0b\0\1" + pack(">i", size) + bytes(size) + b"\0"
        reply = b"\x80\x01\x00\x02\0\0\0\5hello\0\0\0\0\x0b\0\0" + pack(">i", size) + bytes(size) + b"\0"
        short = b"\x80\x01\x00\x01\0\0\0\5hello\0\0\0\0\0"
        return [
            Vector("a long call", ((C, frame(2, 2, bytes(6) + call)), (S, frame(-2, 2, bytes(3) + short)))),
            Vector("a long answer", ((C, frame(2, 2, bytes(6) + short)), (S, frame(-2, 2, bytes(3) + reply)))),
        ]


def test_what_is_discarded_refused_or_drained_is_told() -> None:
    failures = next(each for each in VECTORS if each.name == "made-failures")
    outcome = replay(l7codecs.open_session("thriftmux"), failures)
    said = [(each.kind, each.status, each.error) for each in outcome.events if isinstance(each, MuxMessage)]
    assert [each[1:] for each in said if each[0] is Kind.RESPONSE] == [
        (Status.UNKNOWN, "ERROR"), (Status.UNAVAILABLE, "NACK"), (Status.CANCELLED, "Rdiscarded"), (Status.INTERNAL, "Rerr"),
    ]  # fmt: skip
    assert Kind.GOAWAY in [each[0] for each in said] and outcome.pending == 0


def test_pings_and_errors_are_answered_here() -> None:
    session = l7codecs.open_session("thriftmux", endpoint=S)
    ping, call = session.receive(C, frame(65, 9) + frame(2, 7, bytes(6) + b"\x80\x01\x00\x01\0\0\0\1a\0\0\0\0\0"))
    assert session.reply_heartbeat(ping) == frame(-65, 9)
    assert session.reply_error(call, Status.UNAVAILABLE, "no") == frame(-2, 7, b"\2\0\0no")
    with pytest.raises(Unsupported):
        session.reply_error(call, Status.INTERNAL, "twice")


@pytest.mark.skipif(not recorded.FOLDER, reason="L7CODECS_RECORDINGS is not set")
def test_a_recording_of_finagle() -> None:
    """Three calls of one method: two are answered, the last with an exception."""
    if not os.path.exists(recorded.folder() / "finagle-mux.txt"):
        pytest.fail("finagle-mux.txt is missing")
    vector = recorded.read(recorded.folder() / "finagle-mux.txt")
    assert THRIFTMUX.detect(vector.octets(C), b"").verdict is Verdict.YES
    assert l7codecs.detect(vector.octets(C), b"")[0].protocol == "thriftmux"
    outcome = replay(l7codecs.open_session("thriftmux"), vector)
    assert not outcome.errors and outcome.pending == 0
    calls = [each for each in outcome.events if each.kind is Kind.REQUEST]
    answers = [each for each in outcome.events if isinstance(each, MuxMessage) and each.type_id == -2]
    assert [each.operation for each in calls] == ["hello"] * 3  # type: ignore[attr-defined]
    assert [each.request for each in answers] == calls
    assert [each.status for each in answers] == [Status.OK, Status.OK, Status.INTERNAL]
    assert "com.twitter.finagle.tracing.TraceContext" in calls[0].headers  # type: ignore[attr-defined]


@pytest.mark.parametrize("protocol", ["thrift", "thriftmux"])
@pytest.mark.parametrize("size", [0x7FFFFFFC, 0x7FFFFFFF])
def test_the_largest_sizes_pass_the_limit(protocol: str, size: int) -> None:
    session = open_session(protocol)
    with pytest.raises(LimitExceeded, match=f"a frame of {size + 4} octets"):
        list(session.receive(Sender.CLIENT, size.to_bytes(4, "big") + b"\x80\x01\0\x01"))
