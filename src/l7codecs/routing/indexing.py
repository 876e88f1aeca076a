"""The index of a table (`nodes`), built once: nothing here is hot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import intern
from time import sleep
from typing import Final, final

from mypy_extensions import i64

from l7codecs.routing.conditions import (
    ACCESS,
    OPERATION,
    PROTOCOL,
    SERVICE,
    AllOf,
    AttributeTest,
    Condition,
    FieldTest,
    HeaderTest,
    ResourceTest,
)
from l7codecs.routing.nodes import ATTRIBUTE, HEADER, LEAF, RESOURCE, Branch, Candidate, Rule, Starts, bucket
from l7codecs.routing.values import Exact, Prefix, Present, ValueTest

__all__ = ["indexed"]

_Key = tuple[int, str]
"""What is switched by: one of the fields, the resource, or a header or an attribute with its name."""
_ORDER: Final = ((OPERATION, ""), (SERVICE, ""), (PROTOCOL, ""), (ACCESS, ""), (RESOURCE, ""))
"""In which order they are looked at; the resource, which is cut out of the message, is the last but headers and attributes."""

_FEW: Final = 2
"""So many rules need no switch."""
_COPIES: Final = 1_000_000
"""So often, at most, all switches together name a rule. One that would pass it is not made: its rules are tried in their order."""
_DEEP: Final = 8
"""So many switches, at most, stand below each other."""

_PLACES: Final = 16
_PLACED: Final = 64
"""So many places, of so many values, are looked at for the two that tell most apart."""

_NO: Final = 0
_YES: Final = 1
_OPEN: Final = 2


def indexed(rules: Sequence[Rule]) -> Branch:
    """The index of `rules`, which stand in their order."""
    entries = [Candidate(order, rule, _flat(rule.when)) for order, rule in enumerate(rules)]
    return _build(entries, [], _Budget())


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


def _key_of(condition: Condition) -> _Key | None:
    """What it is a test of; None where that is not switched by."""
    if isinstance(condition, FieldTest):
        return condition.field, ""
    if isinstance(condition, ResourceTest):
        return RESOURCE, ""
    if isinstance(condition, HeaderTest):
        return None if condition.fold else (HEADER, condition.name)
    return (ATTRIBUTE, condition.name) if isinstance(condition, AttributeTest) else None


def _asked(condition: Condition) -> tuple[ValueTest, bool]:
    """What a test asks of the value, and whether it is inverted. Of an only value, every one is any one."""
    assert isinstance(condition, FieldTest | ResourceTest | HeaderTest | AttributeTest)
    return condition.test, condition.inverted


def _handles(entry: Candidate, key: _Key) -> tuple[list[str | bytes], list[Prefix]] | None:
    """The values and prefixes by which `entry` can be found; None where any value may do."""
    exact: list[str | bytes] | None = None
    prefixes: list[Prefix] = []
    for condition in entry.left:
        if _key_of(condition) != key:
            continue
        test, inverted = _asked(condition)
        if inverted:
            continue
        if isinstance(test, Exact) and not test.fold:
            found: list[str | bytes] = [*test.texts, *test.octets]
            if exact is None or len(found) < len(exact):
                exact = found
        elif isinstance(test, Prefix) and not test.fold and key[0] >= RESOURCE:
            prefixes.append(test)
    if exact is not None:
        return exact, []
    return ([], prefixes[:1]) if prefixes else None


def _build(entries: list[Candidate], done: list[_Key], budget: _Budget) -> Branch:
    """The tree for `entries`, which do not ask for the keys in `done` any more."""
    # The loop of an engine that reads its rules again in a thread goes on: compiled, this would let nobody else run.
    sleep(0)
    entries = _cut(entries)
    best: _Key | None = None
    most = 0
    if len(entries) > _FEW and len(done) < _DEEP:
        for key in [*_ORDER, *_named_first(entries)]:
            if key in done or (key[0] >= RESOURCE and most):
                continue
            found = _gain(entries, key, budget)
            if found > most:
                best, most = key, found
    if best is None:
        return Branch(LEAF, "", entries)
    return _switch(entries, best, [*done, best], budget)


def _named_first(entries: list[Candidate]) -> list[_Key]:
    """The header or the attribute that the first rule asks for first: nobody else's are read sooner than without an index."""
    key = _key_of(entries[0].left[0]) if entries[0].left else None
    return [key] if key is not None and key[0] > RESOURCE else []


def _cut(entries: list[Candidate]) -> list[Candidate]:
    """Without those behind one that always holds."""
    for at, entry in enumerate(entries):
        if not entry.left:
            return entries[: at + 1]
    return entries


def _gain(entries: list[Candidate], key: _Key, budget: _Budget) -> int:
    """How many rules a switch by `key` tells apart; 0 where it is of no use, or too large."""
    literals: set[str | bytes] = set()
    named = 0
    for entry in entries:
        found = _handles(entry, key)
        if found is not None:
            named += 1
            literals.update(found[0])
            literals.update(each.text for each in found[1])
    return named if named > 1 and _cost(entries, named, len(literals)) <= budget.left else 0


def _cost(entries: list[Candidate], named: int, literals: int) -> int:
    """How often a switch names a rule: those that any value may do are in each child."""
    return literals * (len(entries) - named + 1) + 3 * len(entries)


def _switch(entries: list[Candidate], key: _Key, done: list[_Key], budget: _Budget) -> Branch:
    named: dict[str | bytes, list[Candidate]] = {}
    starts: dict[str, list[Candidate]] = {}
    wild: list[Candidate] = []
    for entry in entries:
        found = _handles(entry, key)
        if found is None:
            wild.append(entry)
            continue
        for literal in found[0]:
            named.setdefault(literal, []).append(entry)
        for prefix in found[1]:
            starts.setdefault(prefix.text, []).append(entry)

    budget.left -= _cost(entries, len(entries) - len(wild), len(named) + len(starts))
    switch = Branch(key[0], key[1], [])
    undecided = _build(entries, done, budget) if key[0] >= RESOURCE else None  # every test is made
    switch.several = undecided
    switch.none = undecided if key[0] == RESOURCE else _build(_decided(entries, key, None), done, budget)
    switch.other = _build(_left(wild, key, None), done, budget)
    for literal, of in named.items():
        text = literal if isinstance(literal, str) else literal.decode("utf-8", "replace")
        begun = [each for size in range(len(text) + 1) for each in starts.get(text[:size], ())]
        if isinstance(literal, bytes) and key[0] < RESOURCE:
            continue
        child = _build(_decided(_merged(of, [*wild, *begun]), key, literal), done, budget)
        if isinstance(literal, str):
            switch.texts[intern(literal)] = child  # found by itself, where a room's words are such
        else:
            switch.octets[literal] = child
    sizes: set[int] = set()
    octet_sizes: set[int] = set()
    for start in starts:
        begun = [each for size in range(len(start) + 1) for each in starts.get(start[:size], ())]
        child = _build(_left(_merged(begun, wild), key, start), done, budget)
        switch.text_starts[start] = child
        octets = start.encode("utf-8", "surrogatepass")
        switch.octet_starts[octets] = child
        sizes.add(len(start))
        octet_sizes.add(len(octets))
    switch.text_sizes = sorted(sizes, reverse=True)
    switch.octet_sizes = sorted(octet_sizes, reverse=True)
    if octet_sizes and not named and 0 not in octet_sizes:
        switch.starts = [_starts(switch, size) for size in switch.octet_sizes]
    return switch


def _starts(switch: Branch, size: int) -> Starts:
    """Those of `size` octets, with the two places by which most of them are told apart."""
    found = [octets for octets in switch.octet_starts if len(octets) == size]
    places = range(max(0, size - _PLACES), size)  # what begins alike differs at its end
    best = (0, 0, 0)
    for first in places:
        for second in places:
            apart = len({bucket(each, 0, first, second) for each in found[:_PLACED]})
            if apart > best[0]:
                best = (apart, first, second)
    starts = Starts(size, best[1], best[2])
    for octets in found:
        starts.add(octets, switch.octet_starts[octets])
    return starts


def _merged(some: list[Candidate], others: list[Candidate]) -> list[Candidate]:
    """All of them, in the order of their rules, each once."""
    by_order: dict[int, Candidate] = {each.order: each for each in some}
    for each in others:
        by_order[each.order] = each
    return [by_order[order] for order in sorted(by_order)]


def _decided(entries: list[Candidate], key: _Key, value: str | bytes | None) -> list[Candidate]:
    """Those of `entries` that may hold where `key` is `value`, without the tests of it."""

    def verdict(test: ValueTest) -> int:
        return _YES if value is not None and test.accepts(value) else _NO

    return _held(entries, key, verdict)


def _left(entries: list[Candidate], key: _Key, start: str | None) -> list[Candidate]:
    """Those that may hold where the value is none of the literals, and begins with `start`, the longest prefix that it
    begins with, if any.
    """
    return _held(entries, key, lambda test: _verdict(test, start))


def _held(entries: list[Candidate], key: _Key, verdict: Callable[[ValueTest], int]) -> list[Candidate]:
    """Those of `entries` that may hold by what `verdict` says of the tests of `key`, with those of which it leaves it open."""
    found = []
    for entry in entries:
        left: list[Condition] = []
        holds = True
        for condition in entry.left:
            if _key_of(condition) != key:
                left.append(condition)
                continue
            test, inverted = _asked(condition)
            said = verdict(test)
            if said == _OPEN:
                left.append(condition)
            elif (said == _YES) is inverted:
                holds = False
                break
        if holds:
            found.append(Candidate(entry.order, entry.rule, left))
    return found


def _verdict(test: ValueTest, start: str | None) -> int:
    """What `test` says of every value of which no more is known than that; _OPEN where it depends."""
    if isinstance(test, Present):
        return _YES
    if isinstance(test, Prefix) and not test.fold and start is not None and start.startswith(test.text):
        return _YES
    return _OPEN
