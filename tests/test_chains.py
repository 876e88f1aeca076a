"""Nothing that peers make long is a chain of objects: what is freed, is freed with little of the C stack, however much there was.

A native object of mypyc lets go of what it holds inside of its own deallocation, and nothing bounds how deep that goes.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from l7codecs.message import Flow, Kind, Message, Sender

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = [ROOT / "src" / "l7codecs", *(ROOT / "protocols").glob("*/l7codecs_*")]

COUNT = int(os.environ.get("L7CODECS_CHAIN", "40000"))
"""A link takes 32 octets of the stack at least: so many take five times as much as there is."""

KNOWN = {
    "AllOf": "conditions within each other: who writes rules, and no peer",
    "AnyOf": "as AllOf",
    "Not": "as AllOf",
    "Start": "those of one bucket, which a table of routes is made of: a peer adds none",
    "Starts": "as Branch",
    "Branch": "eight deep, at most: each thing that is asked for is switched by once",
    "Config": "the depth of a configuration, which `parse_config` bounds",
    "Message": "`Message.request` ends after two links, and `Situation.original` is what the caller gave first",
    "DubboEvent": "a Message",
    "DubboMessage": "a Message",
    "DubboRequest": "a Message",
    "DubboResponse": "a Message",
    "LateRequest": "a Message",
    "FrameMessage": "a Message",
    "Http2Message": "a Message",
    "RdbFile": "a Message",
    "KafkaMessage": "a Message",
    "KafkaRequest": "a Message",
    "KafkaResponse": "a Message",
    "KafkaToken": "a Message",
    "LineMessage": "a Message",
    "MuxMessage": "a Message",
    "LineDecoder": "one line of its own, which is made into messages",
    "RedisReply": "a Message",
    "RedisRequest": "a Message",
    "ThriftDecoder": "what a stream of zlib inflates to, which is no such stream again",
    "ThriftAnswer": "a Message",
    "ThriftMessage": "a Message",
    "ZlibStream": "as above",
    "Situation": "holds a Message that has not been changed itself",
    "CommandSpec": "commands and their sub-commands, from a fixed table",
    "Field": "the structs of Kafka's table, seven deep",
    "Flow": "one link: to that of the session, which has none",
    "Half": "the two directions of one connection of a capture",
    "Inflow": "the streams of one connection, which know the connection",
    "Inflows": "as above",
    "Connection": "one connection and what plays a side of it",
    "Endpoint": "as above",
    "Hears": "as above",
    "Requests": "as above",
    "Writer": "as above",
    "AutoSession": "one session and what it detected",
    "Protocol": "opens sessions",
    "Site": "an engine: what all its connections share, in tables",
    "Turn": "as Site",
    "Place": "as Site",
    "Deadlines": "as Site",
    "_Queue": "as Site: in no chain, but of deadlines",
    "Router": "as Site",
    "Plan": "as Site",
    "Pool": "as Site: clusters, as configured",
    "Cluster": "as Pool",
    "Upstreams": "as Pool",
    "Host": "as Pool",
    "Ask": "refers to one connection and to its neighbours, each of which refers back, and to none once it has ended",
    "Asks": "as Leg",
    "Leg": "one connection of the engine, which is taken out of all tables when it ends",
    "Asker": "as Leg",
    "Answering": "as Leg",
    "Tying": "as Leg",
    "Sending": "as Leg",
    "Client": "as Leg",
    "Server": "as Leg",
}
"""Classes that refer to their like, directly or not, and why no chain of them is long."""

PRELUDE = f"""
import sys, threading
import l7codecs
from l7codecs import Changes, Data, Gap, Kind, Limits, Message, Opaque, Sender, Status
C, S, N = Sender.CLIENT, Sender.SERVER, {COUNT}
def fr(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
def u32(number):
    return number.to_bytes(4, "big")
GET = bytes.fromhex("828684010161")
def go(work):
    found = []
    def run():
        work()
        found.append(True)
    threading.stack_size(STACK * 1024)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    print("done" if found else "failed")
"""

SCRIPTS = {
    # What a server sends on a connection that was joined, for ever on the stream that it has just promised.
    "promises on promised streams": """
def work():
    for gap in (False, True):
        session, events = l7codecs.open_session("http2"), []
        if gap:
            session.gap(C, 5), session.gap(S, 5)
        events += session.receive(S, fr(4, 0, 0) + fr(1, 4, 1, b"\\x88"))
        for i in range(1, N):
            try:
                events += session.receive(S, fr(5, 4, 2 * i, u32(2 * i + 2) + GET))
            except l7codecs.ProtocolError as error:
                assert gap or "PROTOCOL_ERROR" in error.spec, error
                break
        else:
            assert gap  # no frame of the server's: it may be in the midst of one
        assert not any(isinstance(event, Message) and event.kind is Kind.PUSH for event in events)
""",
    "promises on one stream, answers to them, resets of those": """
def work():
    session, events = l7codecs.open_session("http2"), []
    events += session.receive(S, fr(4, 0, 0) + fr(1, 4, 1, b"\\x88"))
    for i in range(1, N):
        octets = fr(5, 4, 1, u32(2 * i) + GET) + fr(1, 4, 2 * i, b"\\x88") + fr(0, 0, 2 * i, b"x") + fr(3, 0, 2 * i, u32(0))
        events += session.receive(S, octets)
    assert len(events) > 4 * N - 9
    deepest = max(depth(event) for event in events)
    assert deepest <= 3, deepest
def depth(event):
    found = 0
    while event is not None:
        event = event.message if isinstance(event, Data) else getattr(event, "request", None)
        found += 1
    return found
""",
    "requests, answers, trailers": """
def work():
    session, events = l7codecs.open_session("http2"), []
    events += session.receive(C, b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + fr(4, 0, 0))
    events += session.receive(S, fr(4, 0, 0))
    for i in range(1, 2 * N, 2):
        events += session.receive(C, fr(1, 5, i, GET) + fr(2, 0, i, bytes(5)))
        events += session.receive(S, fr(1, 4, i, b"\\x88") + fr(0, 0, i, b"x") + fr(1, 5, i, b"\\0\\1a\\1b"))
""",
    "a queue of answers, transactions, pushes": """
def work():
    for name in ("redis", "auto"):
        session, events = l7codecs.open_session(name), []
        commands = b"*1\\r\\n$5\\r\\nMULTI\\r\\n" + b"*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\na\\r\\n" * N + b"*1\\r\\n$4\\r\\nEXEC\\r\\n"
        events += session.receive(C, commands)
        answers = b"+OK\\r\\n" + b"+QUEUED\\r\\n" * N + b"*%d\\r\\n" % N + b"+x\\r\\n" * N
        events += session.receive(S, answers)
        events += session.receive(S, b">2\\r\\n+a\\r\\n+b\\r\\n" * N)
        events += session.receive(C, b"*2\\r\\n$9\\r\\nSUBSCRIBE\\r\\n$1\\r\\na\\r\\n" * N)
        events += session.receive(S, b"*3\\r\\n$9\\r\\nsubscribe\\r\\n$1\\r\\na\\r\\n:1\\r\\n" * N)
        events += session.receive(S, b"*3\\r\\n$7\\r\\nmessage\\r\\n$1\\r\\na\\r\\n$1\\r\\nb\\r\\n" * N)
        assert len(events) > 5 * N
""",
    "answers in order, made here and early": """
def work():
    session = l7codecs.open_session("redis", endpoint=S, limits=Limits(pending=N))
    requests = list(session.receive(C, b"GET a\\r\\n" * N))
    for request in requests[1:]:
        session.reply_error(request, Status.INTERNAL, "x")
    assert len(session.reply_error(requests[0], Status.INTERNAL, "x")) == 8 * N
""",
    "a command that is changed and sent again and again": """
def work():
    source = l7codecs.open_session("redis", endpoint=S)
    [message] = source.receive(C, b"*2\\r\\n$3\\r\\nGET\\r\\n$1\\r\\na\\r\\n")
    first = message
    for i in range(N // 4):
        target = l7codecs.open_session("redis", endpoint=C)
        target.send(message, Changes({"redis.keys": (b"%d" % i,)}))
        [message] = target.unanswered()
    [answer] = target.receive(S, b"+OK\\r\\n")
    assert answer.request is first
""",
    "an error that is raised again and again": """
def work():
    import traceback
    for name, octets in (("redis", b"*x\\r\\n"), ("http2", b"GET / HTTP/1.1\\r\\n\\r\\n")):
        session, longest = l7codecs.open_session(name), 0
        for _ in range(N):
            try:
                list(session.receive(C, octets))
            except l7codecs.ProtocolError as error:
                last = error
        size = len(list(traceback.walk_tb(last.__traceback__)))
        assert size < 20, size
    order = l7codecs.AnswerOrder(l7codecs.FifoPairing(9, True), Limits(queued=1))
    message = Message(l7codecs.message.Flow("x"), S, Kind.PUSH, 0, b"x" * 99, 0, 99)
    order.paused = True
    for _ in range(N):
        try:
            order.push(message, message.raw)
        except l7codecs.LimitExceeded as error:
            last = error
    size = len(list(traceback.walk_tb(last.__traceback__)))
    assert size < 20, size
""",
    "errors that are the cause of each other": """
def work():
    error = None
    for i in range(N):
        following = l7codecs.ProtocolError(i, "x", "y")
        following.__cause__ = error
        following.__context__ = error
        error = following
""",
    "gaps and octets of nobody": """
def work():
    for name in ("redis", "http2", "auto"):
        session, events = l7codecs.open_session(name), []
        for _ in range(N // 4):
            session.gap(C, 5)
        events += session.receive(C, b"x" * 100_000)
        for _ in range(N // 4):
            events += session.gap(S, 5)
            events += session.receive(S, b"x")
""",
    "tables of pairing": """
def work():
    flow = l7codecs.message.Flow("x")
    class Numbered(Message):
        request_id = stream_id = 1
    for table in (l7codecs.FifoPairing(N), l7codecs.IdPairing(N), l7codecs.StreamPairing(N)):
        asked = [Numbered(flow, C, Kind.REQUEST, i, b"x", 0, 1) for i in range(N)]
        for each in asked:
            table.asked(each)
        answers = [Numbered(flow, S, Kind.RESPONSE, i, b"x", 0, 1) for i in range(N)]
        for each in answers:
            each.request = table.answered(each)
        assert sum(each.request is not None for each in answers) > N - 2
""",
    "what a plugin makes": """
def work():
    flow = l7codecs.message.Flow("x")
    class Linked(Message):
        previous = None
    before, plain, refused = None, None, 0
    for i in range(N):
        message = Linked(flow, C, Kind.REQUEST, i, b"x", 0, 1)
        message.previous = before
        before = message
        message = Message(flow, C, Kind.RESPONSE, i, b"x", 0, 1)
        try:
            message.request = plain
        except ValueError:
            refused += 1
        plain = message
    assert refused == N // 3, refused
    messages = [Message(flow, C, Kind.RESPONSE, i, b"x", 0, 1) for i in range(N)]
    for one, other in zip(messages, messages[1:]):  # the other way round
        try:
            other.request = one
        except ValueError:
            pass
    messages = [Message(flow, C, Kind.RESPONSE, i, b"x", 0, 1) for i in range(N)]
    for one, other in zip(messages, messages[1:]):
        try:
            one.request = other
        except ValueError:
            pass
    head = messages[0]
    del messages, one, other
""",
}


OF_PYTHON = ("errors that are the cause of each other", "what a plugin makes")
"""Objects of ordinary classes, which CPython frees: its 3.13 takes more of the stack than 3.11 and 3.12 before it stops to nest."""


def run(script: str, stack: int = 256) -> None:
    """Run `work` of a script in a thread with so many KiB of stack."""
    done = subprocess.run(
        [sys.executable, "-c", f"STACK = {stack}\n" + PRELUDE + script + "\ngo(work)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_much_of_it_is_freed_with_a_small_stack(name: str) -> None:
    run(SCRIPTS[name], 2048 if name in OF_PYTHON and sys.version_info >= (3, 13) else 256)


def test_a_capture_of_promises_is_decoded(tmp_path: Path) -> None:
    """The server's direction of a connection that was joined ends where it promises on a stream of its own."""
    run(
        f"path = {str(tmp_path / 'promises.pcap')!r}\n"
        """
from l7codecs.capture.writer import CaptureWriter
from l7codecs.cli import main
with CaptureWriter(path) as writer:
    connection = writer.open_connection(1, ("10.0.0.1", 4000), ("10.0.0.2", 80))
    octets = fr(4, 0, 0) + fr(1, 4, 1, b"\\x88")
    octets += b"".join([fr(5, 4, 1, u32(2 * i) + GET) for i in range(1, N)])
    octets += b"".join([fr(5, 4, 2 * i, u32(2 * i + 2) + GET) for i in range(N, 2 * N)])
    connection.send(10, S, octets)
    connection.close(20)
def work():
    import contextlib, io, json
    written = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(written):
        status = main(["decode", path, "--protocol", "http2", "--format", "jsonl", "--strict"])
    lines = [json.loads(line) for line in written.buffer.getvalue().splitlines()]
    assert status == 1, status
    assert len(lines) > N and "PUSH_PROMISE" in str(lines[-3:]), lines[-3:]
"""
    )


def message(kind: Kind = Kind.RESPONSE, request: Message | None = None) -> Message:
    return Message(Flow("x"), Sender.SERVER, kind, 0, b"x", 0, 1, request=request)


def test_a_request_of_a_request_is_the_end() -> None:
    first = message(Kind.REQUEST)
    second = message(Kind.PUSH, first)
    third = message(Kind.RESPONSE, second)
    assert third.request is second and second.request is first
    with pytest.raises(ValueError, match="no chain"):
        message(Kind.RESPONSE, third)
    fourth = message()
    with pytest.raises(ValueError, match="no chain"):
        fourth.request = third
    assert fourth.request is None


def test_what_is_a_request_gets_none() -> None:
    first, second, third = message(), message(), message()
    third.request = second
    for later in (first, third, second):
        with pytest.raises(ValueError, match="no chain"):
            second.request = later
    assert second.request is None
    second.request = None
    third.request = first
    third.request = None
    with pytest.raises(ValueError, match="no chain"):
        third.request = third


def classes() -> tuple[dict[str, list[ast.ClassDef]], dict[str, str]]:
    """Every class of ours by name; and the constants that hold one object, by name. Those for tests are never compiled."""
    found: dict[str, list[ast.ClassDef]] = {}
    constants: dict[str, str] = {}
    for path in sorted(path for package in PACKAGES for path in package.rglob("*.py") if "testing" not in path.parts):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                constants[node.target.id] = ast.unparse(node.value)
    return found, constants


def references() -> dict[str, set[str]]:
    """By class, which classes its attributes may hold, subclasses of those too: as annotated, or as their first values tell."""
    found, constants = classes()
    bases = {name: {ast.unparse(base) for node in nodes for base in node.bases} for name, nodes in found.items()}
    above = {name: set(direct) for name, direct in bases.items()}
    for _ in range(9):
        for name in above:
            above[name] |= {far for near in above[name] for far in above.get(near, ())}
    held: dict[str, set[str]] = {}
    for name, nodes in found.items():
        texts: list[str] = []
        for part in (part for node in nodes for part in node.body):
            if isinstance(part, ast.AnnAssign):
                texts.append(ast.unparse(part.annotation))
            elif isinstance(part, ast.FunctionDef):
                given = {each.arg: ast.unparse(each.annotation) for each in part.args.args if each.annotation}
                for node in ast.walk(part):
                    if isinstance(node, ast.AnnAssign) and ast.unparse(node.target).startswith("self."):
                        texts.append(ast.unparse(node.annotation))
                    elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("self."):
                        text = ast.unparse(node.value)
                        texts += [text, *(given.get(word, "") for word in re.findall(r"\w+", text))]
        words = {word for text in texts for word in re.findall(r"\w+", text)}
        words |= {word for each in words & constants.keys() for word in re.findall(r"\w+", constants[each])}
        held[name] = words & found.keys()
    for name in held:
        held[name] |= {far for near in above[name] for far in held.get(near, ())}
        held[name] |= {each for each in found if above[each] & held[name]}
    return held


def test_classes_that_may_form_chains_are_known() -> None:
    """A new class that refers to its like fails here, until it says what bounds the chain."""
    held = references()
    reached = {name: set(direct) for name, direct in held.items()}
    for _ in range(9):
        for name in reached:
            reached[name] |= {far for near in reached[name] for far in reached[near]}
    assert {name for name in reached if name in reached[name]} == set(KNOWN)
    assert "Message" in reached["Data"] and "HeaderField" in reached["Http2Message"], "the references are found"
