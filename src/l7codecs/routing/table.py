"""The table: rules in their order, and an index that finds the first that holds without a look at most of them.

The index is a tree of switches (`nodes`). Each thing is switched once on a way down, so the tree is at most as deep as rules have things to
ask for. The rules at its end are tried in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from l7codecs.message import Message
from l7codecs.routing.indexing import indexed
from l7codecs.routing.nodes import LEAF, Branch, Candidate, Rule

__all__ = ["RouteTable", "Rule"]


@final
class RouteTable:
    """An ordered table of rules: the first that holds decides. Immutable, and shared by threads as it is."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._root = indexed(self.rules)

    def route(self, message: Message) -> Rule | None:
        """The first rule that holds for `message`; None where none does.

        Raises `ProtocolError` where a rule asks for what cannot be read of its octets: headers that are broken, as a rule.
        """
        found = self.find(message)
        return None if found is None else found.rule

    def find(self, message: Message) -> Candidate | None:
        """As `route`, with the rule's place among all."""
        node: Branch | None = self._root
        while node is not None and node.field != LEAF:
            node = node.next(message)
        if node is None:
            return None
        if node.sure is not None:
            return node.sure
        for entry in node.entries:
            for condition in entry.left:
                if not condition.holds(message):
                    break
            else:
                return entry
        return None

    def walk(self, message: Message) -> Rule | None:
        """As `route`, without the index: rule after rule. For tests, and to explain a decision."""
        for rule in self.rules:
            if rule.when.holds(message):
                return rule
        return None

    def __len__(self) -> int:
        return len(self.rules)
