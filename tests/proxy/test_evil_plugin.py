"""A plugin that raises where no plugin may, at each place at which the engine runs its code: it harms nobody but who asks so.

Whoever says ``evil`` gets an answer or the end of its connection; others on the same connections get all of theirs, operators are told
once, and observers stay.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from l7codecs import Attribute, Changes, Direction, Message, ProtocolError, Sender, Session, Status, Tie, Ties, registry
from l7codecs.proxy.exchange import Failure
from l7codecs.proxy.telemetry.access_log import AccessLog
from l7codecs.proxy.telemetry.masking import Mask
from l7codecs.proxy.telemetry.metrics import Metrics

from ..toys import ATTRIBUTES, NumberedMessage, NumberedSession, ToyMessage, ToySession, frame, framed, numbered
from .running import running, wait_until
from .servers import Upstream
from .tongues import Answer, Tongue

C, S = Sender.CLIENT, Sender.SERVER
EVIL = b"evil"
RAISED = "it is the plugin's fault"


class Place:
    """Where it raises now."""

    name = ""
    error: Callable[[str], Exception] = KeyError


def strike(name: str, octets: bytes) -> None:
    if name == Place.name and EVIL in octets:
        raise Place.error(RAISED)


OF_MESSAGES = (
    "operation",
    "service",
    "resources",
    "headers",
    "status",
    "error",
    "pins",
    "blocks",
    "attributes",
    "request_id",
    "last",
)
OF_SESSIONS = ("send_message", "reply_error", "pending_output", "unanswered", "cancel", "close")


def evil(base: Any, session: type[ToySession], message: type[ToyMessage], **changes: Any) -> Any:
    class EvilMessage(message):  # type: ignore[misc,valid-type]
        def collect(self, attributes: Any) -> None:
            strike("Message.collect" if self.sender is C else "answer.collect", self.raw)
            super().collect(attributes)

        def attribute(self, name: str) -> Any:
            strike("Message.attribute", self.raw)
            return super().attribute(name)

        def renumbered(self, number: int) -> Any:
            strike("Message.renumbered" if self.sender is C else "answer.renumbered", self.raw)
            return super().renumbered(number)

        @property
        def pins(self) -> str | None:
            return self.evil_get("pins") or ("tied" if Place.name.startswith("Ties") and EVIL in self.raw else None)

    for name in OF_MESSAGES:
        if name == "pins":
            continue
        prop = property(lambda self, name=name: self.evil_get(name))  # type: ignore[misc]
        setattr(EvilMessage, name, prop)

    def evil_get(self: Any, name: str) -> Any:
        strike(f"Message.{name}" if self.sender is C else f"answer.{name}", self.raw)
        return getattr(super(EvilMessage, self), name)

    EvilMessage.evil_get = evil_get

    class EvilDecoder(session.decoders):  # type: ignore[misc,name-defined]
        messages = EvilMessage

        def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Any:
            strike("decoding requests" if self.sender is C else "decoding answers", octets[start:stop])
            return super().message(octets, start, stop, offset, more)

    class EvilSession(session):  # type: ignore[misc,valid-type]
        decoders = EvilDecoder
        met = False

        def strike(self, name: str) -> None:
            side = "to clients" if self.endpoint is S else "to servers"
            if self.met:
                strike(f"{name} {side}", EVIL)

        def send_message(self, message: Message, changes: Changes | None) -> bytes:
            self.met = self.met or EVIL in message.raw
            if EVIL in message.raw:
                self.strike("send_message")
            return super().send_message(message, changes)

        def reply_error(self, request: Message, status: Status, text: str) -> bytes:
            self.met = self.met or EVIL in request.raw
            self.strike("reply_error")
            return super().reply_error(request, status, text)

        def pending_output(self) -> bytes:
            self.strike("pending_output")
            return super().pending_output()

        def unanswered(self) -> list[Message]:
            self.strike("unanswered")
            return super().unanswered()

        def cancel(self, request: Message) -> bytes:
            self.met = self.met or EVIL in request.raw
            self.strike("cancel")
            return super().cancel(request)

        def close(self) -> bytes:
            self.strike("close")
            return super().close()

    class EvilTies(Ties):
        def tie(self, message: Message) -> Tie:
            strike("Ties.tie", message.raw)
            return Tie.OPENS if Place.name == "Ties.reply_opened" and EVIL in message.raw else super().tie(message)

        def frees(self, message: Message) -> tuple[str, ...]:
            strike("Ties.frees", message.raw)
            return super().frees(message)

        def stand_in(self, message: Message) -> Message | None:
            strike("Ties.stand_in", message.raw)
            return None

        def reply_opened(self, session: Session, message: Message) -> bytes:
            raise KeyError(RAISED)

    extra = Attribute("l7.pins", str, Direction.CLIENT, "never")
    return base(EvilSession, attributes=(*ATTRIBUTES, extra), ties=EvilTies(), **changes)


def answer(asked: bytes) -> bytes:
    return asked[:4] + b"." + asked[5:]


def manner(upstream: Upstream, connection: socket.socket, asked: Iterator[bytes]) -> None:
    for each in asked:
        if b"slow" in each:
            time.sleep(0.05)
        connection.sendall(answer(each))


def tongue_of(name: str, head: int) -> Tongue:
    def size(octets: bytes) -> int:
        whole = head + int.from_bytes(octets[:4])
        return whole if len(octets) >= max(whole, head) else 0

    def ask(number: int, text: str) -> bytes:
        return frame("?", text.encode(), number if head > 5 else None)

    return Tongue(name, ask, answer, size, lambda octets: Answer(None, octets[head:].decode(), None), b"")


SETTINGS = """
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: {name}, cluster: plain }} }}
clusters:
  plain: {{ hosts: ["127.0.0.1:{port}"] }}
rules:
- match: {{ protocol: {name}, resources: refused }}
  reply: {{ status: NOT_FOUND, text: no }}
- match: {{ protocol: {name}, operation: evil, attributes: {{ toy.size: {{ range: {{ from: 0, to: 255 }} }} }} }}
  cluster: plain
  hash: {{ by: attribute, name: toy.operation }}
  deadline: 2s
  retry: {{ attempts: 2, any_access: true }}
"""
PLACES = [
    *(f"Message.{name}" for name in (*OF_MESSAGES, "collect", "attribute") if name not in ("last", "request_id")),
    *(f"answer.{name}" for name in ("status", "error", "last")),
    "decoding requests",
    "decoding answers",
    "reply_error to clients",
    "pending_output to clients",
    "close to clients",
    "Ties.tie",
    "Ties.frees",
    "Ties.stand_in",
]
OF_ALL = ("decoding answers", "answer.request_id", "pending_output to servers", "unanswered to servers")
"""Where others have asked on the same connection, which ends by it: they are answered all the same, with an error."""
OF_NUMBERED = [
    "Message.request_id",
    "Message.renumbered",
    "answer.request_id",
    "answer.renumbered",
    "send_message to clients",
    "send_message to servers",
    "pending_output to servers",
    "unanswered to servers",
]


def take(raw: socket.socket, tongue: Tongue, count: int) -> list[bytes]:
    """So many answers, or fewer where the connection ends; a time that runs out is an error."""
    raw.settimeout(10)
    found: list[bytes] = []
    left = b""
    while len(found) < count:
        try:
            more = raw.recv(65536)
        except ConnectionResetError:
            break
        if not more:
            break
        whole, left = tongue.split(left + more)
        found += whole
    return found


@pytest.fixture
def tongue(numbers: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tongue]:
    """Of a protocol that pairs in order, or by numbers."""
    if not numbers:
        protocol = evil(framed, ToySession, ToyMessage)
    else:
        protocol = evil(numbered, NumberedSession, NumberedMessage)
    monkeypatch.setitem(registry._loaded, protocol.name, protocol)
    monkeypatch.setitem(registry._by_name(), protocol.name, [EntryPoint(protocol.name, "tests.toys", registry.GROUP)])
    Place.name = ""
    Place.error = KeyError
    yield tongue_of(protocol.name, 7 if numbers else 5)
    Place.name = ""


@pytest.mark.parametrize(
    ("numbers", "place"), [*((False, each) for each in PLACES), *((True, each) for each in (*OF_NUMBERED, *PLACES))]
)
def test_harms_nobody_else(tongue: Tongue, place: str, tmp_path: Path) -> None:
    count = itertools.count(1)
    with (
        contextlib.closing(AccessLog(str(tmp_path / "log"), Mask())) as log,
        Upstream(tongue, manner) as upstream,
        running(SETTINGS.format(name=tongue.name, port=upstream.port), [log, Metrics()]) as here,
    ):
        engine = here.engine
        observers = list(engine.observers.each)

        def say_evil() -> socket.socket:
            bad = socket.create_connection(("127.0.0.1", here.port()))
            said = ("good before", "evil thing", "evil refused", "evil again")
            bad.sendall(b"".join(tongue.ask(number, each) for number, each in enumerate(said)))
            take(bad, tongue, 4)
            bad.sendall(tongue.ask(5, "evil and slow"))
            return bad

        def ask_good(many: int) -> None:
            good.sendall(b"".join(tongue.ask(next(count), "good") for _ in range(many)))

        with socket.create_connection(("127.0.0.1", here.port())) as good:
            ask_good(3)
            assert len(take(good, tongue, 3)) == 3
            Place.name = place
            for _ in range(2):
                ask_good(20)
                say_evil().close()
                assert len(take(good, tongue, 20)) == 20
            Place.name = ""
            ask_good(1)
            (last,) = take(good, tongue, 1)
            assert tongue.read(last).value == "good"
            Place.name = place
            with say_evil():
                here.call(engine.drain(0.1))
        wait_until(lambda: not engine.clients)
        assert list(engine.observers.each) == observers
        told = engine.observers.failed.copy()
        engine.observers.failed.clear()
    assert all("is at fault: KeyError" in each for each in told)
    assert len(told) == 1, "operators are told, once"
    seen = {each.failure for each in here.seen.exchanges if each.request.raw[-4:] == b"good"}
    assert seen == {None} or (place in OF_ALL and seen == {None, Failure.RESET})


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("place", ["Message.attribute", "Message.operation", "answer.status"])
def test_what_cannot_be_read_so_far_is_an_error_to_who_asked(tongue: Tongue, place: str) -> None:
    """That is nobody's fault, and its client goes on."""
    Place.error = lambda text: ProtocolError(7, text, "something")
    with (
        Upstream(tongue, manner) as upstream,
        running(SETTINGS.format(name=tongue.name, port=upstream.port)) as here,
        socket.create_connection(("127.0.0.1", here.port())) as raw,
    ):
        for _ in range(2):
            Place.name = place
            raw.sendall(tongue.ask(1, "good") + tongue.ask(2, "evil") + tongue.ask(3, "good"))
            answered = sorted(tongue.read(each).value or "" for each in take(raw, tongue, 3))
            assert answered == ["FAILED", "good", "good"]
            Place.name = ""
        assert [each.failure is not None for each in here.seen.exchanges].count(True) == 2
        assert here.seen.refusals == []
