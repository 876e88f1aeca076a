"""Compiled objects let go of at the bottom of deep structures, under the debugging allocator of Python, which notices stray writes."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import l7codecs
from l7codecs import Sender
from l7codecs.message import Flow, Kind, Message

def nested(thing, depth):
    for _ in range(depth):
        thing = [thing]
    return thing

for depth in range(1, 120):
    message = Message(Flow("x"), Sender.CLIENT, Kind.REQUEST, 0, b"octets", 0, 6)
    held = nested(message, depth)
    del message
    del held

frame = lambda kind, flags, payload: len(payload).to_bytes(3, "big") + bytes((kind, flags)) + b"\\0\\0\\0\\1" + payload
block = bytes([0x83, 0x86, 0x84]) + b"\\0\\1a\\1b" * 1500
head = b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + bytes(3) + b"\\4\\0" + bytes(4) + frame(1, 4, block)
for depth in range(1, 120):
    session = l7codecs.open_session("http2")
    events = list(session.receive(Sender.CLIENT, head))
    assert len(events[-1].headers) == 1500
    held = nested(events, depth)
    del session, events
    del held
print("done")
"""


def test_objects_below_fifty_others_go_without_harm() -> None:
    environment = {**os.environ, "PYTHONMALLOC": "debug"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[:2000]
