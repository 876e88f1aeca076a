"""Floods of frames that ask for nothing: PING, SETTINGS, WINDOW_UPDATE, empty DATA, resets… RFC 9113 §10.5.

None of them is wrong, and a peer of good will sends some beside what is of use. So they are counted ahead of that.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from l7codecs import LimitExceeded

__all__ = ["Noise"]

_LIMIT: Final[i64] = 10_000
"""Frames by which the peer may be ahead of what is of use."""
_FORGIVEN: Final[i64] = 16
"""How many of them every output makes up for."""
_WORTH: Final[i64] = 4
"""How many each DATA frame that is written makes up for."""
_LEAST_DATA: Final[i64] = 128
"""Octets of DATA received that make up for one."""


@final
class Noise:
    """How far the peer is ahead."""

    def __init__(self) -> None:
        self._ahead: i64 = 0

    def add(self, offset: i64) -> None:
        """One more such frame, at `offset`. Raises `LimitExceeded` for one too many."""
        self._ahead += 1
        if self._ahead > _LIMIT:
            raise LimitExceeded(
                offset,
                f"{self._ahead} frames that ask for nothing",
                f"at most {_LIMIT}",
                "RFC 9113 §10.5 ENHANCE_YOUR_CALM",
            )

    def add_data(self, size: i64, ends: bool, offset: i64) -> None:
        """DATA of `size` octets: of use, if it has some or `ends` its stream."""
        if size >= _LEAST_DATA:
            self._ahead = max(self._ahead - 1, 0)
        elif size == 0 and not ends:
            self.add(offset)

    def forgive(self, useful: i64) -> None:
        """An output, with so many frames of DATA that the peer made room for."""
        self._ahead = max(self._ahead - _FORGIVEN - useful * _WORTH, 0)
