"""The table: rules in their order, and an index that finds the first that holds without a look at most of them.

The index is a tree of switches. A switch looks at one field of the message (protocol, service, operation, access, the only
resource) and goes on to
the child of its value, which has the rules that may still hold, without what is decided. Each field is switched once on
a way down, so the tree is at most
five deep. The rules at its end are tried in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from mypy_extensions import i64

from l7codecs.message import Message
from l7codecs.routing.actions import Action
from l7codecs.routing.conditions import (
    ACCESS,
    OPERATION,
    PROTOCOL,
    SERVICE,
    AllOf,
    Condition,
    FieldTest,
    ResourceTest,
    field_value,
)
from l7codecs.routing.values import Exact, Prefix, Present, ValueTest

__all__ = ["RouteTable", "Rule"]

_RESOURCE: Final = 4
_ORDER: Final = (OPERATION, SERVICE, PROTOCOL, ACCESS, _RESOURCE)
"""In which fields are looked at; the resource, which is cut out of the message, is the last."""
_LEAF: Final = -1

_FEW: Final = 2
"""So many rules need no switch."""
_COPIES: Final = 1_000_000
"""So often, at most, all switches together name a rule. One that would pass it is not made: its rules are tried in their order."""

_LAST_BUCKET: Final = 255
_PLACES: Final = 16
_PLACED: Final = 64
"""So many places, of so many values, are looked at for the two that tell most apart."""

_NO: Final = 0
_YES: Final = 1
_OPEN: Final = 2


@final
class Rule:
    """One rule: ``name`` is for people, ``when`` says which messages it is for, ``action`` what is done with them.

    ``place`` is where it stands: ``file:line:column``, or empty.
    """

    def __init__(self, name: str, when: Condition, action: Action, place: str = "") -> None:
        self.name = name
        self.when = when
        self.action = action
        self.place = place

    def __repr__(self) -> str:
        return f"<Rule {self.name!r} {self.place}>"


@final
class _Entry:
    """A rule, and what is not decided of it."""

    def __init__(self, order: i64, rule: Rule, left: list[Condition]) -> None:
        self.order = order
        self.rule = rule
        self.left = left


@final
class _Start:
    """What a resource may start with, and the child of those that do."""

    def __init__(self, octets: bytes, node: _Node) -> None:
        self.octets = octets
        self.node = node


@final
class _Node:
    """A switch of `field`; or, of none, the rules that are left."""

    def __init__(self, field: i64, entries: list[_Entry]) -> None:
        self.field = field
        self.entries = entries
        self.rule: Rule | None = None
        """That which holds without a further look."""
        if entries and not entries[0].left:
            self.rule = entries[0].rule
        self.none: _Node | None = None
        """Where there is no value; for a resource, where it is not the only one."""
        self.other: _Node | None = None
        """Where the value is none of those below."""
        self.texts: dict[str, _Node] = {}
        self.octets: dict[bytes, _Node] = {}
        self.text_starts: dict[str, _Node] = {}
        self.octet_starts: dict[bytes, _Node] = {}
        self.text_sizes: list[int] = []
        self.octet_sizes: list[int] = []
        """Of what values start with, longest first."""
        self.longest: i64 = 0
        """The size of the longest of these; 0 where a resource is looked up as a whole."""
        self.first: i64 = 0
        self.second: i64 = 0
        """The two places by which the longest are told apart: a hash of all their octets would take longer."""
        self.buckets: list[list[_Start]] = []


@final
class RouteTable:
    """An ordered table of rules: the first that holds decides. Immutable, and shared by threads as it is."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        entries = [_Entry(order, rule, _flat(rule.when)) for order, rule in enumerate(self.rules)]
        self._root = _build(entries, [], _Budget())

    def route(self, message: Message) -> Rule | None:
        """The first rule that holds for `message`; None where none does.

        Raises `ProtocolError` where a rule asks for what cannot be read of its octets: headers that are broken, as a rule.
        """
        node: _Node | None = self._root
        while node is not None and node.field != _LEAF:
            if node.field == _RESOURCE:
                node = _by_resource(node, message)
            else:
                value = field_value(message, node.field)
                if value is None:
                    node = node.none
                else:
                    child = node.texts.get(value)
                    node = node.other if child is None else child
        if node is None:
            return None
        if node.rule is not None:
            return node.rule
        for entry in node.entries:
            for condition in entry.left:
                if not condition.holds(message):
                    break
            else:
                return entry.rule
        return None

    def walk(self, message: Message) -> Rule | None:
        """As `route`, without the index: rule after rule. For tests, and to explain a decision."""
        for rule in self.rules:
            if rule.when.holds(message):
                return rule
        return None

    def __len__(self) -> int:
        return len(self.rules)


def _by_resource(node: _Node, message: Message) -> _Node | None:
    if node.longest == 0:
        return _by_value(node, message.resource)
    start = message.resource_start(node.longest)  # of all that is looked for, no octet more is taken from the message
    if start is None:
        return node.none
    if not isinstance(start, bytes):
        return _by_value(node, message.resource)
    if len(start) == node.longest:
        for each in node.buckets[_bucket(start, node.first, node.second)]:
            if each.octets == start:
                return each.node
    return _by_value(node, start)


def _bucket(octets: bytes, first: i64, second: i64) -> i64:
    return ((i64(octets[first]) << 4) ^ i64(octets[second])) & _LAST_BUCKET


def _by_value(node: _Node, value: str | bytes | None) -> _Node | None:
    """The child of `value`, or of one that starts with it and is longer than all that is looked for."""
    if value is None:
        return node.none
    if isinstance(value, bytes):
        found = node.octets.get(value)
        if found is not None:
            return found
        for size in node.octet_sizes:
            if size <= len(value):
                found = node.octet_starts.get(value[:size])
                if found is not None:
                    return found
        return node.other
    found = node.texts.get(value)
    if found is not None:
        return found
    for size in node.text_sizes:
        if size <= len(value):
            found = node.text_starts.get(value[:size])
            if found is not None:
                return found
    return node.other


# Building. Nothing here is hot.


@final
class _Budget:
    def __init__(self) -> None:
        self.left: i64 = _COPIES


def _flat(condition: Condition) -> list[Condition]:
    """The conditions that all have to hold, those within `AllOf` included."""
    found: list[Condition] = []
    stack: list[Condition] = [condition]
    while stack:
        each = stack.pop()
        if isinstance(each, AllOf):
            stack.extend(reversed(each.parts))
        else:
            found.append(each)
    return found


def _field_of(condition: Condition) -> int:
    """Which field it is a test of; -1 where of none that is switched."""
    if isinstance(condition, FieldTest):
        return condition.field
    return _RESOURCE if isinstance(condition, ResourceTest) else _LEAF


def _asked(condition: Condition) -> tuple[ValueTest, bool]:
    """Of a test of a field: what it asks of the value, and whether it is inverted. Of an only resource, every one is any one."""
    if isinstance(condition, FieldTest):
        return condition.test, condition.inverted
    assert isinstance(condition, ResourceTest)
    return condition.test, condition.inverted


def _handles(entry: _Entry, field: int) -> tuple[list[str | bytes], list[Prefix]] | None:
    """The values and prefixes by which `entry` can be found; None where any value may do."""
    exact: list[str | bytes] | None = None
    prefixes: list[Prefix] = []
    for condition in entry.left:
        if _field_of(condition) != field:
            continue
        test, inverted = _asked(condition)
        if inverted:
            continue
        if isinstance(test, Exact) and not test.fold:
            found: list[str | bytes] = [*test.texts, *test.octets]
            if exact is None or len(found) < len(exact):
                exact = found
        elif isinstance(test, Prefix) and not test.fold and field == _RESOURCE:
            prefixes.append(test)
    if exact is not None:
        return exact, []
    return ([], prefixes[:1]) if prefixes else None


def _build(entries: list[_Entry], done: list[int], budget: _Budget) -> _Node:
    """The tree for `entries`, whose fields in `done` are decided; as deep as there are fields left."""
    entries = _cut(entries)
    best = _LEAF
    most = 0
    if len(entries) > _FEW:
        for field in _ORDER:
            if field in done or (field == _RESOURCE and most):
                continue
            found = _gain(entries, field, budget)
            if found > most:
                best, most = field, found
    if best == _LEAF:
        return _Node(_LEAF, entries)
    return _switch(entries, best, [*done, best], budget)


def _cut(entries: list[_Entry]) -> list[_Entry]:
    """Without those behind one that always holds."""
    for at, entry in enumerate(entries):
        if not entry.left:
            return entries[: at + 1]
    return entries


def _gain(entries: list[_Entry], field: int, budget: _Budget) -> int:
    """How many rules a switch by `field` tells apart; 0 where it is of no use, or too large."""
    literals: set[str | bytes] = set()
    named = 0
    for entry in entries:
        found = _handles(entry, field)
        if found is not None:
            named += 1
            literals.update(found[0])
            literals.update(each.text for each in found[1])
    return named if named > 1 and _cost(entries, named, len(literals)) <= budget.left else 0


def _cost(entries: list[_Entry], named: int, literals: int) -> int:
    """How often a switch names a rule: those that any value may do are in each child."""
    return literals * (len(entries) - named + 1) + 2 * len(entries)


def _switch(entries: list[_Entry], field: int, done: list[int], budget: _Budget) -> _Node:
    named: dict[str | bytes, list[_Entry]] = {}
    starts: dict[str, list[_Entry]] = {}
    wild: list[_Entry] = []
    for entry in entries:
        found = _handles(entry, field)
        if found is None:
            wild.append(entry)
            continue
        for literal in found[0]:
            named.setdefault(literal, []).append(entry)
        for prefix in found[1]:
            starts.setdefault(prefix.text, []).append(entry)

    budget.left -= _cost(entries, len(entries) - len(wild), len(named) + len(starts))
    if field == _RESOURCE:
        none = _build(entries, done, budget)  # several or none: every test is made
    else:
        none = _build(_decided(entries, field, None), done, budget)
    switch = _Node(field, [])
    switch.none = none
    switch.other = _build(_left(wild, field, None), done, budget)
    for literal, of in named.items():
        text = literal if isinstance(literal, str) else literal.decode("utf-8", "replace")
        begun = [each for size in range(len(text) + 1) for each in starts.get(text[:size], ())]
        if isinstance(literal, bytes) and field != _RESOURCE:
            continue
        child = _build(_decided(_merged(of, [*wild, *begun]), field, literal), done, budget)
        if isinstance(literal, str):
            switch.texts[literal] = child
        else:
            switch.octets[literal] = child
    sizes: set[int] = set()
    octet_sizes: set[int] = set()
    for start in starts:
        begun = [each for size in range(len(start) + 1) for each in starts.get(start[:size], ())]
        child = _build(_left(_merged(begun, wild), field, start), done, budget)
        switch.text_starts[start] = child
        octets = start.encode("utf-8", "surrogatepass")
        switch.octet_starts[octets] = child
        sizes.add(len(start))
        octet_sizes.add(len(octets))
    switch.text_sizes = sorted(sizes, reverse=True)
    switch.octet_sizes = sorted(octet_sizes, reverse=True)
    if octet_sizes and not named:
        switch.longest = max(octet_sizes)
        _fill_buckets(switch)
    return switch


def _fill_buckets(switch: _Node) -> None:
    longest = [_Start(octets, node) for octets, node in switch.octet_starts.items() if len(octets) == switch.longest]
    places = range(max(0, switch.longest - _PLACES), switch.longest)  # what begins alike differs at its end
    best = 0
    for first in places:
        for second in places:
            found = len({_bucket(each.octets, first, second) for each in longest[:_PLACED]})
            if found > best:
                best, switch.first, switch.second = found, first, second
    if switch.longest:
        switch.buckets = [[] for _ in range(_LAST_BUCKET + 1)]
        for each in longest:
            switch.buckets[_bucket(each.octets, switch.first, switch.second)].append(each)


def _merged(some: list[_Entry], others: list[_Entry]) -> list[_Entry]:
    """All of them, in the order of their rules, each once."""
    by_order: dict[int, _Entry] = {each.order: each for each in some}
    for each in others:
        by_order[each.order] = each
    return [by_order[order] for order in sorted(by_order)]


def _decided(entries: list[_Entry], field: int, value: str | bytes | None) -> list[_Entry]:
    """Those of `entries` that may hold where `field` is `value`, without the tests of it."""
    found = []
    for entry in entries:
        left: list[Condition] = []
        holds = True
        for condition in entry.left:
            if _field_of(condition) != field:
                left.append(condition)
                continue
            test, inverted = _asked(condition)
            if (value is not None and test.accepts(value)) is inverted:
                holds = False
                break
        if holds:
            found.append(_Entry(entry.order, entry.rule, left))
    return found


def _left(entries: list[_Entry], field: int, start: str | None) -> list[_Entry]:
    """Those that may hold where the value is none of the literals, and begins with `start`, the longest prefix that it
    begins with, if any.
    """
    found = []
    for entry in entries:
        left: list[Condition] = []
        holds = True
        for condition in entry.left:
            if _field_of(condition) != field:
                left.append(condition)
                continue
            test, inverted = _asked(condition)
            verdict = _verdict(test, field, start)
            if verdict == _OPEN:
                left.append(condition)
            elif (verdict == _YES) is inverted:
                holds = False
                break
        if holds:
            found.append(_Entry(entry.order, entry.rule, left))
    return found


def _verdict(test: ValueTest, field: int, start: str | None) -> int:
    """What `test` says of every value of which no more is known than that; _OPEN where it depends."""
    if isinstance(test, Present):
        return _YES
    if isinstance(test, Prefix) and not test.fold and start is not None and start.startswith(test.text):
        return _YES
    return _OPEN
