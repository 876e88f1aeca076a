"""The topics of fetch sessions and share sessions, which only their first requests name.

    Fetch 7+      a session has a number, which the answer to a request of epoch 0 gives. Requests of the epochs 1, 2… name what they add,
                  and what they forget; epoch -1 ends it (KIP-227)
    ShareFetch,   a session is a group's member's. Epoch 0 begins it, -1 ends it; what is acknowledged is named as well, and is part of it
    ShareAcknowledge

What is known is bounded in octets (``limits.shared``); past that the sessions used longest ago are forgotten: their requests name what they
name themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, final

from mypy_extensions import i64

from .._schema.layouts import Value
from .naming import TopicKey
from .topics import NO_TOPIC

__all__ = ["FINAL_EPOCH", "SessionTopics", "Sessions"]

FINAL_EPOCH: Final = -1
_EACH: Final[i64] = 200
"""Octets of a session or a topic, about, beside names."""
_PARTITION: Final[i64] = 60
_STEPS: Final[i64] = 64
"""Steps of a session that may be kept, beside twice as many as it has topics."""
SessionKey = int | tuple[str, str]


@final
class SessionTopics:
    """The topics of a session, as they were for one request.

    Requests that wait may be many, and each may add or forget a topic. So they share the steps by which the topics became what they are:
    a topic that comes for the second time is forgotten, for the third time it is there again.
    """

    def __init__(self, steps: list[TopicKey], forgets: bool) -> None:
        self._steps = steps
        self._count: i64 = len(steps)
        self._forgets = forgets
        """Some come more than once."""

    def keys(self) -> dict[TopicKey, None]:
        """The topics, in the order in which they were added."""
        steps = self._steps[: self._count]
        if not self._forgets:
            return dict.fromkeys(steps)
        found: dict[TopicKey, None] = {}
        for step in steps:
            if step in found:
                del found[step]
            else:
                found[step] = None
        return found


@final
class _Session:
    """One session: by topic, its partitions."""

    def __init__(self) -> None:
        self.partitions: dict[TopicKey, set[int]] = {}
        self.size: i64 = _EACH
        self._steps: list[TopicKey] = []
        self._forgets = False
        self._topics: SessionTopics | None = None

    @property
    def topics(self) -> SessionTopics:
        found = self._topics
        if found is None:
            found = SessionTopics(self._steps, self._forgets)
            self._topics = found
        return found

    def _step(self, topic: TopicKey, forgets: bool) -> None:
        """`topic` was added or forgotten."""
        self._topics = None
        if len(self._steps) > 2 * len(self.partitions) + _STEPS:
            self._steps = list(self.partitions)
            self._forgets = False
        else:
            self._steps.append(topic)
            self._forgets = self._forgets or forgets

    def add(self, topic: TopicKey, partitions: list[int]) -> None:
        known = self.partitions.get(topic)
        if known is None:
            known = set()
            self.partitions[topic] = known
            self.size += _EACH + len(topic)
            self._step(topic, False)
        before = len(known)
        known.update(partitions)
        self.size += _PARTITION * (len(known) - before)

    def remove(self, topic: TopicKey, partitions: list[int]) -> None:
        known = self.partitions.get(topic)
        if known is None:
            return
        before = len(known)
        known.difference_update(partitions)
        self.size -= _PARTITION * (before - len(known))
        if not known:
            del self.partitions[topic]
            self.size -= _EACH + len(topic)
            self._step(topic, True)


@final
class Sessions:
    """The sessions of one connection."""

    def __init__(self, limit: int) -> None:
        self._limit: i64 = min(limit, 2**58)
        self._size: i64 = 0
        self._sessions: OrderedDict[SessionKey, _Session] = OrderedDict()

    @property
    def size(self) -> int:
        """Octets, about."""
        return self._size

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, key: SessionKey, body: dict[str, Value]) -> None:
        """A session begins with what `body` names."""
        self.drop(key)
        self._sessions[key] = _Session()
        self._size += _EACH
        self._apply(key, body)

    def topics(self, key: SessionKey) -> SessionTopics | None:
        """The topics of a session; None where it is not known."""
        found = self._sessions.get(key)
        if found is None:
            return None
        self._sessions.move_to_end(key)
        return found.topics

    def change(self, key: SessionKey, body: dict[str, Value]) -> SessionTopics | None:
        """`body` adds to a session, and forgets of it; returns its topics, and those that are named to be forgotten."""
        if key not in self._sessions:
            return None
        self._sessions.move_to_end(key)
        self._apply(key, body)
        found = self._sessions.get(key)
        return None if found is None else found.topics

    def drop(self, key: SessionKey) -> None:
        """A session has ended."""
        found = self._sessions.pop(key, None)
        if found is not None:
            self._size -= found.size

    def _apply(self, key: SessionKey, body: dict[str, Value]) -> None:
        session = self._sessions[key]
        before = session.size
        for topic, partitions in _named(body.get("Topics")):
            session.add(topic, partitions)
        for topic, partitions in _named(body.get("ForgottenTopicsData")):
            session.remove(topic, partitions)
        self._size += session.size - before
        while self._size > self._limit and self._sessions:
            self._size -= self._sessions.popitem(last=False)[1].size


def _named(value: Value) -> list[tuple[TopicKey, list[int]]]:
    """Topics with their partitions, of a request's ``Topics`` or ``ForgottenTopicsData``."""
    found: list[tuple[TopicKey, list[int]]] = []
    for each in value if isinstance(value, list) else []:
        if not isinstance(each, dict):
            continue
        topic: Value = each.get("TopicId")
        if topic is None or topic == NO_TOPIC:
            topic = each.get("Topic")
        partitions: list[int] = []
        listed = each.get("Partitions")
        for item in listed if isinstance(listed, list) else []:
            number: Value = item
            if isinstance(item, dict):
                number = item.get("Partition", item.get("PartitionIndex"))
            if isinstance(number, int):
                partitions.append(number)
        if isinstance(topic, (str, bytes)):
            found.append((topic, partitions))
    return found
