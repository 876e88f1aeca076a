"""TCP segments -> the octets of each direction, in order (RFC 9293).

The rules:

- The first copy of an octet wins: retransmissions, keep-alive probes and overlaps deliver nothing twice.
- What comes before its turn is held. The missing octets become a `Hole` when the receiver has acknowledged them all and
  later ones are held, when too much is held (`CaptureLimits`), when the connection is over, or at the end of the file.
- Later octets are also those that a packet was cut of by the snap length, and those that a later sequence number of the same
  sender vouches for, be that packet empty.
- A SYN with another initial sequence number, or after the end, starts a new connection on the same ports; so do three
  segments in a row that are nowhere near the known sequence numbers.
- Without SYN the first packet of each direction says where it starts; who is client is told by the known server ports, else
  the lower port is the server's, else the first sender is the client.
- A SYN may carry octets (RFC 7413); a FIN counts where it stands in the sequence, whenever it is seen.
- A RST counts only near the expected sequence number (RFC 5961 §3.2); octets after it are not delivered.
"""

from typing import Final, final

from mypy_extensions import i64

from l7codecs.capture.events import Closed, Connection, Ended, Hole, Opened, Segment, StreamEvent, read_endpoints
from l7codecs.capture.limits import CaptureLimits, CaptureStatistics
from l7codecs.kinds import Sender

__all__ = ["Flows"]

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
ACK: Final = 0x10

_U32: Final = 0xFFFFFFFF
# A window is below 2^30 octets (RFC 7323 §2.3): what is farther ahead is not of this connection.
_AHEAD: Final = 1 << 30
# Retransmissions are of what fits in a window; in practice windows are far smaller than they may be.
_BEHIND: Final = -(1 << 26)
_RESET_WINDOW: Final = 1 << 20
_STRAYS: Final = 3


@final
class Piece:
    """Octets held before their turn; without octets, a place that the sender is known to have reached."""

    def __init__(self, pos: i64, data: bytes, time: i64) -> None:
        self.pos: i64 = pos
        self.end: i64 = pos + len(data)
        self.data = data
        self.time: i64 = time


@final
class ConnectionState:
    """Both directions of one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.opened = False
        self.closed = False
        self.last: i64 = 0


@final
class Half:
    """One direction. Positions count octets from the direction's start; sequence numbers are modulo 2^32."""

    def __init__(self, key: bytes, state: ConnectionState, sender: Sender) -> None:
        self.key = key
        self.state = state
        self.sender = sender
        self.peer: Half = self
        self.known = False  # whether `next` means anything yet
        self.soft = False  # whether an empty packet said so, which may have been a keep-alive probe of one octet less
        self.isn: i64 = -1
        self.next: i64 = 0  # the sequence number of the octet at `pos`
        self.pos: i64 = 0  # octets delivered, holes counted
        self.acked: i64 = 0  # the position that the receiver has acknowledged
        self.fin: i64 = -1  # the position at which the direction ends
        self.ended = False
        self.strays: i64 = 0
        self.pending: list[Piece] = []
        self.pending_size: i64 = 0

    def start(self, seq: i64) -> None:
        """Let the octet of sequence number `seq` be the first."""
        self.known = True
        self.soft = False
        self.next = seq & _U32
        self.pos = 0
        self.acked = 0

    def advance(self, size: i64) -> None:
        """Count `size` octets as delivered."""
        self.pos += size
        self.next = (self.next + size) & _U32

    def distance(self, seq: i64) -> i64:
        """Return how far `seq` is ahead of the next octet expected; negative: behind it."""
        return ((seq - self.next + 0x80000000) & _U32) - 0x80000000


class Flows:
    """All connections of one capture."""

    def __init__(self, limits: CaptureLimits, statistics: CaptureStatistics, server_ports: frozenset[int]) -> None:
        """Collect events in `events`, which whoever reads them empties."""
        self.events: list[StreamEvent] = []
        self.statistics = statistics
        self.server_ports = server_ports
        self.halves: dict[bytes, Half] = {}
        self.pending_limit: i64 = limits.pending_size
        self.count_limit: i64 = limits.pending_count
        self.total_limit: i64 = limits.total_pending_size
        self.flow_limit: i64 = limits.flow_count
        self.total_pending: i64 = 0
        self.segment_count: i64 = 0
        self.time: i64 = 0

    def segment(
        self, key: bytes, buf: bytes, start: i64, end: i64, size: i64, seq: i64, ack: i64, flags: i64, time: i64
    ) -> None:
        """Take a segment of `size` octets, of which buf[start:end] were captured; `key` is its addresses and ports."""
        self.segment_count += 1
        self.time = time
        found = self.halves.get(key)
        half = self.open(key, flags, seq, ack) if found is None else found
        if flags & SYN and not flags & RST:
            half = self.synchronize(half, flags, seq, ack)
            seq = (seq + 1) & _U32
        state = half.state
        state.last = self.segment_count
        if not half.known:
            # Not a RST: one that refuses a segment takes its sequence number from that segment's acknowledgment.
            if flags & RST:
                if half.peer.known:
                    self.reset(half, time)
                return
            half.start(seq)
            half.soft = size == 0
        peer = half.peer
        if flags & ACK:
            if peer.known:
                self.acknowledge(peer, ack, time)
            elif half.isn >= 0:  # the SYN-ACK is missing, but this tells what followed it
                peer.start(ack)
        distance: i64 = half.distance(seq)
        if distance == 0 and size > 0 and size == end - start and flags & (FIN | RST) == 0:
            if not half.pending and not half.ended and not state.closed:
                # The usual case: the next octets, whole.
                if not state.opened:
                    self.announce(state, time)
                self.events.append(Segment(state.connection, half.sender, time, buf[start:end]))
                half.pos += size
                half.next = (half.next + size) & _U32
                half.strays = 0
                half.soft = False
                return
        self.unusual(half, buf, start, end, size, seq, flags, time)

    def unusual(self, half: Half, buf: bytes, start: i64, end: i64, size: i64, seq: i64, flags: i64, time: i64) -> None:
        """Take a segment that is not simply the next octets."""
        distance: i64 = half.distance(seq)
        if flags & RST:
            if -_RESET_WINDOW <= distance <= _RESET_WINDOW:
                self.reset(half, time)
            return
        if size == 0 and not flags & FIN:
            # An empty packet stands at what its sender will send next. One ahead may be the octet of a FIN that is missing.
            if distance > 1 and distance < _AHEAD and not half.state.closed and not half.ended:
                self.mark(half, half.pos + distance, time)
                self.release(half, half.pos, time)
            return
        if distance < _BEHIND or distance > _AHEAD:
            half.strays += 1
            if half.strays < _STRAYS:
                self.statistics.late_octets += size
                return
            half = self.replace(half, half.sender, True)
            half.start(seq)
            distance = 0
        half.strays = 0
        if half.state.closed or half.ended:
            if distance + size > 0:
                self.statistics.late_octets += size
            else:
                self.statistics.repeated_octets += size
            return
        if half.soft:
            half.soft = False
            if distance == 1:
                half.start(seq)
                distance = 0
        pos: i64 = half.pos + distance
        if flags & FIN and half.fin < 0 and pos + size >= half.pos:
            half.fin = pos + size
        self.hold(half, pos, buf, start, end, time)
        if end - start < size or flags & FIN:
            self.mark(half, pos + size, time)
        self.release(half, half.pos, time)
        while half.pending and (
            half.pending_size > self.pending_limit
            or len(half.pending) > self.count_limit
            or self.total_pending > self.total_limit
        ):
            self.release(half, half.pending[0].pos, time)
        self.check_end(half, time)

    def acknowledge(self, half: Half, ack: i64, time: i64) -> None:
        """Note that the octets of `half` before `ack` have reached their receiver."""
        distance: i64 = half.distance(ack)
        if distance <= 0 or distance > _AHEAD:
            return
        pos: i64 = half.pos + distance
        if pos > half.acked:
            half.acked = pos
            if half.pending:
                self.release(half, half.pos, time)
                self.check_end(half, time)

    def hold(self, half: Half, pos: i64, buf: bytes, start: i64, end: i64, time: i64) -> None:
        """Hold those octets of buf[start:end] that are neither delivered nor held yet."""
        if pos < half.pos:
            behind: i64 = half.pos - pos
            if behind >= end - start:
                self.statistics.repeated_octets += end - start
                return
            self.statistics.repeated_octets += behind
            start += behind
            pos = half.pos
        pending = half.pending
        low = find_piece(pending, pos)
        if low > 0 and pending[low - 1].end > pos:
            covered: i64 = pending[low - 1].end - pos
            start += covered
            pos += covered
        while start < end:
            stop: i64 = pos + (end - start)
            if low < len(pending) and pending[low].pos < stop:
                known = pending[low]
                if known.pos > pos:
                    self.insert(half, low, Piece(pos, buf[start : start + (known.pos - pos)], time))
                    low += 1
                start += known.end - pos
                pos = known.end
                low += 1
            else:
                self.insert(half, low, Piece(pos, buf[start:end], time))
                return

    def insert(self, half: Half, index: int, piece: Piece) -> None:
        """Hold a piece and count its octets."""
        half.pending.insert(index, piece)
        half.pending_size += piece.end - piece.pos
        self.total_pending += piece.end - piece.pos

    def mark(self, half: Half, pos: i64, time: i64) -> None:
        """Hold an empty piece at `pos`, so that what is missing before it can be told."""
        if pos <= half.pos:
            return
        pending = half.pending
        low = find_piece(pending, pos)
        if low > 0 and pending[low - 1].end >= pos:
            return
        if len(pending) <= self.count_limit:
            self.insert(half, low, Piece(pos, b"", time))

    def release(self, half: Half, forced: i64, time: i64) -> None:
        """Deliver what is due, with holes for what is missing before `forced` and for what was acknowledged unseen."""
        pending = half.pending
        done = 0
        for piece in pending:
            missing: i64 = piece.pos - half.pos
            if missing > 0:
                if piece.pos > forced and piece.pos > half.acked:
                    break
                self.hole(half, missing, time)
            done += 1
            size: i64 = piece.end - piece.pos
            if size > 0:
                state = half.state
                if not state.opened:
                    self.announce(state, piece.time)
                self.events.append(Segment(state.connection, half.sender, piece.time, piece.data))
                half.advance(size)
                half.pending_size -= size
                self.total_pending -= size
        if done > 0:
            del pending[:done]

    def hole(self, half: Half, size: i64, time: i64) -> None:
        """Deliver a hole."""
        if not half.state.opened:
            self.announce(half.state, time)
        self.events.append(Hole(half.state.connection, half.sender, time, size))
        self.statistics.missing_octets += size
        half.advance(size)

    def announce(self, state: ConnectionState, time: i64) -> None:
        """Say that a connection has octets."""
        state.opened = True
        self.statistics.connections += 1
        self.events.append(Opened(state.connection, time))

    def check_end(self, half: Half, time: i64) -> None:
        """End a direction whose FIN is reached, and the connection with the second of them."""
        if half.fin < 0 or half.pos < half.fin or half.ended:
            return
        half.ended = True
        if half.state.opened:
            self.events.append(Ended(half.state.connection, half.sender, time))
        if half.peer.ended:
            self.close(half.state, half, "fin", time)

    def reset(self, half: Half, time: i64) -> None:
        """Take a RST."""
        if not half.state.closed:
            self.close(half.state, half, "reset", time)

    def close(self, state: ConnectionState, half: Half, reason: str, time: i64) -> None:
        """Deliver all that is held and say that the connection is over; it stays known, to tell late packets."""
        if state.closed:
            return
        self.flush(half.peer, time)
        self.flush(half, time)
        state.closed = True
        if state.opened:
            self.events.append(Closed(state.connection, time, reason))

    def flush(self, half: Half, time: i64) -> None:
        """Deliver all that is held, with holes for what is missing, also at the end."""
        if half.ended or not half.known:
            return
        if half.pending:
            self.release(half, half.pending[len(half.pending) - 1].end, time)
        missing: i64 = half.acked - half.pos
        # One octet that was acknowledged unseen is most likely the FIN.
        if half.fin < 0 and missing > 1:
            self.hole(half, missing, time)
        if half.fin >= 0 and half.pos >= half.fin:
            half.ended = True
            if half.state.opened:
                self.events.append(Ended(half.state.connection, half.sender, time))

    def open(self, key: bytes, flags: i64, seq: i64, ack: i64) -> Half:
        """Track a connection that is new; return the direction of the packet that showed it."""
        syn = flags & SYN != 0
        if syn:
            sender = Sender.SERVER if flags & ACK else Sender.CLIENT
        else:
            sender = self.guess_sender(key)
        if len(self.halves) >= 2 * self.flow_limit:
            self.evict()
        return self.track(key, sender, not syn)

    def guess_sender(self, key: bytes) -> Sender:
        """Tell by the ports who sent the packet, on a connection whose start is not in the capture."""
        size = len(key)
        source = (key[size - 4] << 8) | key[size - 3]
        destination = (key[size - 2] << 8) | key[size - 1]
        from_known = source in self.server_ports
        to_known = destination in self.server_ports
        if from_known != to_known:
            return Sender.SERVER if from_known else Sender.CLIENT
        return Sender.SERVER if source < destination else Sender.CLIENT

    def track(self, key: bytes, sender: Sender, midstream: bool) -> Half:
        """Enter a connection in the table; return the direction of `key`, which `sender` sends."""
        source, destination = read_endpoints(key)
        self.statistics.flows += 1
        number = self.statistics.flows
        if sender is Sender.CLIENT:
            other = Sender.SERVER
            connection = Connection(number, source, destination, midstream=midstream)
        else:
            other = Sender.CLIENT
            connection = Connection(number, destination, source, midstream=midstream)
        state = ConnectionState(connection)
        half = Half(key, state, sender)
        size = (len(key) - 4) // 2
        ports = 2 * size
        peer = Half(key[size:ports] + key[:size] + key[ports + 2 :] + key[ports : ports + 2], state, other)
        half.peer = peer
        peer.peer = half
        self.halves[half.key] = half
        self.halves[peer.key] = peer  # the same key where a socket is connected to itself; then one direction is seen
        return half

    def synchronize(self, half: Half, flags: i64, seq: i64, ack: i64) -> Half:
        """Take a SYN or SYN-ACK; return the direction it belongs to, of a new connection if need be."""
        state = half.state
        first = (seq + 1) & _U32
        if half.isn == seq and not state.closed:
            return half  # sent again
        if half.isn < 0 and not state.connection.midstream and not state.closed:
            if not half.known:
                half.start(first)
            # Already known where the other side's acknowledgment was captured before this.
            if (half.next - half.pos) & _U32 == first:
                half.isn = seq
                if flags & ACK and not half.peer.known:
                    half.peer.start(ack)
                return half
        half = self.replace(half, Sender.SERVER if flags & ACK else Sender.CLIENT, False)
        half.start(first)
        half.isn = seq
        if flags & ACK:
            half.peer.start(ack)
        return half

    def replace(self, half: Half, sender: Sender, midstream: bool) -> Half:
        """Close a connection whose ports are in use again, and track the new one."""
        self.close(half.state, half, "reused", self.time)
        return self.track(half.key, sender, midstream)

    def evict(self) -> None:
        """Give up an eighth of the connections: the closed ones, then those that were idle the longest."""
        halves = list(self.halves.values())
        # Stable and by plain integers: closed ones sort before every open one.
        halves.sort(key=idle_rank)
        count = max(len(halves) // 8, 2)
        for half in halves[:count]:
            if not half.state.closed:
                self.statistics.evicted += 1
                self.close(half.state, half, "evicted", self.time)
            self.halves.pop(half.key, None)
            self.halves.pop(half.peer.key, None)

    def finish(self) -> None:
        """Close what is still open, at the end of the file."""
        for half in self.halves.values():
            if not half.state.closed:
                self.close(half.state, half, "eof", self.time)


def idle_rank(half: Half) -> int:
    """Sort key: the number of the connection's last segment, with closed connections before all others."""
    last: int = half.state.last
    return last - (1 << 62) if half.state.closed else last


def find_piece(pending: list[Piece], pos: i64) -> int:
    """Return the index of the first piece that starts after `pos`."""
    low = 0
    high = len(pending)
    while low < high:
        middle = (low + high) // 2
        if pending[middle].pos > pos:
            high = middle
        else:
            low = middle + 1
    return low
