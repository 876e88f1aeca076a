"""Connections that break all the time, on both sides: no answer is another's, and nothing is left behind."""

import random
import socket
import threading
import time
from typing import Any

from l7codecs.proxy.upstream.server import Server

from .running import running

SPLIT = """
listeners: {{ main: {{ address: "127.0.0.1:0", protocol: redis }} }}
clusters: {{ a: {{ hosts: ["{0}"] }}, b: {{ hosts: ["{1}"] }} }}
rules:
- match: {{ resources: {{ prefix: "a:" }} }}
  cluster: a
- cluster: b
"""
SECONDS = 3.0


class Talker(threading.Thread):
    """A client that says what it wants to hear, pins now and then, and leaves in the midst of it."""

    def __init__(self, number: int, port: int, until: float) -> None:
        super().__init__(daemon=True)
        self.number, self.port, self.until = number, port, until
        self.chance = random.Random(number)
        self.right = self.failed = self.lost = 0
        self.wrong: list[tuple[bytes, bytes]] = []

    def run(self) -> None:
        while time.monotonic() < self.until and not self.wrong:
            try:
                with socket.create_connection(("127.0.0.1", self.port)) as raw, raw.makefile("rb") as answers:
                    raw.settimeout(20)
                    for _ in range(self.chance.randrange(1, 30)):
                        if not self.talk(raw, answers):
                            break
            except OSError:
                self.lost += 1

    def talk(self, raw: socket.socket, answers: Any) -> bool:
        said, expected = [], []
        for _ in range(self.chance.randrange(1, 20)):
            word = b"%d.%d" % (self.number, self.chance.randrange(1 << 30))
            draw = self.chance.random()
            if draw < 0.8:
                said.append(b'EVAL "return ARGV[1]" 1 %s:k %s' % (self.chance.choice([b"a", b"b"]), word))
                expected.append(word)
            elif draw < 0.9:
                said.append(b"PING " + word)
                expected.append(word)
            elif draw < 0.95:
                said.append(b"SELECT %d" % self.chance.randrange(4))
                expected.append(b"OK")
            else:
                said += [b"MULTI", b"EXEC"]
                expected += [b"OK", b"0"]
        raw.sendall(b"".join(each + b"\r\n" for each in said))
        if self.chance.random() < 0.1:
            return False
        for each in expected:
            line = answers.readline()
            if not line:
                raise ConnectionError
            if line.startswith(b"-"):
                self.failed += 1
                continue
            found = answers.readline()[:-2] if line.startswith(b"$") else line[1:-2]
            if found != each:
                self.wrong.append((each, found))
                return False
            self.right += 1
        return True


def test_no_answer_is_anothers_while_connections_break(servers: Any) -> None:
    with running(SPLIT.format(*servers.hosts)) as here:
        until = time.monotonic() + SECONDS
        talkers = [Talker(number, here.port(), until) for number in range(8)]
        for each in talkers:
            each.start()
        chance = random.Random(1)
        while time.monotonic() < until:
            time.sleep(0.1)
            chance.choice(servers.direct).execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for each in talkers:
            each.join(30)
            assert not each.is_alive() and each.wrong == []
        assert sum(each.right for each in talkers) > 500 and sum(each.failed for each in talkers) > 10
        hosts = [host for pool in here.engine.pools.values() for host in pool.hosts.values()]

        def own() -> list[Server]:
            return [server for host in hosts for server in host.servers if server.own]

        end = time.monotonic() + 10
        while (here.engine.clients or not all(each.is_idle for each in own())) and time.monotonic() < end:
            time.sleep(0.01)
        assert here.engine.clients == [] and here.engine.in_flight == 0
        assert len(own()) == sum(host.own for host in hosts) <= len(talkers) * 4 and all(each.is_idle for each in own())
        assert here.seen.refusals == []
