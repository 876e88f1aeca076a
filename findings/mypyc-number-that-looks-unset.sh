#!/usr/bin/env bash
# mypyc 2.4.1: an i64 that a base class names and a subclass sets cannot be -113: reading it by the base class is an AttributeError, once
# compiled. All other numbers can be read. It is what stands in the place of one that is not set; that it was set is not asked.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q mypy==2.4.1 setuptools==80.9.0
cd "$work"
cat >numbers_of.py <<'PY'
from mypy_extensions import i64


class Message:
    number: i64


class Answer(Message):
    def __init__(self, number: i64) -> None:
        self.number = number


def number_of(message: Message) -> i64:
    return message.number
PY
venv/bin/mypyc numbers_of.py >/dev/null 2>&1
venv/bin/python - <<'PY'
from importlib.metadata import version

from numbers_of import Answer, number_of

import numbers_of

assert not numbers_of.__file__.endswith(".py")
print("mypy", version("mypy"), "compiled")
wrong = []
for number in range(-1000, 1000):
    try:
        assert number_of(Answer(number)) == number
    except AttributeError as error:
        wrong.append(number)
        print(f"number_of(Answer({number})): AttributeError: {error}")
assert wrong == [-113], wrong
PY
