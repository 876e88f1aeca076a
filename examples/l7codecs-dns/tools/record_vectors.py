"""Write the vectors: what dnspython and a real NSD say to each other over TCP, and messages that dnspython makes alone.

Usage: ``python tools/record_vectors.py`` with dnspython installed and ``nsd`` on the path (Debian: ``apt install nsd``).
NSD runs on the loopback with a zone of its own, and is stopped when done. Ids are fixed, so that a second run writes the same.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.rdatatype
import dns.rrset
import dns.version

FOLDER = Path(__file__).resolve().parents[1] / "vectors"
DNSPYTHON = f"dnspython {dns.version.version}"

ZONE = """\
$ORIGIN example.
$TTL 3600
@      SOA   ns hostmaster 1 7200 3600 1209600 3600
@      NS    ns
@      MX    10 mail
ns     A     192.0.2.53
mail   A     192.0.2.25
mail   AAAA  2001:db8::25
www    CNAME mail
dot\\.ted TXT "a label with a dot in it"
"""

CONFIG = """\
server:
  ip-address: 127.0.0.1@{port}
  port: {port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  database: ""
  zonelistfile: "{folder}/zone.list"
  xfrdfile: "{folder}/xfrd.state"
  xfrdir: "{folder}"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: example
  zonefile: example.zone
  provide-xfr: 127.0.0.1 NOKEY
"""


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    make_alone()
    with nsd() as (port, version):
        source = f"{version}, asked by {DNSPYTHON}"
        record(port, source, "answer", [query("www.example.", "A", 1)])
        record(port, source, "no-such-name", [query("nobody.example.", "AAAA", 2)])
        record(port, source, "refused", [query("example.com.", "A", 3)])
        record(
            port,
            source,
            "pipelined",
            [query("mail.example.", kind, 4 + n) for n, kind in enumerate(("A", "AAAA", "TXT"))],
        )
        record(port, source, "escaped-label", [query("dot\\.ted.example.", "TXT", 7)])
        record(port, source, "edns", [query("example.", "MX", 8, use_edns=0, want_dnssec=True)])
        record(port, source, "chaos-class", [query("version.server.", "TXT", 9, rdclass="CH")])
        record(port, source, "unknown-type", [query("example.", "TYPE65280", 10)])
        record(port, source, "transfer", [query("example.", "AXFR", 11)])
        record(port, source, "notify", [notify()])


def query(name: str, kind: str, number: int, **options: object) -> bytes:
    """A query as octets, with its length."""
    return framed(dns.message.make_query(name, kind, id=number, **options))


def notify() -> bytes:
    message = dns.message.make_query("example.", "SOA", id=12)
    message.set_opcode(dns.opcode.NOTIFY)
    message.flags |= dns.flags.AA
    return framed(message)


def framed(message: dns.message.Message) -> bytes:
    octets = message.to_wire()
    return len(octets).to_bytes(2) + octets


def make_alone() -> None:
    """What NSD does not do: a small transfer in three messages, and answers in another order."""
    asked = dns.message.make_query("example.", "AXFR", id=20)
    soa = dns.rrset.from_text("example.", 3600, "IN", "SOA", "ns.example. hostmaster.example. 1 7200 3600 1209600 3600")
    address = dns.rrset.from_text("ns.example.", 3600, "IN", "A", "192.0.2.53")
    parts = []
    for number, records in enumerate(([soa], [address], [soa])):
        part = dns.message.make_response(asked)
        part.answer.extend(records)
        if number:
            part.question = []  # RFC 5936 §2.2.1: only the first message has to repeat it
        parts.append(framed(part))
    other = dns.message.make_query("ns.example.", "A", id=21)
    answer = dns.message.make_response(other)
    answer.answer.append(address)
    pieces = [("C", framed(asked) + framed(other)), ("S", parts[0]), ("S", framed(answer)), ("S", parts[1] + parts[2])]
    write("transfer-in-parts", DNSPYTHON, pieces)

    queries = [
        dns.message.make_query(name, "A", id=number) for number, name in ((30, "slow.example."), (31, "fast.example."))
    ]
    replies = [dns.message.make_response(message) for message in queries]
    replies[0].set_rcode(2)
    pieces = [
        ("C", framed(queries[0])),
        ("C", framed(queries[1])),
        ("S", framed(replies[1])),
        ("S", framed(replies[0])),
    ]
    write("out-of-order", DNSPYTHON, pieces)


@contextlib.contextmanager
def nsd() -> Iterator[tuple[int, str]]:
    """A running NSD: its port and its version."""
    program = shutil.which("nsd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise SystemExit("nsd is not there: apt install nsd")
    shown = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    found = re.search(r"[Vv]ersion (\S+)", shown.stdout + shown.stderr)
    version = f"NSD {found[1]}" if found else "NSD"
    with tempfile.TemporaryDirectory() as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        Path(folder, "example.zone").write_text(ZONE)
        Path(folder, "nsd.conf").write_text(CONFIG.format(port=port, folder=folder))
        server = subprocess.Popen([program, "-d", "-c", f"{folder}/nsd.conf"], stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if server.poll() is not None or time.monotonic() > deadline:
                        raise SystemExit("nsd does not listen") from None
                    time.sleep(0.05)
            yield port, version
        finally:
            server.terminate()
            server.wait(10)


def record(port: int, source: str, name: str, queries: list[bytes]) -> None:
    """Send the queries at once, and write down what comes until every one is answered."""
    pieces = [("C", octets) for octets in queries]
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"".join(queries))
        for _ in queries:
            size = read(connection, 2)
            pieces.append(("S", size + read(connection, int.from_bytes(size))))
    write(name, source, pieces)


def read(connection: socket.socket, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        more = connection.recv(size - len(octets))
        if not more:
            raise SystemExit("the server closed the connection")
        octets += more
    return octets


def write(name: str, source: str, pieces: list[tuple[str, bytes]]) -> None:
    lines = [f"# {source}; tools/record_vectors.py"]
    lines += [f"{who} {octets.decode('latin-1').encode('unicode_escape').decode('ascii')}" for who, octets in pieces]
    FOLDER.joinpath(f"{name}.txt").write_text("\n".join(lines) + "\n")
    print(name, len(b"".join(octets for _, octets in pieces)))


if __name__ == "__main__":
    main()
