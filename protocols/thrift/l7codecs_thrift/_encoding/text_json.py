"""TTEXT of Armeria, its `TTextProtocol`: as the body of HTTP, whose end is that of the message.

    {"method": "…", "type": "CALL", "seqid": n, "args": {"field": value, …}}

Values are as in thriftpy2's own JSON, but for maps, which are objects. Source: Armeria 1.33.1.

Not handled: members behind ``args``, where Armeria writes none.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import LimitExceeded, ProtocolError

from .json_head import JsonHead, patched
from .json_text import quoted, text_between
from .metadata_json import MetadataJsonEncoding, SizedSkipper
from .names import Name
from .skipper import Skipper
from .types import Head

__all__ = ["TextJsonEncoding"]

_KINDS: Final = {b"CALL": 1, b"REPLY": 2, b"EXCEPTION": 3, b"ONEWAY": 4}
_MEMBERS: Final[i64] = 16


@final
class TextJsonEncoding(MetadataJsonEncoding):
    """See the module. A body is the value of ``args``."""

    def head(self, octets: bytes, at: i64, stop: i64, longest: i64) -> Head | None:
        """See `Encoding.head`."""
        reader = _Members(octets, at, stop, longest)
        if not reader.read():
            return None
        name = text_between(octets, reader.name_at, reader.name_stop)
        if name is None:
            raise ProtocolError(reader.name_at, "a name that is no string of JSON", "one that is")
        return Head(
            reader.kind, Name(name), reader.seqid, at, reader.at, reader.name_at, reader.name_stop, reader.seqid_at,
            reader.seqid_stop, reader.kind_at, True, stop,
        )  # fmt: skip

    def skipper(self, head: Head, nesting: i64, elements: i64, payload: i64) -> Skipper:
        """See `Encoding.skipper`: to the end of what was given with the head."""
        return SizedSkipper(head.stop - head.body, nesting, elements, payload)

    def exception_message(self, name: str, seqid: i64, type: i64, text: str, strict: bool = True) -> bytes:
        """See `Encoding.exception_message`."""
        said = b'{"method": %s, "type": "EXCEPTION", "seqid": %d, "args": {"message": %s, "type": %d}}'
        return said % (quoted(name), int(seqid), quoted(text), int(type))

    def with_head(
        self, octets: bytes, head: Head, name: str | None = None, seqid: int | None = None, kind: int | None = None
    ) -> bytes:
        """See `Encoding.with_head`; the kind stays."""
        return patched(octets, head, int(head.at), name, seqid, None)


@final
class _Members(JsonHead):
    """Reads the members before the arguments, in any order."""

    def read(self) -> bool:
        """Read up to the arguments; False: they are not there yet."""
        if not self.expect(0x7B):
            return False
        members: i64 = 0
        while True:
            key = self.string()
            if key is None or not self.expect(0x3A) or not self.space():
                return False
            if key == b"args":
                break
            if key == b"method":
                if not self.name():
                    return False
            elif key == b"type":
                self.kind_at = self.at
                kind = self.string()
                if kind is None:
                    return False
                self.kind = _KINDS.get(kind) or 0
                if self.kind == 0:
                    raise ProtocolError(
                        self.kind_at, f"a message of type {kind[:20]!r}", "CALL, REPLY, EXCEPTION, ONEWAY"
                    )
            else:
                begin = self.at
                number = self.number(key)
                if number is None:
                    return False
                if key == b"seqid":
                    self.take_seqid(number, begin)
            if not self.expect(0x2C):
                return False
            members += 1
            if members > _MEMBERS:
                raise LimitExceeded(self.at, "one more member of the head", f"at most {_MEMBERS}")
        if self.octets[self.at] != 0x7B:
            raise ProtocolError(self.at, f"octet {self.octets[self.at]:02x}", "the arguments' opening brace")
        if self.name_at < 0 or self.seqid_at < 0 or self.kind == 0:
            raise ProtocolError(self.at, "arguments before a method, a type and a seqid", "all of them")
        return True
