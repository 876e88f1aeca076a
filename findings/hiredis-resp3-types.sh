#!/usr/bin/env bash
# hiredis 3.1.0 (Python): maps of RESP3 become dicts, whose keys are equal where those of the protocol are not. An integer 1, a
# boolean true and a double 1 are one key: the first one's type stays, the last one's value. A big number becomes bytes, as a
# string would be. Attributes and blob errors are refused as a protocol error, though the RESP3 specification has both.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q hiredis==3.1.0
"$work/venv/bin/python" - <<'PY'
import hiredis

def read(octets):
    reader = hiredis.Reader()
    reader.feed(octets)
    try:
        return reader.gets()
    except hiredis.ProtocolError as error:
        return str(error)

for octets, expected in [
    (b"%3\r\n:1\r\n+integer\r\n#t\r\n+boolean\r\n,1\r\n+double\r\n", {1: b"double"}),
    (b"(12345678901234567890\r\n", b"12345678901234567890"),
    (b"|1\r\n+ttl\r\n:5\r\n+OK\r\n", 'Protocol error, got "|" as reply type byte'),
    (b"!5\r\nERR x\r\n", 'Protocol error, got "!" as reply type byte'),
]:
    got = read(octets)
    print(octets, "->", repr(got))
    assert got == expected, expected
(key,) = read(b"%2\r\n:1\r\n+integer\r\n#t\r\n+boolean\r\n")
assert type(key) is int
PY
