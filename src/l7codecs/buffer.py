"""The octets of one direction between the reads that brought them and the messages that they make.

The decoder reads ``data[pos:end]``, the window. In the ordinary case the window IS the chunk that was fed: nothing is copied,
and a message is a pair of indexes into it. Only a message that crosses chunks costs a copy, and of each octet at most twice,
however small the chunks are:

    held (octets of this message that left the window)   window                               queue (not looked at yet)
    ┌──────────────────────────────────────────────────┐┌────────────┬───────────┬───────────┐┌─────────┐┌─────────
    │ parsed                                           ││ parsed     │ unparsed  │           ││ chunk   ││ chunk …
    └──────────────────────────────────────────────────┘└────────────┴───────────┴───────────┘└─────────┘└─────────
                                                        start        pos         seam        end

When the window runs out inside a token, the token's beginning is joined with only as much of the next chunk as is asked for (that
chunk begins at `seam`), and the window moves on to the chunk itself as soon as parsing has passed the seam.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from mypy_extensions import i64

__all__ = ["Buffer"]

_LOOKAHEAD: Final[i64] = 64
"""Octets of the next chunk to join to a cut token at least, so that a short header needs one join."""
_LF: Final[i64] = 10
_NEAR: Final[i64] = 40
"""Octets that are looked at one by one, which costs less than a call where the line is short."""
_PIECES: Final[i64] = 32
"""Pieces of a message that are kept apart at most."""


@final
class Buffer:
    """Octets of one direction, chunk by chunk.

    ``data[pos:end]`` is unparsed; ``data[start:pos]`` after ``held`` is the parsed part of the message in progress; ``base`` is the
    offset in the direction of ``data[0]``.
    """

    def __init__(self) -> None:
        self.data = b""
        self.pos: i64 = 0
        self.end: i64 = 0
        self.start: i64 = 0
        self.base: i64 = 0
        self.held: list[bytes] | None = None
        self._bulk: bytearray | None = None
        self._held_size: i64 = 0
        self._next: bytes | None = None
        self._queue: deque[bytes] | None = None
        self._queued: i64 = 0
        self._taken: i64 = 0
        self._seam: i64 = -1
        self._scanned: i64 = 0
        self._scanned_chunks: i64 = 0

    def feed(self, chunk: bytes) -> None:
        """Append a chunk that was read."""
        size: i64 = len(chunk)
        if size == 0:
            return
        if self.pos == self.end and self.start == self.pos and self._queued == 0 and self.held is None:
            self.base += self.end
            self.data = chunk
            self.pos = 0
            self.start = 0
            self.end = size
            self._seam = -1
        else:
            if self._next is None:
                self._next = chunk
            else:
                if self._queue is None:
                    self._queue = deque()
                self._queue.append(chunk)
            self._queued += size

    @property
    def available(self) -> int:
        """Octets fed and not parsed."""
        return self.end - self.pos + self._queued

    @property
    def unfinished(self) -> int:
        """Octets fed that are not yet part of an event."""
        return self.end - self.start + self._queued + self.held_size()

    @property
    def offset(self) -> int:
        """The offset in the direction of the next octet to parse."""
        return self.base + self.pos

    @property
    def message_offset(self) -> int:
        """The offset in the direction of the first octet of the message in progress."""
        return self.base + self.start - self.held_size()

    def held_size(self) -> i64:
        """Octets of the message in progress that have left the window."""
        return self._held_size

    def message_size(self) -> i64:
        """Octets of the message in progress that are parsed."""
        return self.held_size() + self.pos - self.start

    def release(self) -> None:
        """Let go of a chunk that is all parsed and handed out, so that an idle connection holds none."""
        if self.end > 0 and self.pos == self.end and self.start == self.pos and self._queued == 0 and self.held is None:
            self.base += self.end
            self.data = b""
            self.pos = 0
            self.start = 0
            self.end = 0
            self._seam = -1

    def skip_lost(self, size: i64) -> None:
        """Count `size` octets that never came. Only between messages with nothing unparsed."""
        self.base += size

    def need(self, size: i64) -> bool:
        """Bring ``data[pos:pos + size]`` into the window. False if so many octets have not arrived. Indexes may move."""
        if self.end - self.pos >= size:
            return True
        if self.end - self.pos + self._queued < size:
            return False
        self._pull(size)
        return True

    def line(self, limit: i64) -> i64:
        """Bring the line at `pos` into the window, up to and including its LF.

        Returns its size in octets; 0 while the LF has not arrived; -1 as soon as more than `limit` octets are known to
        come before the end of the line. Octets looked at once are not looked at again.
        """
        inside: i64 = self.end - self.pos
        scanned = self._scanned
        if scanned < inside:
            data = self.data
            at: i64 = self.pos + scanned
            near: i64 = min(at + _NEAR, self.end)
            while at < near and data[at] != _LF:
                at += 1
            if at == near:
                at = data.find(b"\n", near, self.end)
            if at >= 0:
                self._scanned = 0
                size = at + 1 - self.pos
                return size if size <= limit else i64(-1)
            scanned = inside
        index = self._scanned_chunks
        queue = self._queue
        while (
            scanned < limit and self._next is not None and (index == 0 or (queue is not None and index <= len(queue)))
        ):
            chunk = self._next if queue is None or index == 0 else queue[index - 1]
            first: i64 = self._taken if index == 0 else 0
            at = chunk.find(b"\n", first)
            if at >= 0:
                self._scanned = 0
                self._scanned_chunks = 0
                size = scanned + at + 1 - first
                if size > limit:
                    return -1
                self._pull(size)
                return size
            scanned += len(chunk) - first
            index += 1
        self._scanned_chunks = index
        self._scanned = scanned
        return 0 if scanned < limit else -1

    def pass_over(self, size: i64) -> i64:
        """Move past up to `size` octets without making them one piece; returns how many of them are still to come."""
        while True:
            inside: i64 = self.end - self.pos
            if (self._seam < 0 and inside >= size) or self._seam >= self.pos + size:
                self.pos += size
                return 0
            if self._seam >= 0:
                if self.pos < self._seam:
                    size -= self._seam - self.pos
                    self.pos = self._seam
                self._cross_seam()
                continue
            self.pos = self.end
            size -= inside
            if self._queued == 0:
                return size
            self._next_chunk()

    def pass_window(self, size: i64) -> i64:
        """Move past up to `size` octets of the window alone; returns how many of them are still to come.

        Called again, it goes on in the next chunk, if what was passed has been taken.
        """
        if self._seam >= 0 and self.pos >= self._seam:
            self._cross_seam()
        elif self.pos == self.end and self._queued > 0:
            self._next_chunk()
        stop = self._seam if self._seam >= 0 else self.end
        step: i64 = min(size, stop - self.pos)
        self.pos += step
        return size - step

    def message(self) -> bytes:
        """The octets that hold the message in progress: ``data``, or a copy where it crossed chunks (see `message_start`)."""
        if self.held is None:
            return self.data
        return self._join()

    def message_start(self) -> i64:
        """Where in `message` the message in progress starts."""
        if self.held is None:  # an expression of both would be an object, compiled
            return self.start
        return 0

    def finish(self) -> None:
        """What has been parsed has become an event; the next message starts here."""
        self.start = self.pos
        self._scanned = 0
        self._scanned_chunks = 0
        if self.held is not None:
            self.held = None
            self._bulk = None
            self._held_size = 0

    def take(self) -> bytes:
        """The parsed octets of the message in progress, which are then no longer part of it."""
        start = self.start
        pos = self.pos
        if self.held is not None:
            octets = self._join()
        elif start == 0 and pos == len(self.data):
            octets = self.data
        else:
            octets = self.data[start:pos]
        self.finish()
        return octets

    def take_all(self) -> bytes:
        """Every octet fed and not yet part of an event."""
        self.pass_over(self.end - self.pos + self._queued)
        return self.take()

    def _hold(self) -> None:
        """Keep the parsed part of the message in progress while the window moves on from `pos`.

        A few pieces are kept as they are and joined once; many small ones are gathered, so that they cost no more than their octets.
        """
        start = self.start
        pos = self.pos
        if start < pos:
            held = self.held
            if held is None:
                held = []
                self.held = held
            held.append(self.data[start:pos])
            self._held_size += pos - start
            self.start = pos
            if len(held) >= _PIECES:
                bulk = self._bulk
                if bulk is None:
                    bulk = bytearray()
                    self._bulk = bulk
                bulk += b"".join(held)
                held.clear()

    def _join(self) -> bytes:
        """What is held and what is parsed of the window, as one piece; it is held then."""
        self._hold()
        held = self.held
        assert held is not None
        bulk = self._bulk
        if bulk is None:
            octets = b"".join(held)
            held.clear()
            held.append(octets)
            return octets
        bulk += b"".join(held)
        held.clear()
        return bytes(bulk)

    def _pop(self) -> bytes:
        """Take the first chunk out of the queue; nearly always it is the only one."""
        chunk = self._next
        assert chunk is not None
        queue = self._queue
        if queue is None:
            self._next = None
        else:
            self._next = queue.popleft()
            if not queue:
                self._queue = None
        return chunk

    def _cross_seam(self) -> None:
        """Parsing has passed the seam: the window moves on to the chunk that begins there."""
        self._hold()
        chunk = self._pop()
        self._queued -= len(chunk) - self._taken
        self._taken = 0
        seam = self._seam
        self._seam = -1
        self.base += seam
        self.data = chunk
        self.pos -= seam
        self.start = self.pos
        self.end = len(chunk)

    def _next_chunk(self) -> None:
        """The window is all parsed: the next chunk becomes the window."""
        self._hold()
        chunk = self._pop()
        self._queued -= len(chunk)
        self.base += self.end
        self.data = chunk
        self.pos = 0
        self.start = 0
        self.end = len(chunk)

    def _pull(self, size: i64) -> None:
        """Make the window hold `size` octets from `pos` on; they have arrived."""
        if self._seam >= 0 and self.pos >= self._seam:
            self._cross_seam()
            if self.end - self.pos >= size:
                return
        if self.pos == self.end:
            self._next_chunk()
            if self.end >= size:
                return
        self._hold()
        stop = self.end
        if self._seam >= 0:
            stop = self._seam
            self._queued += self._taken
            self._taken = 0
        piece = self.data[self.pos : stop]
        pieces = [piece]
        have: i64 = len(piece)
        self.base += self.pos
        self._seam = -1
        while have < size:
            chunk = self._next
            assert chunk is not None
            length: i64 = len(chunk)
            wanted: i64 = max(size - have, _LOOKAHEAD)
            if wanted < length:
                pieces.append(chunk[:wanted])
                self._seam = have
                self._taken = wanted
                self._queued -= wanted
                have += wanted
            else:
                pieces.append(chunk)
                self._queued -= length
                have += length
                self._pop()
        self.data = b"".join(pieces)
        self.pos = 0
        self.start = 0
        self.end = have
