"""Toy protocols, one of each way to pair, for the sessions of a proxy and the peers on both sides of it.

A frame is two octets of its size, one of its kind (a letter), the number in as many octets as the protocol says (none, of FIFO and NONE),
and text. The peers here read and write it by themselves: what they see is the truth.

    Q request   A answer   P push   O one-way   G takes no more   X given up   M answer, and more follow on its stream
"""

from __future__ import annotations

from dataclasses import dataclass

from l7codecs import (
    AutoSession,
    Detection,
    Flow,
    FramedDecoder,
    Kind,
    Limits,
    Message,
    Pairing,
    Protocol,
    Sender,
    Session,
    Verdict,
    put_number,
)

C, S = Sender.CLIENT, Sender.SERVER
KINDS = {
    "Q": Kind.REQUEST,
    "A": Kind.RESPONSE,
    "M": Kind.RESPONSE,
    "P": Kind.PUSH,
    "O": Kind.ONEWAY,
    "G": Kind.GOAWAY,
    "X": Kind.RESET,
}


class Toy(Message):
    width = 0
    stream = False
    writes = True

    @property
    def letter(self) -> str:
        return chr(self.octets[self.start + 2])

    @property
    def number(self) -> int | None:
        at = self.start + 3
        return int.from_bytes(self.octets[at : at + self.width], "big") if self.width else None

    @property
    def request_id(self) -> int | None:
        return None if self.stream else self.number

    @property
    def stream_id(self) -> int | None:
        return self.number if self.stream else None

    @property
    def operation(self) -> str | None:
        return self.octets[self.start + 3 + self.width : self.stop].decode("latin-1")

    @property
    def last(self) -> bool:
        return self.letter != "M"

    def renumbered(self, number: int) -> bytes | None:
        return put_number(self.raw, 3, self.width, number) if self.writes and self.width else None

    def cancellation(self, number: int | None) -> bytes:
        return frame("X", number, "", self.width) if self.stream and number is not None else b""


class ToyDecoder(FramedDecoder):
    header_size = 2
    made = Toy

    def frame_size(self, data: bytes, at: int) -> int:
        size = int.from_bytes(data[at : at + 2], "big")
        if size < 3 + self.made.width:
            self.fail(0, f"a frame of {size} octets", "more")
        return size

    def message(self, octets: bytes, start: int, stop: int, offset: int, more: bool) -> Message:
        kind = KINDS[chr(octets[start + 2])]
        return self.made(self.flow, self.sender, kind, offset, octets, start, stop, more)

    def pair(self, message: Message) -> None:
        super().pair(message)
        if message.kind is Kind.RESET:
            message.request = next((each for each in self.asks.waiting() if each.stream_id == message.stream_id), None)
        if message.stream_id is not None and message.kind is Kind.RESPONSE and message.last:
            self.answers.close(message.stream_id)  # type: ignore[attr-defined]  # that of streams


def detect(client: bytes, server: bytes) -> Detection:
    if len(client) < 3:
        return Detection(Verdict.MORE, 50, "too little", C)
    return Detection(Verdict.YES, 50, "a frame") if chr(client[2]) in KINDS else Detection(Verdict.NO)


def toy(name: str, pairing: Pairing, width: int, writes: bool = True) -> Protocol:
    made = type(
        "Made" + name,
        (Toy,),
        {"width": width, "stream": pairing is Pairing.STREAM, "writes": writes, "__module__": __name__},
    )
    decoder = type("Decoder" + name, (ToyDecoder,), {"made": made, "__module__": __name__})
    return Protocol(name, name, (), pairing, decoder, detect=detect, id_bits=8 * width)


def frame(letter: str, number: int | None, text: str, width: int) -> bytes:
    octets = (
        letter.encode()
        + (number.to_bytes(width, "big") if width and number is not None else b"")
        + text.encode("latin-1")
    )
    return (2 + len(octets)).to_bytes(2, "big") + octets


@dataclass(frozen=True)
class Frame:
    letter: str
    number: int | None
    text: str


def frames(octets: bytes, width: int) -> list[Frame]:
    """What a peer reads, which has to be whole."""
    found = []
    while octets:
        size = int.from_bytes(octets[:2], "big")
        assert len(octets) >= size, "a frame is cut"
        one, octets = octets[2:size], octets[size:]
        number = int.from_bytes(one[1 : 1 + width], "big") if width else None
        found.append(Frame(one[:1].decode("latin-1"), number, one[1 + width :].decode("latin-1")))
        assert found[-1].letter in KINDS, "a frame inside of another"
    return found


class TextToy(Toy):
    """Has four characters in place of a number, which cannot be others."""

    @property
    def request_id(self) -> bytes:  # type: ignore[override]  # a text
        return self.octets[self.start + 3 : self.start + 7].strip()


class TextToyDecoder(ToyDecoder):
    made = TextToy


BY_TEXT = Protocol("text", "text", (), Pairing.ID, TextToyDecoder, detect=detect)
FIFO = toy("fifo", Pairing.FIFO, 0)
NONE = toy("none", Pairing.NONE, 0)
BY_ID = {width: toy(f"id{8 * width}", Pairing.ID, width) for width in (1, 2, 4, 8)}
KEEPS = toy("keeps", Pairing.ID, 1, writes=False)
STREAM = toy("stream", Pairing.STREAM, 2)


def width_of(protocol: Protocol) -> int:
    return protocol.id_bits // 8


class How:
    """How sessions are opened: by the protocol, or by what is spoken."""

    auto = False


def opened(protocol: Protocol, side: Sender | None, limits: Limits | None = None) -> Session:
    limits = limits or Limits()
    if How.auto:
        return AutoSession(Flow("auto"), [protocol], limits, side)
    return protocol.open(limits=limits, endpoint=side)


def made_answer(request: Message, text: str) -> Message:
    """An answer that is made here."""
    assert isinstance(request, Toy)
    octets = frame("A", request.number, text, request.width)
    return type(request)(request.flow, S, Kind.RESPONSE, 0, octets, 0, len(octets), False, request)
