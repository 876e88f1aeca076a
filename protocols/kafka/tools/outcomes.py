"""Write ``vectors/table-outcomes.txt``: an answer of each outcome, and of each place where a code may hide, made of the table.

Usage::

    python protocols/kafka/tools/outcomes.py

What real brokers seldom say in a recording: each of the statuses, a code that nobody knows, items that failed below a top that did not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from l7codecs_kafka._schema.layouts import apis, layout
from l7codecs_kafka._schema.values import Value, encode

OUTPUT = Path(__file__).resolve().parents[1] / "vectors" / "table-outcomes.txt"
CODES = (0, -1, 79, 14, 15, 51, 27, 22, 82, 6, 30, 35, 69, 7, 89, 1, 2, 42, 36, 97, 58, 999)
KEYS = {each.name: each.key for each in apis()}

PARTITIONS: list[Value] = [
    {"PartitionIndex": 0, "ErrorCode": 0},
    {"PartitionIndex": 1, "ErrorCode": 85, "ErrorMessage": "none"},
]
HIDDEN: tuple[tuple[str, int, dict[str, Value]], ...] = (
    ("AlterPartitionReassignments", 1, {"Responses": [{"Name": "t", "Partitions": PARTITIONS}]}),
    ("LeaveGroup", 5, {"Members": [{"MemberId": "m", "ErrorCode": 25}]}),
    ("ListOffsets", 11, {"Topics": [{"Name": "t", "Partitions": [{"ErrorCode": code} for code in (0, 6, 29)]}]}),
    ("Metadata", 12, {"Topics": [{"Name": "t", "ErrorCode": 5}, {"Name": "u"}]}),
)


def frame(octets: bytes) -> bytes:
    """`octets` behind their size."""
    return len(octets).to_bytes(4, "big") + octets


def exchange(name: str, version: int, number: int, fields: dict[str, Value]) -> tuple[bytes, bytes]:
    """A request of defaults, and its answer."""
    asked, answered = layout(KEYS[name], version, False), layout(KEYS[name], version, True)
    assert asked is not None and answered is not None
    head = KEYS[name].to_bytes(2, "big") + version.to_bytes(2, "big") + number.to_bytes(4, "big") + b"\x00\x02me"
    request = head + (b"\0" if asked.header_version == 2 else b"") + encode(asked, {})
    answer = number.to_bytes(4, "big") + (b"\0" if answered.header_version == 1 else b"") + encode(answered, fields)
    return frame(request), frame(answer)


def lines() -> Iterator[str]:
    """The file's."""
    yield "# Made of the table: python protocols/kafka/tools/outcomes.py"
    heartbeats: list[tuple[str, int, dict[str, Value]]] = [("Heartbeat", 4, {"ErrorCode": code}) for code in CODES]
    for number, (name, version, fields) in enumerate((*heartbeats, *HIDDEN), 1):
        for sender, octets in zip("CS", exchange(name, version, number, fields), strict=True):
            yield sender + " " + "".join(f"\\x{octet:02x}" for octet in octets)


if __name__ == "__main__":
    OUTPUT.write_text("\n".join(lines()) + "\n", encoding="ascii")
