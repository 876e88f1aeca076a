#!/usr/bin/env bash
# mypyc 2.4.1: a slice of `bytes` whose stop lies before its start is a SystemError once compiled, where CPython gives b"".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q mypy==2.4.1 setuptools==80.9.0
cd "$work"
cat >parts.py <<'PY'
def part(octets: bytes, start: int, stop: int) -> bytes:
    return octets[start:stop]
PY
venv/bin/python - <<'PY'
import parts
assert parts.part(b"octets", 3, 1) == b""
print("interpreted: b'octets'[3:1] is", parts.part(b"octets", 3, 1))
PY
venv/bin/mypyc parts.py >/dev/null 2>&1
venv/bin/python - <<'PY'
from importlib.metadata import version
import parts

assert not parts.__file__.endswith(".py")
print("mypy", version("mypy"), "compiled")
try:
    outcome = repr(parts.part(b"octets", 3, 1))
except SystemError as error:
    outcome = f"SystemError: {error}"
print("b'octets'[3:1]:", outcome)
assert outcome.startswith("SystemError")
PY
