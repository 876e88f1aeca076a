"""Changes to what real consumers and providers have said: what is changed says the new value, everything else is as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import l7codecs
from l7codecs import Changes, HeaderValue, Sender, Unsupported
from l7codecs_dubbo import DubboEvent, DubboMessage, DubboRequest, DubboResponse

from .dialogues import every_message, is_readable, read_again

Truth = dict[str, Any]

NEW: list[tuple[str, HeaderValue]] = [
    ("tenant", "a"),
    ("zone", "中文 😀 é"),
    ("empty", ""),
    ("long text", "x" * 70_000),
    ("number", 7),
    ("large", 2**40),
    ("negative", -(2**63)),
    ("yes", True),
    ("no", False),
    ("ratio", 0.1),
    ("whole", 12.0),
]


def sent(message: DubboMessage, changes: Changes) -> bytes:
    """`message` with `changes`, as an endpoint writes it that has nothing else to write."""
    session = l7codecs.open_session("dubbo", endpoint=message.sender, limits=l7codecs.Limits(message=8 * 1024 * 1024))
    if message.kind is l7codecs.Kind.RESPONSE:
        session = l7codecs.open_session("dubbo")
    return session.send(message, changes)


def said(message: DubboMessage) -> Truth:
    found: Truth = dict(message.attributes)
    found.pop("dubbo.malformed", None)  # it says where
    found["headers"] = list(message.headers)
    found["status"], found["error"] = message.status, message.error
    found["kind"] = message.kind
    if isinstance(message, DubboRequest):
        found["service"], found["operation"] = message.service, message.operation
    return found


def called() -> list[DubboRequest]:
    return [each for each in every_message() if isinstance(each, DubboRequest) and is_readable(each)]


def answered() -> list[DubboResponse]:
    return [each for each in every_message() if isinstance(each, DubboResponse) and is_readable(each)]


def check(message: DubboMessage, changes: Changes, expected: Callable[[Truth], None]) -> DubboMessage:
    """What `changes` make of `message` says what `expected` makes of what it said; returns it."""
    before = message.raw
    octets = sent(message, changes)
    assert message.raw == before
    new = read_again(message, octets)
    truth = said(message)
    expected(truth)
    assert said(new) == truth
    assert new.is_two_way == message.is_two_way
    assert new.serialization_id == message.serialization_id
    return new


def same_arguments(old: DubboRequest, new: DubboRequest, first: bool = True) -> None:
    """The arguments are the same octets; without the first where that is the method of a generic call."""

    def arguments(request: DubboRequest) -> bytes:
        attached = request.attachments()
        assert attached is not None
        at = request.head().at
        if not first:
            at = request.body().string_end(request.octets, at, request.stop)
        return request.octets[at : attached.start]

    assert arguments(new) == arguments(old)
    head, was = new.head(), old.head()
    assert (head.dubbo_version, head.types) == (was.dubbo_version, was.types)


def test_there_is_enough() -> None:
    """Else nothing below shows anything."""
    classes = (DubboRequest, DubboResponse, DubboEvent)
    kinds = {(each.serialization, kind) for each in every_message() for kind in classes if isinstance(each, kind)}
    for name in ("hessian2", "fastjson2", "fastjson", "gson"):
        assert (name, DubboRequest) in kinds
        assert (name, DubboResponse) in kinds
    assert any(each.is_generic for each in called())
    assert len(called()) > 20
    assert len(answered()) > 20


def test_ids() -> None:
    for message in every_message():
        for number in (0, 1, 2**63, 2**64 - 1):
            new = check(
                message,
                Changes({"dubbo.request_id": number}),
                lambda truth, number=number: truth.update({"dubbo.request_id": number}),  # type: ignore[misc]
            )
            assert new.raw[:4] + new.raw[12:] == message.raw[:4] + message.raw[12:]
            assert new.raw[4:12] == number.to_bytes(8, "big")


def put(headers: list[tuple[str, HeaderValue]], name: str, value: HeaderValue) -> list[tuple[str, HeaderValue]]:
    return [(key, value if key == name else old) for key, old in headers]


def test_service() -> None:
    for request in called():
        name = "com.acme.Ördering" if request.service != "com.acme.Ördering" else "x"
        if request.path != request.service:
            with pytest.raises(Unsupported, match=r"dubbo\.path"):
                sent(request, Changes({"dubbo.service": name}))
            continue

        def expected(truth: Truth, name: str = name) -> None:
            truth["service"] = name
            truth["rpc.method"] = f"{name}/{truth['operation']}"
            if "dubbo.service" in truth:
                truth["dubbo.service"] = name
            truth["headers"] = put(put(truth["headers"], "interface", name), "path", name)

        new = check(request, Changes({"dubbo.service": name}), expected)
        assert isinstance(new, DubboRequest)
        same_arguments(request, new)


def test_service_and_path() -> None:
    for request in called():

        def expected(truth: Truth) -> None:
            headers = put(put(truth["headers"], "interface", "com.acme.B"), "path", "elsewhere")
            if not any(key == "path" for key, _ in headers):
                headers.append(("path", "elsewhere"))
            truth.update({"service": "com.acme.B", "headers": headers, "dubbo.path": "elsewhere"})
            truth["rpc.method"] = f"com.acme.B/{truth['operation']}"
            if "dubbo.service" in truth:
                truth["dubbo.service"] = "com.acme.B"

        new = check(request, Changes({"dubbo.service": "com.acme.B", "dubbo.path": "elsewhere"}), expected)
        assert isinstance(new, DubboRequest)
        same_arguments(request, new)


@pytest.mark.parametrize("version", ["9.8.7", "0.0.0"])
def test_version(version: str) -> None:
    for request in called():

        def expected(truth: Truth) -> None:
            truth["headers"] = put(truth["headers"], "version", version)
            truth.pop("dubbo.attached_version", None)
            truth.pop("dubbo.service_version", None)
            if version != "0.0.0":
                truth["dubbo.service_version"] = version

        new = check(request, Changes({"dubbo.service_version": version}), expected)
        assert isinstance(new, DubboRequest)
        same_arguments(request, new)


def test_group() -> None:
    for request in called():

        def green(truth: Truth) -> None:
            headers = put(truth["headers"], "group", "green")
            if not any(key == "group" for key, _ in headers):
                headers.append(("group", "green"))
            truth.update({"headers": headers, "dubbo.group": "green"})

        def none(truth: Truth) -> None:
            truth["headers"] = [(key, value) for key, value in truth["headers"] if key != "group"]
            truth.pop("dubbo.group", None)

        for group, expected in (("green", green), ("", none)):
            new = check(request, Changes({"dubbo.group": group}), expected)
            assert isinstance(new, DubboRequest)
            same_arguments(request, new)


def test_method() -> None:
    for request in called():

        def expected(truth: Truth) -> None:
            truth["operation"] = "other"
            truth["rpc.method"] = f"{truth['service']}/other"
            if "dubbo.method" in truth:
                truth["dubbo.method"] = "other"

        new = check(request, Changes({"dubbo.method": "other"}), expected)
        assert isinstance(new, DubboRequest)
        same_arguments(request, new, not request.is_generic)
        assert new.is_generic == request.is_generic


def test_attachments() -> None:
    """Set and removed, of requests and answers: the others keep their octets."""
    for message in [*called(), *answered()]:
        attached = message.attachments()
        assert attached is not None
        replaced = [each.key for each in attached.entries if each.key not in ("path", "interface", "version", "group")]
        for changes in (
            Changes(set_headers=dict(NEW)),
            Changes(set_headers=dict.fromkeys(replaced[:1], "new")),
            Changes(set_headers=dict.fromkeys(replaced, 5)),
            Changes(remove_headers=replaced[:1]),
            Changes(remove_headers=replaced),
            Changes(remove_headers=["absent"]),
            Changes(set_headers=dict(NEW[:3]), remove_headers=replaced),
        ):

            def expected(
                truth: Truth, changes: Changes = changes, called: bool = isinstance(message, DubboRequest)
            ) -> None:
                gone = set(changes.remove_headers) - set(changes.set_headers)
                headers = [(key, value) for key, value in truth["headers"] if key not in gone]
                for key, value in changes.set_headers.items():
                    headers = put(headers, key, value)
                    if not any(each == key for each, _ in headers):
                        headers.append((key, value))
                truth["headers"] = headers
                for key, name in (
                    ("remote.application", "dubbo.application"),
                    ("timeout", "dubbo.timeout_ms"),
                    ("generic", "dubbo.generic"),
                ):
                    if key in changes.remove_headers or key in changes.set_headers:
                        truth.pop(name, None)
                        value = changes.set_headers.get(key)
                        if called and isinstance(value, str) and name != "dubbo.timeout_ms":
                            truth[name] = value
                        if called and isinstance(value, int) and name == "dubbo.timeout_ms":
                            truth[name] = value

            new = check(message, changes, expected)
            found = new.attachments()
            assert found is not None
            was = {each.key: message.octets[each.start : each.stop] for each in attached.entries}
            for each in found.entries:
                if each.key in was and each.key not in changes.set_headers:
                    assert new.octets[each.start : each.stop] == was[each.key]
            before = message.octets[message.start + 16 : attached.start]
            assert new.octets[new.start + 16 : found.start] == before
            assert new.octets[found.stop : new.stop] == message.octets[attached.stop : message.stop]


def test_nothing_to_do_is_the_same_octets() -> None:
    for message in [*called(), *answered()]:
        assert sent(message, Changes(remove_headers=["nobody has this"])) == message.raw


def test_octets_as_a_value() -> None:
    for message in [*called(), *answered()]:
        changes = Changes(set_headers={"token": b"\x00\xff" * 5000})
        if message.serialization in ("fastjson", "gson"):
            with pytest.raises(ValueError, match="octets"):
                sent(message, changes)
        else:
            assert read_again(message, sent(message, changes)).headers["token"] == b"\x00\xff" * 5000


REFUSED: list[tuple[Changes, type[Exception]]] = [
    (Changes({"rpc.method": "x"}), Unsupported),
    (Changes({"dubbo.version": "3.3.6"}), Unsupported),
    (Changes({"dubbo.service": 1}), Unsupported),
    (Changes({"dubbo.service": ""}), ValueError),
    (Changes({"dubbo.method": "\ud800"}), ValueError),
    (Changes({"dubbo.request_id": "1"}), Unsupported),
    (Changes({"dubbo.request_id": True}), Unsupported),
    (Changes({"dubbo.request_id": -1}), ValueError),
    (Changes({"dubbo.request_id": 2**64}), ValueError),
    (Changes(set_headers={"path": "x"}), ValueError),
    (Changes(set_headers={"interface": "x"}), ValueError),
    (Changes(set_headers={"version": "1"}), ValueError),
    (Changes(remove_headers=["group"]), ValueError),
    (Changes(set_headers={"a": 2**63}), ValueError),
    (Changes(set_headers={"a": "\udc00"}), ValueError),
    (Changes(set_headers={"\udc00": "a"}), ValueError),
    (Changes(set_headers={"a": []}), Unsupported),  # type: ignore[dict-item]
    (Changes(set_headers={1: "a"}), Unsupported),  # type: ignore[dict-item]
]


@pytest.mark.parametrize(("changes", "error"), REFUSED, ids=[repr(each)[:60] for each, _ in REFUSED])
def test_refused(changes: Changes, error: type[Exception]) -> None:
    """Nothing is written, and what comes next is as it would have been."""
    request = called()[0]
    session = l7codecs.open_session("dubbo", endpoint=Sender.CLIENT)
    with pytest.raises(error):
        session.send(request, changes)
    assert session.pending == 0
    assert session.send(request) == request.raw


def test_answers_name_nobody() -> None:
    for name in ("dubbo.service", "dubbo.path", "dubbo.service_version", "dubbo.group", "dubbo.method"):
        with pytest.raises(Unsupported):
            sent(answered()[0], Changes({name: "x"}))


def test_what_has_no_attachments() -> None:
    failed = [each for each in every_message() if isinstance(each, DubboResponse) and each.status_code != 20]
    events = [each for each in every_message() if isinstance(each, DubboEvent)]
    assert failed
    assert events
    for message in [*failed, *events]:
        with pytest.raises(Unsupported):
            sent(message, Changes(set_headers={"a": "b"}))


def test_what_is_not_read() -> None:
    unread = [each for each in every_message() if isinstance(each, DubboRequest) and not each.body().reads]
    assert unread
    for request in unread:
        with pytest.raises(Unsupported, match=request.serialization):
            sent(request, Changes({"dubbo.group": "x"}))
        assert sent(request, Changes({"dubbo.request_id": 5}))[4:12] == bytes(7) + b"\x05"


EVERY = Changes(
    {"dubbo.service": "a.B", "dubbo.path": "p", "dubbo.service_version": "2", "dubbo.group": "g", "dubbo.method": "m"},
    set_headers={"tenant": "x", "timeout": "5"},
    remove_headers=["remote.application", "dubbo"],
)


@settings(deadline=None)  # the first reads all messages
@given(st.data())
def test_broken_bodies(data: st.DataObject) -> None:
    """A body that cannot be read is refused, and any that can be says the new values."""
    message = data.draw(st.sampled_from([each for each in every_message() if len(each.raw) < 1500]))
    octets = bytearray(message.raw)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(16, len(octets) - 1)) if len(octets) > 16 else 2
        octets[at] = data.draw(st.integers(0, 255))
    octets[2] = message.raw[2]
    (found,) = l7codecs.open_session("dubbo").receive(message.sender, bytes(octets))
    assert isinstance(found, DubboMessage)
    changes = EVERY if isinstance(found, DubboRequest) else Changes(set_headers=EVERY.set_headers)
    try:
        new = read_again(found, sent(found, changes))
    except Unsupported:
        return
    assert new.headers["tenant"] == "x"
    assert new.headers["timeout"] == "5"
    if isinstance(new, DubboRequest):
        assert (new.service, new.operation, new.service_version, new.group, new.path) == ("a.B", "m", "2", "g", "p")
