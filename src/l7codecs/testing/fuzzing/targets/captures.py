"""Files that may be captures: any octets, and connections whose packets are lost, doubled and out of order."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

from l7codecs.kinds import Sender
from l7codecs.testing.fuzzing.program import Program, Step
from l7codecs.testing.fuzzing.targets.base import Target

__all__ = ["Captures"]

FILE, PACKET, CHANGE = range(3)
_LARGEST = 1 << 16


class Captures(Target):
    """A file: octets of it.

    0 octets of the file; 1 octets are a packet, in a record of their own; 2 the last packet again, octet `a` of it set to `b`.
    """

    name = "capture"
    number = 6
    operations = 3

    def usable(self) -> bool:
        try:
            import l7codecs.capture  # noqa: F401
        except ModuleNotFoundError:
            return False
        return True

    def seeds(self, chance: random.Random) -> Iterator[Program]:
        for vector in self.material.vectors[:12]:
            octets = _capture(vector.pieces[:20])
            yield Program(self.number, (Step(FILE, 0, 0, octets[:_LARGEST]),))
            packets = list(_packets(octets))
            steps = [Step(FILE, 0, 0, octets[:24]), *(Step(PACKET, 0, 0, packet) for packet in packets[:40])]
            yield Program(self.number, tuple(steps))
            chance.shuffle(packets)
            steps = [Step(FILE, 0, 0, octets[:24]), *(Step(PACKET, 0, 0, packet) for packet in packets[:40])]
            yield Program(self.number, tuple(steps))

    def file(self, program: Program) -> bytes:
        """The octets of the file."""
        parts: list[bytes] = []
        last = b""
        for step in program.steps:
            operation = step.operation % self.operations
            if operation == FILE:
                parts.append(step.octets)
                continue
            if operation == CHANGE and last:
                at = step.a % len(last)
                last = last[:at] + bytes((step.b,)) + last[at + 1 :]
            elif operation == PACKET:
                last = step.octets
            size = len(last).to_bytes(4, "little")
            parts.append(bytes(8) + size + size + last)
        return b"".join(parts)

    def run(self, program: Program) -> None:
        from l7codecs.capture import CaptureError, CaptureLimits, Hole, Segment, StreamReader

        octets = self.file(program)
        seen: list[list[tuple[object, ...]]] = []
        for source in (io.BytesIO(octets), _Slow(octets)):
            found: list[tuple[object, ...]] = []
            total = 0
            try:
                reader = StreamReader(source, limits=CaptureLimits())
                for event in reader:
                    found.append((type(event).__name__, getattr(event, "sender", None), getattr(event, "size", None)))
                    if isinstance(event, Segment):
                        total += len(event.data)
                    elif isinstance(event, Hole):
                        assert event.size >= 0, f"a hole of {event.size} octets"
            except CaptureError as error:
                found.append(("error", str(error).partition(":")[2]))
            assert total <= max(len(octets) * (1 if octets[:2] != b"\x1f\x8b" else 1100), 1), (
                "more octets come out than went in"
            )
            seen.append(found)
            self.figures["events"] += len(found)
        assert seen[0] == seen[1], f"read in pieces, a file says something else: {_parts(*seen)}"


class _Slow(io.BytesIO):
    """A pipe that gives a few octets at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, 37) if size is not None and size >= 0 else 37)

    def read1(self, size: int | None = -1, /) -> bytes:
        return self.read(size)


def _parts(one: list[tuple[object, ...]], other: list[tuple[object, ...]]) -> str:
    for number, (mine, its) in enumerate(zip(one, other, strict=False)):
        if mine != its:
            return f"event {number} is {mine} and {its}"
    return f"{len(one)} and {len(other)} events"


def _capture(pieces: tuple[tuple[Sender, bytes], ...]) -> bytes:
    """A pcap file of a connection that says `pieces`."""
    from l7codecs.capture import CaptureWriter

    file = io.BytesIO()
    writer = CaptureWriter(file)
    connection = writer.open_connection(0, ("10.0.0.1", 40000), ("10.0.0.2", 80))
    for number, (sender, octets) in enumerate(pieces):
        connection.send(number * 1_000_000, sender, octets)
    connection.close(10**9)
    return file.getvalue()


def _packets(octets: bytes) -> Iterator[bytes]:
    at = 24
    while at + 16 <= len(octets):
        size = int.from_bytes(octets[at + 8 : at + 12], "little")
        yield octets[at + 16 : at + 16 + size]
        at += 16 + size
