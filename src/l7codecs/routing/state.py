"""What routing remembers: tokens, and hosts that fail. Neither reads a clock: ``now`` is given, in seconds of one that
does not go back.
"""

from __future__ import annotations

from collections.abc import Iterable

from l7codecs.routing.actions import OutlierPolicy, RateLimit
from l7codecs.routing.table import Rule

__all__ = ["OutlierDetector", "TokenBucket", "TokenBuckets"]


class TokenBucket:
    """The state of one `RateLimit`. ``fill`` tokens come at once at the end of each ``every``, counted from the first look."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self.tokens = limit.tokens
        """Those that are left, as of the latest look."""
        self._filled: float | None = None

    def take(self, now: float, count: int = 1) -> bool:
        """Whether there are `count` tokens; then they are gone."""
        self._fill(now)
        if count > self.tokens:
            return False
        self.tokens -= count
        return True

    def wait(self, now: float, count: int = 1) -> float:
        """Seconds until there are `count` tokens; infinite where there never are."""
        self._fill(now)
        missing = count - self.tokens
        if missing <= 0:
            return 0.0
        if count > self.limit.tokens or self._filled is None:
            return float("inf")
        fills = -(-missing // self.limit.fill)
        return self._filled + fills * self.limit.every - now

    def _fill(self, now: float) -> None:
        filled = self._filled
        if filled is None or now < filled:
            self._filled = now if filled is None else filled
            return
        times = int((now - filled) / self.limit.every)
        if times > 0:
            self._filled = filled + times * self.limit.every
            self.tokens = min(self.limit.tokens, self.tokens + times * self.limit.fill)


class TokenBuckets:
    """The buckets of a table's rules, made when they are first asked for."""

    def __init__(self) -> None:
        self._named: dict[str, TokenBucket] = {}
        self._own: dict[Rule, TokenBucket] = {}

    def allow(self, rule: Rule, now: float) -> bool:
        """Whether `rule` allows one more message now; it is counted then."""
        limit = rule.action.rate_limit
        if limit is None:
            return True
        return self.bucket(rule, limit).take(now)

    def bucket(self, rule: Rule, limit: RateLimit) -> TokenBucket:
        """That of `rule`, which has `limit`."""
        if limit.name:
            found = self._named.get(limit.name)
            if found is None:
                found = self._named[limit.name] = TokenBucket(limit)
            return found
        found = self._own.get(rule)
        if found is None:
            found = self._own[rule] = TokenBucket(limit)
        return found

    def following(self, rules: Iterable[Rule]) -> TokenBuckets:
        """Those for a table that takes the place of this one: a bucket stays whose limit has the same name, or else whose rule has, and
        which allows the same.
        """
        before = {rule.name: bucket for rule, bucket in self._own.items()}
        found = TokenBuckets()
        for rule in rules:
            limit = rule.action.rate_limit
            if limit is None:
                continue
            bucket = self._named.get(limit.name) if limit.name else before.pop(rule.name, None)
            if bucket is None or bucket.limit != limit:
                continue
            if limit.name:
                found._named[limit.name] = bucket
            else:
                found._own[rule] = bucket
        return found


class _Health:
    def __init__(self) -> None:
        self.failures = 0
        self.ejections = 0
        self.until = 0.0
        """When its latest ejection ends."""


class OutlierDetector:
    """Which hosts of one cluster are ejected, by `OutlierPolicy`.

    What a host fails at is for the engine to say: as a rule, connections that fail or break, deadlines, and an answer
    of UNAVAILABLE or INTERNAL.
    """

    def __init__(self, policy: OutlierPolicy, hosts: Iterable[str]) -> None:
        self.policy = policy
        self._health = {host: _Health() for host in hosts}

    def set_hosts(self, hosts: Iterable[str]) -> None:
        """The cluster has these hosts; those that stay keep their state."""
        self._health = {host: self._health.get(host) or _Health() for host in hosts}

    def succeeded(self, host: str, now: float) -> None:
        """`host` has answered. After as long without a failure as its latest ejection could have been, that counts less."""
        health = self._health.get(host)
        if health is None:
            return
        health.failures = 0
        if health.ejections and now - health.until >= self.policy.base * health.ejections:
            health.ejections -= 1
            health.until = now

    def failed(self, host: str, now: float) -> bool:
        """`host` has failed; whether it is ejected by that."""
        health = self._health.get(host)
        if health is None:
            return False
        health.failures += 1
        if health.failures < self.policy.failures or health.until > now or not self._may_eject(now):
            return False
        health.failures = 0
        health.ejections += 1
        health.until = now + min(self.policy.base * health.ejections, self.policy.longest)
        return True

    def ejected(self, host: str, now: float) -> bool:
        """Whether `host` is to get no requests."""
        health = self._health.get(host)
        return health is not None and health.until > now

    def available(self, now: float) -> list[str]:
        """The hosts that are not ejected, in their order; all of them where none is left: a host that fails may have recovered."""
        found = [host for host, health in self._health.items() if health.until <= now]
        return found or list(self._health)

    def _may_eject(self, now: float) -> bool:
        share = self.policy.share
        ejected = sum(health.until > now for health in self._health.values())
        return share > 0 and ejected < max(1, int(share * len(self._health)))
