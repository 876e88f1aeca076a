#!/usr/bin/env bash
# mypyc 2.4.1: a property of a compiled class whose setter takes a class or None takes anything from interpreted code, where a plain attribute
# of that type raises a TypeError.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q mypy==2.4.1 setuptools==80.9.0
cd "$work"
cat >box.py <<'PY'
class Box:
    def __init__(self) -> None:
        self.plain: "Box | None" = None
        self._other: "Box | None" = None

    @property
    def other(self) -> "Box | None":
        return self._other

    @other.setter
    def other(self, other: "Box | None") -> None:
        self._other = other
PY
venv/bin/mypyc box.py >/dev/null 2>&1
venv/bin/python - <<'PY'
from importlib.metadata import version
from box import Box
import box

def assign(name, value):
    one = Box()
    try:
        setattr(one, name, value)
    except TypeError as error:
        return f"TypeError: {error}"
    return f"taken, and reads as {getattr(one, name)!r}"

print("mypy", version("mypy"), "compiled:", not box.__file__.endswith(".py"))
found = {name: assign(name, "a text") for name in ("plain", "other")}
for name, outcome in found.items():
    print(f"Box().{name} = 'a text': {outcome}")
assert found["plain"].startswith("TypeError") and found["other"] == "taken, and reads as 'a text'"
PY
