#!/usr/bin/env bash
# mypyc 2.4.1: `1 << n` with an `i64` n is compiled to a shift of C's int, so that bits above 31 come out elsewhere (1 << 35 is 8 on x86-64),
# though the result is declared `i64`. A variable `i64` in place of the literal that is not known when it compiles is shifted in 64 bits.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q mypy==2.4.1 setuptools==80.9.0
cd "$work"
cat >parts.py <<'PY'
from mypy_extensions import i64

def bit(n: i64) -> i64:
    return 1 << n

def shifted(one: i64, n: i64) -> i64:
    return one << n
PY
venv/bin/python - <<'PY'
import parts
assert (parts.bit(35), parts.shifted(1, 35)) == (1 << 35, 1 << 35)
print("interpreted: 1 << 35 is", parts.bit(35))
PY
venv/bin/mypyc parts.py >/dev/null 2>&1
venv/bin/python - <<'PY'
from importlib.metadata import version
import parts

assert not parts.__file__.endswith(".py")
print("mypy", version("mypy"), "compiled")
print("1 << 35:", parts.bit(35), "; with a 1 that is a parameter:", parts.shifted(1, 35))
assert parts.bit(35) != 1 << 35
assert parts.shifted(1, 35) == 1 << 35
PY
