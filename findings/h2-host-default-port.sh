#!/usr/bin/env bash
# h2 4.4.1: a request whose host is "example.org:80" beside an :authority of "example.org", with :scheme http, is a protocol error that ends the
# connection. RFC 9113 §8.3.1 has a server refuse a host that identifies another entity; with the scheme's default port these are one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q h2==4.4.1 hpack==4.2.0
"$work/venv/bin/python" - <<'PY'
import h2.config, h2.connection, h2.exceptions, hpack
from importlib.metadata import version

def receive(host):
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "example.org"), ("host", host)]
    block = hpack.Encoder().encode(fields)
    octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4\0" + bytes(4)
    octets += len(block).to_bytes(3, "big") + b"\1\5" + (1).to_bytes(4, "big") + block
    try:
        return type(server.receive_data(octets)[-1]).__name__
    except h2.exceptions.ProtocolError as error:
        return f"{type(error).__name__}: {error}"

print("h2", version("h2"))
for host in ("example.org", "example.org:80", "Example.org"):
    print(f"host: {host:15} -> {receive(host)}")
assert "Error" not in receive("example.org")
assert receive("example.org:80").startswith("ProtocolError")
PY
