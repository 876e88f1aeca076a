"""What Envoy's route configurations have in common, in the form of `l7codecs.routing`'s own files; for the `RouteFormat` of protocols.

They are protobuf's JSON: names of fields are in snake_case or camelCase, what is null is absent. What cannot be
expressed is told with `Config.problem`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from l7codecs.config import Config, ConfigValue

__all__ = [
    "NO_METADATA",
    "fields",
    "fraction",
    "header_matches",
    "mirrors",
    "only_router",
    "seconds",
    "string_test",
    "target",
]

NO_METADATA = "a load balancer would have to be told of subsets"
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s")
_HUNDREDS = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}
_OLD = {
    "exact_match": "exact",
    "prefix_match": "prefix",
    "suffix_match": "suffix",
    "contains_match": "contains",
    "safe_regex_match": "safe_regex",
}


def fields(node: Config, known: Iterable[str], refused: Mapping[str, str] | None = None) -> dict[str, Config]:
    """As `Config.fields`, by names in snake_case, of a mapping that may have camelCase. What is refused may be false, or an empty list."""
    known = tuple(known)
    names = {_camel(name): name for name in (*known, *(refused or {}))}
    made: dict[str, Config] = {}
    keys: dict[str, Config] = {}
    for key, value in node.mapping().items():
        name = names.get(key, key)
        if name in made:
            node.keys.get(key, value).problem(f"{name} stands here twice")
        made[name] = value
        keys[name] = node.keys.get(key, value)
    for name in refused or {}:
        if name in made and (made[name].value is False or made[name].value == []):
            del made[name]
    snake = node.make(made)
    snake.keys = keys
    return snake.fields(known, refused)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


def seconds(node: Config) -> float:
    """A Duration: ``0.5s``."""
    text = node.text()
    found = _DURATION.fullmatch(text)
    if found is None:
        if text:
            node.problem(f"{text!r} is no duration: 0.5s")
        return 1.0
    return float(found[1])


def fraction(node: Config) -> Config:
    """A RuntimeFractionalPercent as a number from 0 to 1."""
    top = fields(node, ("default_value",), {"runtime_key": "there is no runtime to ask"})
    if "default_value" not in top:
        node.problem("'default_value' is missing")
        return node.make(1)
    value = fields(top["default_value"], ("numerator", "denominator"))
    whole = value["denominator"].text() if "denominator" in value else "HUNDRED"
    if whole not in _HUNDREDS:
        value["denominator"].problem(f"{whole!r} is none of {', '.join(_HUNDREDS)}")
    part = value["numerator"].number() if "numerator" in value else 0
    return top["default_value"].make(min(part / _HUNDREDS.get(whole, 100), 1))


def mirrors(node: Config) -> list[ConfigValue]:
    """A list of mirror policies."""
    found: list[ConfigValue] = []
    for each in node.items():
        top = fields(each, ("cluster", "runtime_fraction"))
        mirror: dict[str, ConfigValue] = {"cluster": top.get("cluster", "")}
        if "runtime_fraction" in top:
            mirror["fraction"] = fraction(top["runtime_fraction"])
        found.append(each.make(mirror))
    return found


def string_test(node: Config, but: Mapping[str, str] | None = None) -> dict[str, ConfigValue]:
    """A StringMatcher as a test."""
    ways = ("exact", "prefix", "suffix", "safe_regex", "contains")
    refused = {"custom": "it is code of Envoy's", **(but or {})}
    top = fields(node, (*ways, "ignore_case"), refused)
    return _test(node, top, [key for key in top if key in ways])


def _test(node: Config, top: Mapping[str, Config], ways: list[str]) -> dict[str, ConfigValue]:
    fold = "ignore_case" in top and top["ignore_case"].flag()
    if len(ways) != 1:
        node.problem(f"expected one way to match, found {' and '.join(ways) if ways else 'none'}")
        return {"present": True}
    way = ways[0]
    of = top[way]
    if way == "safe_regex":
        regex = fields(of, ("regex", "google_re2"))
        return {"regex": regex.get("regex", "")}  # ignore_case has no meaning for it
    if way == "contains":
        return {"regex": of.make(f"(?s{'i' if fold else ''}).*{_quoted(of.text())}.*")}
    return {way: of, "ignore_case": True} if fold else {way: of}


def _quoted(text: str) -> str:
    return "".join(each if each.isalnum() or ord(each) > 127 else "\\" + each for each in text)


def header_matches(node: Config) -> list[ConfigValue]:
    """A list of HeaderMatcher as matches that all have to hold. Names compare without case; one that is inverted needs the header too."""
    return [_header(each) for each in node.items()]


def _header(node: Config) -> ConfigValue:
    ways = ("string_match", *_OLD, "range_match", "present_match")
    top = fields(node, ("name", *ways, "invert_match", "treat_missing_header_as_empty"))
    if "name" not in top:
        node.problem("'name' is missing")
        return node.make({})
    name = top["name"].text()
    inverted = "invert_match" in top and top["invert_match"].flag()
    found = [key for key in top if key in ways]
    if len(found) > 1:
        node.problem(f"expected one way to match, found {' and '.join(found)}")
    way = found[0] if found else "present_match"
    if way == "present_match":
        wanted = "present_match" not in top or top["present_match"].flag()
        if "treat_missing_header_as_empty" in top and top["treat_missing_header_as_empty"].flag():
            top["treat_missing_header_as_empty"].problem("cannot be expressed of whether a header is there")
        return _headers(node, name, {"present": wanted is not inverted})
    test: dict[str, ConfigValue]
    if way == "range_match":
        of = fields(top[way], ("start", "end"))
        start, end = (of[key].integer() if key in of else 0 for key in ("start", "end"))
        test = {"range": top[way].make({"from": start, "to": end - 1})}
        empty: bool | None = False
    else:
        if way == "string_match":
            test = string_test(top[way])
        else:
            test = _test(node, {_OLD[way]: top[way]}, [_OLD[way]])
        given = [each.value for key, each in test.items() if key != "regex" and isinstance(each, Config)]
        empty = given == [""] if given else None
    if "treat_missing_header_as_empty" in top and top["treat_missing_header_as_empty"].flag():
        if empty is None:
            top["treat_missing_header_as_empty"].problem("cannot be expressed with an expression")
        if empty is not inverted:
            absent = _headers(node, name, {"present": False})
            return node.make({"any": [_headers(node, name, {**test, "invert": inverted}), absent]})
    if inverted:
        there = _headers(node, name, {"present": True})
        return node.make({"all": [there, _headers(node, name, {**test, "invert": True})]})
    return _headers(node, name, test)


def _headers(node: Config, name: str, test: dict[str, ConfigValue]) -> Config:
    return node.make({"headers": {name: {**test, "fold_name": True}}})


def target(top: Mapping[str, Config], place: Config) -> dict[str, ConfigValue]:
    """Where to: `cluster` or `weighted_clusters`, of a route's action whose fields `top` are."""
    found = [key for key in ("cluster", "weighted_clusters") if key in top]
    if len(found) != 1:
        place.problem(
            f"expected one of cluster and weighted_clusters, found {' and '.join(found) if found else 'none'}"
        )
        return {"cluster": "none"}
    if found == ["cluster"]:
        return {"cluster": top["cluster"]}
    weights = fields(
        top["weighted_clusters"],
        ("clusters", "total_weight"),
        {"runtime_key_prefix": "there is no runtime to ask", "header_name": "a client would choose its own share"},
    )
    clusters: list[ConfigValue] = []
    for each in weights["clusters"].items() if "clusters" in weights else ():
        of = fields(
            each, ("name", "weight"), {"metadata_match": NO_METADATA, "cluster_header": "a header would name it"}
        )
        clusters.append(each.make({"name": of.get("name", ""), "weight": of.get("weight", 0)}))
    return {"clusters": top["weighted_clusters"].make(clusters)}


def only_router(node: Config, name: str) -> None:
    """A list of filters may have the router, which is `name`, and nothing else."""
    for each in node.items():
        top = fields(each, ("name", "typed_config", "config"))
        if "name" in top and top["name"].text() != name:
            top["name"].problem(f"only {name} is a route's; a filter that does more cannot be expressed")
