"""Routes by what a message is: an ordered table of rules, compiled for one look a message, and what to do with what a rule matches.

`parse_routes` and `load_routes` read YAML or JSON, and tell everything that is wrong with its place; `RouteTable.route`
decides; an `Action` is data, which
an engine with I/O of its own acts on. What has state (`TokenBuckets`, `OutlierDetector`) is given the time.
"""

from __future__ import annotations

from l7codecs.routing.actions import (
    Action,
    Cluster,
    Edit,
    HashKey,
    Host,
    Mirror,
    OutlierPolicy,
    RateLimit,
    Reply,
    Retry,
    WeightedCluster,
)
from l7codecs.routing.conditions import Condition
from l7codecs.routing.loading import Routes, load_routes, parse_routes
from l7codecs.routing.ring import Ring
from l7codecs.routing.shape import json_schema
from l7codecs.routing.state import OutlierDetector, TokenBucket, TokenBuckets
from l7codecs.routing.table import RouteTable, Rule

__all__ = [
    "Action",
    "Cluster",
    "Condition",
    "Edit",
    "HashKey",
    "Host",
    "Mirror",
    "OutlierDetector",
    "OutlierPolicy",
    "RateLimit",
    "Reply",
    "Retry",
    "Ring",
    "RouteTable",
    "Routes",
    "Rule",
    "TokenBucket",
    "TokenBuckets",
    "WeightedCluster",
    "json_schema",
    "load_routes",
    "parse_routes",
]
