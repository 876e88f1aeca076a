"""Ketama, the field's usual ring: a key's host stays the same while hosts come and go, but for a share of the keys.

Of each host and each number below 40, times its share of all weights and the number of hosts, the MD5 of ``HOST-NUMBER``
gives four points, each of 32 bits, little-endian. A key belongs to the host of the first point that is not below the first
32 bits of its own MD5, and behind the last point to that of the first. libmemcached, twemproxy and their like have the same, and
leave the port 11211 out of ``HOST``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from hashlib import md5
from typing import final

__all__ = ["Ring"]

HASHES = 40
"""Of a host whose weight is the mean, four points each."""
MOST_HOSTS = 25_000
_NO_PORT = ":11211"
"""A port that libmemcached and twemproxy leave out of the name of a host, since it is the usual one there."""


@final
class Ring:
    """The hosts of one cluster on a ketama ring. `hosts` are weights by name.

    Raises ValueError where a weight is below 1, or there are more than 25 000 hosts.
    """

    def __init__(self, hosts: Mapping[str, int]) -> None:
        if any(weight < 1 for weight in hosts.values()):
            raise ValueError("a weight is at least 1")
        if len(hosts) > MOST_HOSTS:
            raise ValueError(f"at most {MOST_HOSTS} hosts, not {len(hosts)}")
        whole = sum(hosts.values())
        points: dict[int, str] = {}
        for host, weight in hosts.items():
            name = host.removesuffix(_NO_PORT)
            for number in range(HASHES * len(hosts) * weight // whole):
                digest = md5(f"{name}-{number}".encode(), usedforsecurity=False).digest()
                for at in (0, 4, 8, 12):
                    points[int.from_bytes(digest[at : at + 4], "little")] = host
        self._points = sorted(points)
        self._hosts = [points[point] for point in self._points]

    def host(self, key: bytes) -> str | None:
        """The host of `key`; None where there is none at all."""
        points = self._points
        if not points:
            return None
        wanted = int.from_bytes(md5(key, usedforsecurity=False).digest()[:4], "little")
        at = bisect_left(points, wanted)
        return self._hosts[at if at < len(points) else 0]

    def hosts(self, key: bytes) -> list[str]:
        """All hosts, in the order in which `key` falls to them while those before are away."""
        points = self._points
        if not points:
            return []
        at = bisect_left(points, int.from_bytes(md5(key, usedforsecurity=False).digest()[:4], "little"))
        return list(dict.fromkeys(self._hosts[at:] + self._hosts[:at]))

    def __len__(self) -> int:
        """How many points there are."""
        return len(self._points)
