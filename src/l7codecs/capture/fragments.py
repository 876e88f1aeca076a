"""IP fragments -> datagrams (RFC 791 §3.2, RFC 8200 §4.5).

Where fragments overlap, the first copy of an octet wins. At most `CaptureLimits.datagram_count` datagrams are collected at
a time and for `LIFETIME_NS` each; one that does not become whole is given up, and its fragments are counted as skipped.
"""

from l7codecs.capture.limits import CaptureLimits, CaptureStatistics

__all__ = ["Fragments"]

LIFETIME_NS = 30_000_000_000
DATAGRAM_SIZE = 65_535


class _Datagram:
    """What has come of one datagram."""

    def __init__(self, time: int) -> None:
        self.time = time
        self.octets = bytearray()
        self.seen = bytearray()
        #: Octets below `size` that have not come; without a meaning while that is not known.
        self.missing = 0
        self.size = -1
        self.fragment_count = 0


class Fragments:
    """Collect the fragments of datagrams until they are whole."""

    def __init__(self, limits: CaptureLimits, statistics: CaptureStatistics) -> None:
        """Start with none."""
        self._limit = limits.datagram_count
        self._statistics = statistics
        self._datagrams: dict[bytes, _Datagram] = {}

    def add(self, key: bytes, offset: int, more: bool, data: bytes, time: int) -> bytes | None:
        """Add octets at `offset` of the payload of datagram `key`; return the whole payload once all is there."""
        self._statistics.fragments += 1
        datagram = self._datagrams.get(key)
        if datagram is not None and time - datagram.time > LIFETIME_NS:
            self._drop(key)
            datagram = None
        end = offset + len(data)
        if end > DATAGRAM_SIZE:
            self._statistics.malformed += 1
            return None
        if datagram is None:
            while len(self._datagrams) >= self._limit:
                self._drop(next(iter(self._datagrams)))
            datagram = self._datagrams[key] = _Datagram(time)
        datagram.fragment_count += 1
        if len(datagram.octets) < end:
            lack = bytes(end - len(datagram.octets))
            datagram.octets += lack
            datagram.seen += lack
        seen = datagram.seen[offset:end]
        if datagram.size > offset:
            datagram.missing -= seen.count(0, 0, datagram.size - offset)
        if any(seen):
            for index, known in enumerate(seen):
                if not known:
                    datagram.octets[offset + index] = data[index]
        else:
            datagram.octets[offset:end] = data
        datagram.seen[offset:end] = b"\1" * len(data)
        if not more and datagram.size < 0:
            datagram.size = end
            datagram.missing = datagram.seen.count(0, 0, end)
        if datagram.size < 0 or datagram.missing > 0:
            return None
        del self._datagrams[key]
        return bytes(datagram.octets[: datagram.size])

    def give_up(self) -> None:
        """Count what never became whole, at the end of the file."""
        for key in list(self._datagrams):
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        self._statistics.fragments_skipped += self._datagrams.pop(key).fragment_count
