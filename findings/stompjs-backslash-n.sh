#!/usr/bin/env bash
# @stomp/stompjs 7.5.0 reads a backslash with an "n", "r" or "c" behind it in a header as an escape of its own: C:\new, which STOMP 1.2 has on the
# wire as C\c\\new, comes out as C:\, a line feed, and ew. It replaces the escapes one kind after the other over the whole value (first \n, last
# \\), where each octet belongs to one of them. What it writes is right, so its own headers come back changed as well. Names, which the
# specification ("Value Encoding") has escaped as values are, it writes as they are: "host:port: x" is a header "host". stomp.py 9.0.0 reads what
# is on the wire as it should. Needs Node.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q stomp.py==9.0.0
npm install --silent --no-audit --no-fund @stomp/stompjs@7.5.0 >/dev/null
cat >frame.js <<'JS'
const { FrameImpl, Parser } = require("@stomp/stompjs");
const headers = { path: "C:\\new\\run\\code", two: "a\nb", "host:port": "x" };
const written = FrameImpl.marshall({ command: "MESSAGE", headers, body: "b", escapeHeaderValues: true });
const parser = new Parser((raw) => {
  const { headers: read } = FrameImpl.fromRawFrame(raw, true);
  console.log(JSON.stringify({ headers, written, read }));
}, () => {});
parser.parseChunk(written);
JS
node frame.js >told
venv/bin/python - <<'PY'
import json
from stomp.utils import parse_frame

told = json.load(open("told"))
sent = told["headers"]
print("sent:    ", sent)
print("wire:    ", repr(told["written"]))
other = parse_frame(told["written"].encode()).headers
other.pop("content-length")
told["read"].pop("content-length")
print("stomp.py:", other)
print("stompjs: ", told["read"])
named = {"two": "a\nb", "host": "port:x"}
assert other == {"path": sent["path"], **named}
assert told["read"] == {"path": "C:\\\new\\\run\\:ode", **named}
PY
