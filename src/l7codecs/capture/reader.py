"""A capture file -> the events of its TCP connections, in capture order."""

import os
from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import BinaryIO

from l7codecs.capture.errors import CaptureError
from l7codecs.capture.events import StreamEvent
from l7codecs.capture.files import open_capture
from l7codecs.capture.flows import Flows
from l7codecs.capture.limits import CaptureLimits, CaptureStatistics
from l7codecs.capture.packets import Dissector
from l7codecs.capture.source import open_source

__all__ = ["StreamReader", "read_streams"]


class StreamReader:
    """Iterate over the events of one capture, once. Also a context manager, which closes the file."""

    def __init__(
        self,
        source: "str | os.PathLike[str] | BinaryIO",
        *,
        limits: CaptureLimits | None = None,
        server_ports: Collection[int] = (),
        on_pause: Callable[[], None] | None = None,
    ) -> None:
        """Open the file and read its header.

        `source` is a path, "-" for standard input, or an open binary file, which need not be seekable and stays open.
        `server_ports` tells servers from clients on connections whose start is not in the capture. `on_pause` is called
        before every wait for more of a pipe, when all events that are complete have been yielded.

        Raises CaptureError if it cannot be opened or is not a capture.
        """
        limits = limits or CaptureLimits()
        self.statistics = CaptureStatistics()
        self._source = open_source(source, on_pause)
        self._flows = Flows(limits, self.statistics, frozenset(server_ports))
        self._dissector = Dissector(self._flows, limits, self.statistics)
        try:
            self._file = open_capture(self._source, self._dissector, limits)
        except CaptureError:
            self._source.close()
            raise

    @property
    def name(self) -> str:
        """The name of the file, as errors name it."""
        return self._source.name

    @property
    def octets_read(self) -> int:
        """Octets read so far of the file as it is stored (compressed ones, if it is)."""
        return self._source.octets_read

    @property
    def total_size(self) -> int | None:
        """Octets of the file as it is stored; None for a pipe."""
        return self._source.total_size

    def __iter__(self) -> Iterator[StreamEvent]:
        """Yield the events; raise CaptureError where the file is damaged or cut off, after all that stood before."""
        flows = self._flows
        failure: CaptureError | None = None
        more = True
        try:
            while more:
                try:
                    more = self._file.pump()
                except CaptureError as error:
                    failure = error
                    more = False
                if not more:
                    self._dissector.fragments.give_up()
                    flows.finish()
                self.statistics.packets = self._dissector.packet_count
                self.statistics.segments = flows.segment_count
                events = flows.events
                if events:
                    flows.events = []
                    yield from events
            if failure is not None:
                raise failure
        finally:
            self.close()

    def close(self) -> None:
        """Close the file, unless it was handed over open."""
        self._source.close()

    def __enter__(self) -> "StreamReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_streams(
    source: "str | os.PathLike[str] | BinaryIO",
    *,
    limits: CaptureLimits | None = None,
    server_ports: Collection[int] = (),
    on_pause: Callable[[], None] | None = None,
) -> StreamReader:
    """Open a capture and return the iterator over its events; see `StreamReader`."""
    return StreamReader(source, limits=limits, server_ports=server_ports, on_pause=on_pause)
