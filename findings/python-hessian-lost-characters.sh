#!/usr/bin/env bash
# python-hessian 1.2.0 (PyPI): of a string of 1024 characters or more it leaves out each z, {, |, } and ~, without an error. Its reader of
# chunks takes an octet for a character of its own only up to 79 (hex), where UTF-8 has them up to 7f, and then takes no octets for the
# others. Shorter strings have another reader and are whole. So JSON in a long string loses its braces, and no text has a z.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q python-hessian==1.2.0
"$folder/venv/bin/python" - <<'PY'
from pyhessian.parser import Parser

piece = "ab{cd}~z|y"
reply = b"H\x02\x00R"  # version 2.0, a reply
short = Parser().parse_string(reply + bytes([len(piece)]) + piece.encode()).value
text = piece * 120
long = Parser().parse_string(reply + b"S" + len(text).to_bytes(2, "big") + text.encode()).value
print("python-hessian 1.2.0, 10 characters: ", short)
print(f"python-hessian 1.2.0, {len(text)} characters: {len(long)} of them, {long[:10]}…")
assert short == piece
assert long == "abcdy" * 120
PY
