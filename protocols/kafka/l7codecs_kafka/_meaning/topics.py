"""Names of topics that messages name by their ids alone.

Produce 13, Fetch 13 and the other newest versions carry a topic's id (16 octets), and the Metadata that says its name went over another
connection. The names are what the connections of a cluster teach each other (`Knowledge`):

    connection a    Metadata ◀── t-one e5532d07-…        Topics ──▶ Fetch 18 of e5532d07-…: t-one    connection b

An id stands for one topic for ever. So that a message says the same whenever it is read, it knows the names that were known when it came:
each name has the number under which it was learnt, each message the number that was reached.
"""

from __future__ import annotations

from typing import final

from l7codecs import Memory
from l7codecs.limits import DEFAULT_LIMITS, Limits
from l7codecs.sharing import Told

from .topic_ids import NO_TOPIC, Learnt, topic_text

__all__ = ["NO_TOPIC", "Topics", "topic_text"]


@final
class Topics(Memory[bytes, tuple[str, int]]):
    """Names of topics by their ids, each with the number under which it was learnt."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, told: Told | None = None) -> None:
        super().__init__(limits, told)
        self.learnt = Learnt()

    def learn(self, topic: bytes, name: str) -> None:
        """The topic with the id `topic` is called `name`."""
        known = self.get(topic)
        if known is None or known[0] != name:
            self.learnt.count += 1
            self.put(topic, (name, self.learnt.count))

    def name(self, topic: bytes, reached: int) -> str:
        """What the topic is called, as far as that was known when `reached` names had been learnt; else the id as text."""
        known = self.get(topic)
        return known[0] if known is not None and known[1] <= reached else topic_text(topic)
