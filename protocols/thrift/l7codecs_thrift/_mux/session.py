"""One connection of ThriftMux: tags of both directions, pings, and answers."""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i32_be
from mypy_extensions import i64

from l7codecs import (
    Detection,
    FramedDecoder,
    IdPairing,
    Kind,
    Limits,
    Message,
    Pairing,
    PairingTable,
    Sender,
    Session,
    Status,
    Unsupported,
    Verdict,
)
from l7codecs.message import Flow
from l7codecs.protocol import pairings

from .._meaning.origin import Origin, Renumbering
from .._transport.frames import Frames
from .frames import FRAGMENT, HEADER, NAMES, TAG, TYPE
from .messages import MuxMessage

__all__ = ["TAG_BITS", "MuxDecoder", "MuxSession", "detect"]

TAG_BITS: Final = 23
_CHECK: Final = b"tinit check"
_KINDS: Final = {
    1: Kind.REQUEST, 2: Kind.REQUEST, -1: Kind.RESPONSE, -2: Kind.RESPONSE, 65: Kind.HEARTBEAT, -65: Kind.RESPONSE,
    64: Kind.GOAWAY, -66: Kind.RESPONSE, -128: Kind.RESPONSE,
}  # fmt: skip
_TPING: Final[i64] = 65
_FRAME: Final[i64] = 512 * 1024 * 1024
_NO: Final = Detection(Verdict.NO)
_MORE: Final = Detection(Verdict.MORE, 100, "the beginning of a frame", Sender.CLIENT)
_NOTHING: Final = Detection(Verdict.MORE, 0, "", Sender.CLIENT)


@final
class MuxDecoder(FramedDecoder):
    """What one side says."""

    header_size = 8

    def __init__(self, flow: Flow, sender: Sender, limits: Limits, asks: PairingTable, answers: PairingTable) -> None:
        super().__init__(flow, sender, limits, asks, answers)
        self._frames = Frames(flow, sender, Origin(limits, Renumbering()))

    def frame_size(self, data: bytes, at: int) -> int:
        return 4 + int(read_i32_be(data, at))

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        kind_id = int.from_bytes(octets[start + TYPE : start + TYPE + 1], "big", signed=True)
        tag = int.from_bytes(octets[start + TAG : start + HEADER], "big")
        kind = _KINDS.get(kind_id, Kind.CONTROL)
        if tag & FRAGMENT:
            kind = Kind.CONTROL
        return MuxMessage(
            self.flow, self.sender, kind, offset, octets, start, stop, more, kind_id, tag, self._frames
        )  # fmt: skip

    def pair(self, message: Message) -> None:
        super().pair(message)
        if message.kind is Kind.RESPONSE and message.request is None and isinstance(message, MuxMessage):
            if message.type_name == "Rerr":
                message.kind = Kind.CONTROL  # to what was no request


@final
class MuxSession(Session):
    """One connection of ThriftMux."""

    def __init__(self, flow: Flow, limits: Limits, endpoint: Sender | None = None) -> None:
        if endpoint is None:
            asked: PairingTable = IdPairing(limits.pending, limits.waiting)
            back: PairingTable = IdPairing(limits.pending, limits.waiting)
        else:
            asked, back = pairings(Pairing.ID, TAG_BITS, limits, endpoint)
        client = MuxDecoder(flow, Sender.CLIENT, limits, asked, back)
        super().__init__(flow, client, MuxDecoder(flow, Sender.SERVER, limits, back, asked), limits, endpoint)

    def reply_error(self, request: Message, status: Status, text: str) -> bytes:
        """As everywhere: Rdispatch with ERROR and `text`; with NACK, which clients try again, for UNAVAILABLE."""
        if not isinstance(request, MuxMessage) or request.kind is not Kind.REQUEST:
            raise Unsupported("only a dispatch can be answered with an error")
        if status is Status.OK:
            raise ValueError("an error has another status than OK")
        code = b"\2" if status is Status.UNAVAILABLE else b"\1"
        body = (
            code + b"\0\0" + text.encode("utf-8", "replace")
            if request.type_id == 2
            else code + text.encode("utf-8", "replace")
        )
        return self.answer(request, self._made(request, -int(request.type_id), body))

    def reply_heartbeat(self, heartbeat: Message) -> bytes:
        if not isinstance(heartbeat, MuxMessage) or heartbeat.kind is not Kind.HEARTBEAT:
            raise Unsupported("only a ping that asks for an answer is a heartbeat")
        return self.answer(heartbeat, self._made(heartbeat, -int(_TPING), b""))

    def _made(self, request: MuxMessage, kind_id: int, body: bytes) -> MuxMessage:
        octets = (len(body) + 4).to_bytes(4, "big") + kind_id.to_bytes(1, "big", signed=True) + request.raw[5:8] + body
        sender = request.sender.other
        made = MuxMessage(
            request.flow, sender, Kind.RESPONSE, self.decoder(sender).buffer.offset, octets, 0, len(octets), False,
            kind_id, request.tag, request.frames,
        )  # fmt: skip
        made.request = request
        return made


def detect(client: bytes, server: bytes) -> Detection:
    """The verdict on the first octets of both directions. Clients begin with a check of theirs, with Tinit, or with a dispatch."""
    if not client:
        return _NOTHING
    if client[0] >= 0x20:
        return _NO
    if len(client) < HEADER + 2:
        return _NO if len(client) > TYPE and client[TYPE] not in (0x7F, 0x44, 0x41, 0x02) else _MORE
    size = int.from_bytes(client[:4], "big")
    kind = client[TYPE]
    if kind not in (0x7F, 0x44, 0x41, 0x02) or size < 4 or client[TAG] >= 0x80:
        return _NO
    if kind == 0x7F:
        body = client[HEADER : HEADER + len(_CHECK)]
        if size != 4 + len(_CHECK) or not _CHECK.startswith(body):
            return _NO
        return Detection(Verdict.YES, 100, "the check of Mux") if len(body) == len(_CHECK) else _MORE
    if client[TAG : TAG + 2] != b"\0\0" or client[TAG + 2] == 0:
        return _NO
    if kind == 0x44:
        return Detection(Verdict.YES, 90, "Tinit of Mux") if client[HEADER : HEADER + 2] == b"\0\1" else _NO
    if kind == 0x41:
        return Detection(Verdict.YES, 40, "Tping of Mux") if size == 4 else _NO
    return Detection(Verdict.YES, 50, f"{NAMES[2]} of Mux") if 10 <= size < _FRAME and client[HEADER] == 0 else _NO
