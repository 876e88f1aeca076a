"""HTTP/2: header blocks beside hpack (PyPI) and nghttp2's inflater (Debian), each piece a block; a client's frames beside h2 (PyPI)."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from l7codecs_http2._hpack.decoder import HpackDecoder
from l7codecs_http2._semantics.messages import Http2Message

from l7codecs import Data, Kind, Message, ProtocolError, Sender, get_protocol
from l7codecs.testing import load_tool
from l7codecs.testing.fuzzing import Comparison, Refusal
from l7codecs.testing.fuzzing.comparison import NOTHING, first_difference, name_of
from l7codecs.testing.fuzzing.material import Material

ROOT = Path(__file__).resolve().parent.parent.parent
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RESET, PROMISE, GOAWAY, CONTINUATION = 1, 3, 5, 7, 9
END_HEADERS, PADDED, PRIORITY = 4, 8, 0x20


def blocks_of(octets: bytes) -> Iterable[bytes]:
    """The header blocks of one side of a connection."""
    if octets.startswith(b"PRI * "):
        octets = octets[24:]
    block = b""
    while len(octets) >= 9:
        size, kind, flags = int.from_bytes(octets[:3], "big"), octets[3], octets[4]
        payload, octets = octets[9 : 9 + size], octets[9 + size :]
        if kind not in (HEADERS, PROMISE, CONTINUATION):
            continue
        if kind != CONTINUATION:
            if flags & PADDED and payload:
                payload = payload[1 : len(payload) - payload[0]]
            payload = payload[5 if kind == HEADERS and flags & PRIORITY else 4 if kind == PROMISE else 0 :]
        block += payload
        if flags & END_HEADERS:
            yield block
            block = b""


class OfBlocks(Comparison):
    """The fields of blocks, the last one or a refusal."""

    def seeds(self, material: Material, chance: random.Random) -> Iterable[Sequence[bytes]]:
        for vector in (*material.vectors, *material.made(chance, 60)):
            for sender in Sender:
                found = list(blocks_of(vector.octets(sender)))[:20]
                if found:
                    yield found

    def ours(self, pieces: Sequence[bytes]) -> object:
        decoder = HpackDecoder(4096, 1 << 40)
        found: list[object] = []
        for block in pieces:
            try:
                fields = decoder.decode(block, 0, len(block)).fields
            except ProtocolError as error:
                found.append(Refusal(str(error)))
                break
            found.append([(field.title.octets, field.value, field.sensitive) for field in fields])
        return found


class BesideNghttp2(OfBlocks):
    name = "nghttp2"

    def start(self) -> None:
        self.inflate: Any = load_tool(ROOT / "protocols/http2/tools", "nghttp2_inflate")
        self.inflate.Inflater().close()

    def theirs(self, pieces: Sequence[bytes]) -> object:
        inflater = self.inflate.Inflater()
        found: list[object] = []
        try:
            for block in pieces:
                fields = inflater.decode(block)
                found.append(Refusal() if fields is None else fields)
                if fields is None:
                    break
        finally:
            inflater.close()
        return found


class BesideHpack(OfBlocks):
    name = "hpack"

    def start(self) -> None:
        self.hpack: Any = importlib.import_module("hpack")

    def theirs(self, pieces: Sequence[bytes]) -> object:
        decoder = self.hpack.Decoder(max_header_list_size=1 << 40)
        decoder.max_allowed_table_size = 4096
        found: list[object] = []
        for block in pieces:
            try:
                fields = decoder.decode(block, raw=True)
            except self.hpack.HPACKError as error:
                found.append(Refusal(repr(error)))
                break
            found.append([(bytes(f[0]), bytes(f[1]), not f.indexable) for f in fields])
        return found


class OfFrames(Comparison):
    """What a server hears of its client: headers, data, resets and the end, in their order. What §8 says of fields is left out."""

    has_reset = False
    """Whether the other one has ended a stream of what was read last."""

    def seeds(self, material: Material, chance: random.Random) -> Iterable[Sequence[bytes]]:
        for vector in (*material.vectors, *material.made(chance, 40)):
            octets = vector.octets(Sender.CLIENT)
            if octets.startswith(PREFACE):
                yield [PREFACE, *frames_of(octets[len(PREFACE) :])]

    def ours(self, pieces: Sequence[bytes]) -> object:
        session = get_protocol("http2").open()
        found: list[object] = []
        octets = b"".join(pieces)
        frames = [each for each in frames_of(octets[len(PREFACE) :]) if is_whole(each)]
        try:
            for event in session.receive(Sender.CLIENT, octets[: len(PREFACE)] + b"".join(frames)):
                stream = event.stream_id
                if isinstance(event, Data):
                    found.append(("data", stream, bytes(event.payload)))
                elif isinstance(event, Http2Message):
                    found.append(("headers", stream, [each[:2] for each in event.fields]))
                elif isinstance(event, Message) and event.kind in (Kind.RESET, Kind.GOAWAY):
                    if stream is None or stream & 1:  # of its server's streams nothing is heard
                        found.append((event.kind.value, stream))
        except ProtocolError as error:
            found.append(Refusal(str(error)))
        return found


LENIENT = {
    "expected SETTINGS": "begins with any frame",
    "SETTINGS_": "looks at the last of a setting that comes twice",
    "RST_STREAM on idle": "takes a reset of a stream that has not begun",
}
"""What h2 takes and is refused here, by words of our refusal."""


class BesideH2(OfFrames):
    name = "h2"

    def start(self) -> None:
        for each in ("connection", "config", "events", "exceptions"):
            setattr(self, each, importlib.import_module(f"h2.{each}"))

    connection: Any
    config: Any
    events: Any
    exceptions: Any

    def theirs(self, pieces: Sequence[bytes]) -> object:
        config = self.config.H2Configuration(
            client_side=False, header_encoding=None, validate_inbound_headers=False, normalize_inbound_headers=False
        )
        connection = self.connection.H2Connection(config)
        connection.initiate_connection()
        self.has_reset = False
        octets = b"".join(pieces)
        found: list[object] = []
        for part in [octets[: len(PREFACE)], *frames_of(octets[len(PREFACE) :])]:
            try:
                events = connection.receive_data(part)
            except self.exceptions.ProtocolError as error:
                found.append(Refusal(repr(error)))
                break
            for event in events:
                if isinstance(event, (self.events.RequestReceived, self.events.TrailersReceived)):
                    fields = [(bytes(name).decode("latin-1"), bytes(value)) for name, value in event.headers]
                    found.append(("headers", event.stream_id, fields))
                elif isinstance(event, self.events.DataReceived):
                    found.append(("data", event.stream_id, bytes(event.data)))
                elif isinstance(event, self.events.StreamReset):
                    self.has_reset |= not event.remote_reset
                    if event.remote_reset:
                        found.append(("reset", event.stream_id))
                elif isinstance(event, self.events.ConnectionTerminated):
                    found.append(("goaway", None))
        return found

    def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
        """See fuzz/README.md, "What was found in others"."""
        one, other = first_difference(ours, theirs)
        if isinstance(one, Refusal) and other is NOTHING:
            return "waits for the rest of a frame"
        name = name_of(one, LENIENT)
        if name is not None:
            return name
        if isinstance(one, tuple) and one[0] == "reset" and isinstance(theirs, list) and one in theirs:
            return "tells one reset of a stream"
        if isinstance(one, tuple) and one[0] == "reset" and other is not NOTHING and not isinstance(other, Refusal):
            return "tells no reset of a stream that has not begun"
        if isinstance(one, tuple) and self.has_reset:
            return "tells nothing more of a stream that it has reset itself"
        if isinstance(other, Refusal):
            return "refuses what streams and windows do not allow"
        return None


class BesideNghttp2Frames(OfFrames):
    name = "nghttp2's session"

    def start(self) -> None:
        self.made: Any = load_tool(ROOT / "protocols/http2/tools", "nghttp2_hearing").Hearing
        self.made().close()

    def theirs(self, pieces: Sequence[bytes]) -> object:
        self.has_reset = False
        octets = b"".join(pieces)
        hearing = self.made()
        try:
            for part in [octets[: len(PREFACE)], *frames_of(octets[len(PREFACE) :])]:
                taken = hearing.hear(part)
                for frame in frames_of(hearing.sent):
                    self.has_reset |= frame[3] == RESET
                    taken &= frame[3] != GOAWAY
                if not taken:
                    return [*hearing.heard, Refusal()]
            return list(hearing.heard)
        finally:
            hearing.close()

    def known(self, pieces: Sequence[bytes], ours: object, theirs: object) -> str | None:
        """See fuzz/README.md, "What was found in others"."""
        one, other = first_difference(ours, theirs)
        if isinstance(one, Refusal) and other is NOTHING:
            return "waits for the rest of a frame"
        if isinstance(one, Refusal) and "after stream" in one.why:
            return "passes over HEADERS of a stream with a lower number"
        if isinstance(one, tuple) and isinstance(theirs, list) and ("goaway", None) in theirs:
            return "takes nothing new behind GOAWAY"
        if isinstance(other, Refusal):
            return "refuses what streams and windows do not allow"
        if isinstance(one, tuple) and self.has_reset:
            return "tells nothing more of a stream that it has reset itself"
        return None


def is_whole(frame: bytes) -> bool:
    return len(frame) == 9 + int.from_bytes(frame[:3], "big")


def frames_of(octets: bytes) -> Iterable[bytes]:
    """The frames in `octets`, the last one as far as it is there."""
    while octets:
        size = 9 + int.from_bytes(octets[:3], "big")
        yield octets[:size]
        octets = octets[size:]


def comparisons() -> list[Comparison]:
    return [BesideHpack(), BesideNghttp2(), BesideH2(), BesideNghttp2Frames()]
