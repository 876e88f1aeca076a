"""What each vector says, written down beside it for people to review and for the kit to compare: golden files.

Beside ``get.txt`` stands ``get.golden.jsonl``: one line of JSON for each event, in their order, `Data` and `Opaque` joined::

    {"event":0,"from":"client","kind":"request","operation":"GET","resources":["b'user:42'"],"attributes":{"db.operation.name":"GET"}}
    {"event":1,"from":"server","kind":"response","answers":0,"operation":"GET","status":"NOT_FOUND","error":"nil"}

Left out is what is None or empty, the protocol where it is that of the session, and the attributes that every message of the
connection has. ``answers``, ``belongs_to`` and ``data_of`` are numbers of other events. Octets stand as Python writes
them, ``"b'user:42'"``; a text that would look like that has ``=`` before it. What an error is, a line for it says at the end.

    python -m l7codecs.testing golden PROTOCOL FOLDER [VECTOR…]     writes the files of a folder of vectors, and says what changed
    python -m l7codecs.testing golden --check PROTOCOL FOLDER       writes nothing; exit status 1 where something would change

PROTOCOL is a registered name, or ``package.module:NAME`` of a `Protocol`. Read what it has written before you commit it: it is what
your protocol says, not what is right.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from l7codecs import Protocol, get_protocol
from l7codecs.errors import L7Error
from l7codecs.kinds import Kind
from l7codecs.message import Data, Gap, Message
from l7codecs.testing.replay import Outcome, replay
from l7codecs.testing.vectors import Vector, load_vectors

__all__ = ["difference_from_golden", "golden_lines", "golden_path", "main"]

SUFFIX = ".golden.jsonl"

Row = dict[str, object]


def golden_path(vector: Vector) -> Path:
    """The golden file of a vector that was loaded from a file. Raises `ValueError` for any other."""
    if vector.path is None:
        raise ValueError(f"{vector.name} was loaded from no file, so nothing can stand beside it")
    return vector.path.with_name(vector.path.stem + SUFFIX)


def golden_lines(outcome: Outcome, protocol: Protocol) -> list[str]:
    """The lines of a golden file for what a whole conversation of `protocol` came to."""
    rows: list[Row] = []
    numbers: dict[Message, int] = {}
    for event in outcome.events:
        last = rows[-1] if rows else {}
        if isinstance(event, Message):
            numbers[event] = len(rows)
            rows.append(_message(len(rows), event, numbers, protocol.name))
        elif isinstance(event, Data):
            _add_data(rows, event, numbers)
        elif isinstance(event, Gap):
            rows.append(
                {"event": len(rows), "from": event.sender.value, "gap": event.size, "resumed_at": event.resumed_at}
            )
        elif "opaque" in last and last["from"] == event.sender.value and isinstance(last["opaque"], int):
            last["opaque"] += len(event.raw)
        else:
            rows.append({"event": len(rows), "from": event.sender.value, "opaque": len(event.raw)})
    for sender, error in outcome.errors.items():
        rows.append({"event": len(rows), "from": sender.value, "raises": type(error).__name__, "says": str(error)})
    return [json.dumps(_plain(row), ensure_ascii=False, separators=(",", ":")) for row in rows]


def _message(number: int, message: Message, numbers: Mapping[Message, int], own: str) -> Row:
    row: Row = {"event": number, "from": message.sender.value, "kind": message.kind.value}
    request = message.request
    if request is not None:
        word = "answers" if message.kind is Kind.RESPONSE else "belongs_to"
        row[word] = numbers.get(request, "a message that is no event")
    common = message.flow.attributes
    fields: list[tuple[str, object]] = [
        ("protocol", message.protocol if message.protocol != own else None),
        ("request_id", message.request_id),
        ("stream_id", message.stream_id),
        ("service", message.service),
        ("operation", message.operation),
        ("resources", message.resources),
        ("status", message.status.name if message.status is not None else None),
        ("error", message.error),
        ("size", message.size),
        ("more", message.more or None),
        ("attributes", {k: v for k, v in sorted(message.attributes.items()) if k not in common or v != common[k]}),
        ("headers", [list(pair) for pair in message.headers]),
    ]  # fmt: skip
    row.update((name, value) for name, value in fields if value is not None and value not in ((), {}, []))
    return row


def _add_data(rows: list[Row], data: Data, numbers: Mapping[Message, int]) -> None:
    """A row for `data`, or more of the last one: how a message is cut into `Data` follows the reads."""
    last = rows[-1]
    head = numbers.get(data.message)
    if (
        last.get("data_of") == head
        and "ends" not in last
        and isinstance(last["size"], int)
        and isinstance(last["payload"], int)
    ):
        last["size"] += len(data.raw)
        last["payload"] += data.payload_size
    else:
        last = {
            "event": len(rows), "from": data.sender.value, "data_of": head, "size": len(data.raw), "payload": data.payload_size,
        }  # fmt: skip
        rows.append(last)
    if not data.more:
        last["ends"] = True
        if data.status is not None:
            last["status"] = data.status.name
        if data.error is not None:
            last["error"] = data.error


def _plain(value: object) -> object:
    """A value in the terms of JSON: octets as Python writes them."""
    if isinstance(value, bytes):
        return repr(value)
    if isinstance(value, str):
        return f"={value}" if value.startswith(("b'", 'b"', "=")) else value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def difference_from_golden(lines: Sequence[str], golden: str) -> str:
    """The first event, and the fields of it, in which `lines` are not what a golden file says; empty where they agree."""
    for number, (line, expected) in enumerate(zip_longest(lines, golden.splitlines())):
        if line == expected:
            continue
        if expected is None:
            return f"event {number} is not in the golden file: {_short(line)}"
        try:
            before = json.loads(expected)
        except ValueError as error:
            return f"line {number + 1} of the golden file is no JSON: {error}"
        if line is None:
            return f"event {number} of the golden file does not come: {_short(expected)}"
        now = json.loads(line)
        parts = list(_differences("", now, before))
        return f"event {number}, {_title(now)}: " + ("; ".join(parts) or "the same, in another order or form")
    return ""


def _differences(name: str, now: object, before: object) -> Iterable[str]:
    """Field by field, down to the attribute."""
    if isinstance(now, dict) and isinstance(before, dict):
        for key in dict.fromkeys((*now, *before)):
            if now.get(key) != before.get(key):
                yield from _differences(f"{name} {key}".strip(), now.get(key), before.get(key))
    else:
        yield f"{name} is {_show(now)}, and {_show(before)} in the golden file"


def _title(row: Mapping[str, object]) -> str:
    words = [
        row.get("from"),
        row.get("kind") or next((word for word in ("data_of", "opaque", "gap", "raises") if word in row), ""),
    ]
    return " ".join(str(word) for word in (*words, row.get("operation")) if word is not None)


def _show(value: object) -> str:
    return "nothing" if value is None else _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= 240 else f"{text[:200]}…"


def _find(name: str) -> Protocol:
    module, colon, attribute = name.partition(":")
    if not colon:
        return get_protocol(name)
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, Protocol):
        raise ValueError(f"{name} is no Protocol")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the golden files of a folder; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m l7codecs.testing golden",
        description="Write down what each vector says, for review.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with status 1 where something would change"
    )
    parser.add_argument("protocol", metavar="PROTOCOL", help="a registered name, or package.module:NAME")
    parser.add_argument("folder", metavar="FOLDER", help="of the vectors")
    parser.add_argument("vectors", metavar="VECTOR", nargs="*", help="names of vectors; default: all")
    given = parser.parse_args(arguments)
    try:
        protocol = _find(given.protocol)
        vectors = load_vectors(given.folder)
        unknown = set(given.vectors) - {vector.name for vector in vectors}
        if unknown:
            raise ValueError(f"no vector is called {', '.join(sorted(unknown))}")
    except (L7Error, OSError, ValueError, ImportError, AttributeError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    changed = 0
    for vector in vectors:
        if not given.vectors or vector.name in given.vectors:
            changed += _write(protocol, vector, given.check)
    for path in _orphans(Path(given.folder), vectors):
        changed += 1
        print(f"{path.name}: no vector has this name" + ("" if given.check else "; removed"))
        if not given.check:
            path.unlink()
    print(f"{changed} of {len(vectors)} golden files {'would change' if given.check else 'were written: review them'}")
    return int(given.check and changed > 0)


def _write(protocol: Protocol, vector: Vector, check: bool) -> bool:
    """Bring the golden file of one vector up to date; returns whether it was not."""
    lines = golden_lines(replay(protocol.open(), vector, eof=True), protocol)
    path = golden_path(vector)
    before = path.read_text("utf-8") if path.exists() else None
    text = "".join(f"{line}\n" for line in lines)
    if text == before:
        return False
    print(f"{vector.name}: {'new' if before is None else difference_from_golden(lines, before)}")
    if not check:
        path.write_text(text, "utf-8", newline="\n")
    return True


def _orphans(folder: Path, vectors: Iterable[Vector]) -> list[Path]:
    """Golden files without a vector."""
    known = {golden_path(vector) for vector in vectors}
    return [path for path in sorted(folder.glob(f"*{SUFFIX}")) if path not in known]
