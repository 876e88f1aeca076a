"""What connections of one service teach each other: names that one has seen and another needs.

A client may ask on one connection what a number stands for, and use the number on another. A room that knows such a thing declares a
memory (`Protocol.memory`), and keeps what it has learnt there:

    a connection                                                   another of the service
    memory.put(number, name)  ──▶  Memory[bytes, str]  ◀──  memory.get(number)

- It is ``flow.memory``. Who runs the sessions decides which of them are of one service, and opens them with one `Shared`; without one
  each connection has its own.
- A memory is bounded by the octets of its keys and values, with all that they contain (``limits.shared``). Past it what was used longest
  ago is forgotten, which is counted, and told to whoever asks.
- It adds names and nothing else: what a message is, where it ends and what it answers never follow from it.

Sessions that share belong to one thread.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Set
from enum import Enum
from sys import getsizeof
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from l7codecs.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from l7codecs.protocol import Protocol

__all__ = ["Knowledge", "Memory", "Shared", "Told"]

K = TypeVar("K")
V = TypeVar("V")

_ENTRY: Final = 200
"""Octets of one entry beside what its key and value say."""

Told = Callable[["Knowledge", object], None]
"""Called with the memory and the key of what was forgotten."""


class Knowledge:
    """What all memories have: a limit in octets, and how often something was forgotten for it."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, told: Told | None = None) -> None:
        self._limit = limits.shared
        self._told = told
        self.size = 0
        """Octets, about."""
        self.evicted = 0

    def __len__(self) -> int:
        return 0

    def forgot(self, key: object) -> None:
        """Count what was forgotten, and tell it."""
        self.evicted += 1
        if self._told is not None:
            self._told(self, key)


class Memory(Knowledge, Generic[K, V]):
    """Values by their keys. One of `get` is used, and one of `put` is, too."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, told: Told | None = None) -> None:
        super().__init__(limits, told)
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()
        """Each value, and how many octets were counted for it and its key: it may be one that changes."""

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: K) -> V | None:
        """What `key` stands for; None where nobody has said it, or it was forgotten."""
        found = self._items.get(key)
        if found is None:
            return None
        self._items.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V) -> None:
        """`key` stands for `value` from now on. What is larger than the limit is not kept."""
        size = _ENTRY + _octets(key, self._limit) + _octets(value, self._limit)
        self.drop(key)
        if size > self._limit:
            self.forgot(key)
            return
        self._items[key] = (value, size)
        self.size += size
        while self.size > self._limit:
            oldest, gone = self._items.popitem(last=False)
            self.size -= gone[1]
            self.forgot(oldest)

    def drop(self, key: K) -> None:
        """`key` stands for nothing any more, as a connection has said."""
        gone = self._items.pop(key, None)
        if gone is not None:
            self.size -= gone[1]


def _octets(value: object, limit: int) -> int:
    """Octets of a key or a value with all that it contains, about; more than `limit` of them are not counted to their end."""
    if isinstance(value, bytes) or (isinstance(value, str) and value.isascii()):
        return len(value)  # its object is in `_ENTRY`
    size = 0
    waits: list[object] = [value]
    seen: set[int] = set()
    while waits and size <= limit:
        each = waits.pop()
        if isinstance(each, Enum) or id(each) in seen:
            continue  # it is there all the same
        size += getsizeof(each)
        if isinstance(each, (bytes, bytearray, str, int, float)):
            continue
        seen.add(id(each))
        if isinstance(each, Mapping):
            waits.extend(each)
            waits.extend(each.values())
        elif isinstance(each, (tuple, list, Set, deque)):
            waits.extend(each)
        else:
            waits.extend(getattr(each, "__dict__", {}).values())
            for cls in type(each).__mro__:
                slots = cls.__dict__.get("__slots__", ())
                waits.extend(getattr(each, name, None) for name in ((slots,) if isinstance(slots, str) else slots))
    return size


class Shared:
    """The memories of one service, one for each protocol that has such: ``open_session(..., shared=shared)``.

    `told` is called with the memory and the key of what was forgotten for its limit.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, told: Told | None = None) -> None:
        self._limits = limits
        self._told = told
        self._memories: dict[str, Knowledge] = {}

    def memory(self, protocol: Protocol) -> Knowledge | None:
        """The memory of `protocol`, which is made where there is none; None where the protocol has no such."""
        make = protocol.memory
        if make is None:
            return None
        found = self._memories.get(protocol.name)
        if found is None:
            found = make(self._limits, self._told)
            self._memories[protocol.name] = found
        return found

    @property
    def evicted(self) -> int:
        """How much was forgotten."""
        return sum(memory.evicted for memory in self._memories.values())

    @property
    def entries(self) -> int:
        """How much is known."""
        return sum(len(memory) for memory in self._memories.values())

    @property
    def size(self) -> int:
        """Octets, about."""
        return sum(memory.size for memory in self._memories.values())
