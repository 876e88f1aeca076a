"""Rules as the engine acts on them: names of clusters are clusters, and what needs no look is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from random import random
from typing import Final, final

from mypy_extensions import i64

from l7codecs.message import Message
from l7codecs.proxy.upstream.pools import Pool
from l7codecs.routing.actions import Action, Edit, Reply, Retry
from l7codecs.routing.state import TokenBucket, TokenBuckets
from l7codecs.routing.table import RouteTable, Rule

__all__ = ["Plan", "Router"]

_NO_ACTION: Final = Action()


@final
class Plan:
    """What is done with the messages of one rule."""

    def __init__(
        self, rule: Rule | None, action: Action, pools: Mapping[str, Pool], bucket: TokenBucket | None
    ) -> None:
        self.rule = rule
        self.reply: Reply | None = action.reply
        self.pool: Pool | None = pools.get(action.cluster) if action.cluster is not None else None
        self.bucket = bucket
        self.request: Edit | None = action.request
        self.response: Edit | None = action.response
        self.deadline: float = 0.0 if action.deadline is None else action.deadline
        self.retry: Retry | None = action.retry
        self.hashed: Action | None = action if action.hash_keys else None
        self.mirrors: list[Pool] = []
        self.fractions: list[float] = []
        for mirror in action.mirrors:
            copy = pools.get(mirror.cluster)
            if copy is not None:
                self.mirrors.append(copy)
                self.fractions.append(mirror.fraction)
        self._shares: list[Pool] = []
        self._bounds: list[i64] = []
        self._total: i64 = 0
        for share in action.clusters:
            pool = pools.get(share.name)
            if pool is not None and share.weight > 0:
                self._total += share.weight
                self._shares.append(pool)
                self._bounds.append(self._total)
        self.plain = not (
            self.reply or bucket or self.hashed or self.mirrors or self.request or self._shares or self.pool is None
        )
        """Whether it goes to `pool` as it is, and nothing is to be looked at before."""
        self.plain_answer = self.retry is None and self.response is None
        """Whether its answer is passed on as it is."""

    @property
    def pools(self) -> list[Pool]:
        """The clusters of which one is drawn."""
        return self._shares

    def draw(self) -> Pool | None:
        """The cluster: of several one by chance."""
        if self._total == 0:
            return self.pool
        at = int(random() * int(self._total))
        for pool, bound in zip(self._shares, self._bounds, strict=True):
            if at < bound:
                return pool
        return self._shares[-1]


@final
class Router:
    """A table, and what its rules mean with the clusters that there are. A reload makes another."""

    def __init__(self, table: RouteTable, pools: Mapping[str, Pool], buckets: TokenBuckets) -> None:
        self.table = table
        self._plans: list[Plan] = []
        """In the order of the rules."""
        for rule in table.rules:
            limit = rule.action.rate_limit
            bucket = None if limit is None else buckets.bucket(rule, limit)
            self._plans.append(Plan(rule, rule.action, pools, bucket))

    def plan(self, message: Message) -> Plan | None:
        """What is to be done with `message`; None where no rule holds. Raises `ProtocolError` where it cannot be read so far."""
        found = self.table.find(message)
        return None if found is None else self._plans[found.order]


def plain_plan(pool: Pool) -> Plan:
    """All goes to `pool`."""
    return Plan(None, Action(pool.name), {pool.name: pool}, None)
