"""YAML, and so JSON, to a tree of `Config`: values as YAML 1.2's core schema has them, keys once, all of it bounded.

Nothing here recurses, and aliases are counted by what they stand for, so a small text cannot become a large tree.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import cache
from math import isfinite
from typing import Any, Final

from l7codecs.config import Config, ConfigProblem

__all__ = ["parse_config"]

TEXT_SIZE: Final = 16 << 20
"""Octets of a file."""
NODES: Final = 1_000_000
"""Values and keys of a file, those of an alias counted each time."""
DEPTH: Final = 32
"""Mappings and lists within each other."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,19}|0x[0-9a-fA-F]{1,16}|0o[0-7]{1,21}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")
_NULL = ("", "~", "null", "Null", "NULL")
_TRUE = ("true", "True", "TRUE")
_FALSE = ("false", "False", "FALSE")
_TAG = "tag:yaml.org,2002:"


def parse_config(text: str | bytes, file: str = "<text>") -> Config:
    """The document in `text`, YAML or JSON. Raises `ConfigError` where it is none, or too large or deep.

    Values are those of YAML 1.2: ``no`` and ``on`` are strings, and there is no ``<<``. Numbers with a leading 0 are decimal.
    """
    try:
        import yaml
    except ImportError as error:
        raise ImportError("configurations are read with PyYAML: pip install 'l7codecs[routing]'") from error

    problems: list[ConfigProblem] = []
    top = Config(None, file, 1, 1, problems)
    if len(text) > TEXT_SIZE:
        top.problem(f"the file has {len(text)} octets; the limit is {TEXT_SIZE}")
        top.check()
    try:
        builder = _Builder(file, problems)
        for event in yaml.parse(text, Loader=_loader()):
            if isinstance(event, yaml.DocumentStartEvent) and builder.done is not None:
                builder.place(event.start_mark).problem("a second document; a file has one")
                break
            builder.take(event)
            if problems:
                break
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        node = builder.place(mark) if mark is not None else top
        node.problem(str(error.problem or error.context or "is no YAML"))
    except yaml.reader.ReaderError as error:
        _unread(text, error.position, error.encoding == "unicode", top).problem(str(error.reason))
    except (yaml.YAMLError, UnicodeError) as error:
        top.problem(" ".join(str(error).split()))
    top.check()
    return builder.done if builder.done is not None else top


def _unread(text: str | bytes, position: int, in_characters: bool, top: Config) -> Config:
    """The place of what is no text at all, at a character or an octet."""
    if isinstance(text, bytes) and in_characters:
        codecs = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
        text = text.decode(codecs.get(text[:2], "utf-8"), "replace")
    before = text[:position]
    before = before.decode("utf-8", "replace") if isinstance(before, bytes) else before
    return Config(None, top.file, before.count("\n") + 1, len(before) - before.rfind("\n"), top.problems)


@cache
def _loader() -> Any:
    """PyYAML's, which also takes tabs between the tokens of what is in brackets: most JSON is indented by them."""
    import yaml

    class Loader(yaml.SafeLoader):
        def scan_to_next_token(self) -> None:
            super().scan_to_next_token()
            while self.flow_level and self.peek() == "\t":
                self.forward()
                super().scan_to_next_token()

    return Loader


class _Open:
    """A mapping or list that is not ended."""

    def __init__(self, node: Config, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: Config | None = None
        self.size = 1


class _Builder:
    """Nodes from the events of a parser."""

    def __init__(self, file: str, problems: list[ConfigProblem]) -> None:
        self.file = file
        self.problems = problems
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Config, int] | None] = {}
        self.done: Config | None = None

    def place(self, mark: object) -> Config:
        line, column = getattr(mark, "line", -1) + 1, getattr(mark, "column", -1) + 1
        return Config(None, self.file, line, column, self.problems)

    def take(self, event: object) -> None:
        import yaml

        if isinstance(event, yaml.ScalarEvent):
            node = self.place(event.start_mark)
            node.value = _scalar(node, _joined(node, event.value), event.tag, event.implicit[0])
            if event.anchor:
                self.anchors[event.anchor] = node, 1
            self.add(node, 1)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            node = self.place(event.start_mark)
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            if event.tag not in (None, "!", _TAG + ("map" if is_mapping else "seq")):
                node.problem(f"unknown tag {event.tag!r}")
            node.value = {} if is_mapping else []
            if len(self.stack) >= DEPTH:
                node.problem(f"more than {DEPTH} mappings and lists within each other")
            if event.anchor:
                self.anchors[event.anchor] = None
            self.stack.append(_Open(node, event.anchor))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            ended = self.stack.pop()
            if ended.anchor:
                self.anchors[ended.anchor] = ended.node, ended.size
            self.add(ended.node, ended.size)
        elif isinstance(event, yaml.AliasEvent):
            node = self.place(event.start_mark)
            if event.anchor not in self.anchors:
                node.problem(f"unknown alias {event.anchor!r}")
                return
            found = self.anchors[event.anchor]
            if found is None:
                node.problem(f"alias {event.anchor!r} stands inside of what it names")
                return
            self.add(found[0], found[1])

    def add(self, node: Config, size: int) -> None:
        if not self.stack:
            self.done = node
            return
        parent = self.stack[-1]
        parent.size += size
        if parent.size > NODES:
            node.problem(f"more than {NODES} values, those behind aliases counted each time")
        value = parent.node.value
        if isinstance(value, list):
            value.append(node)
        elif parent.key is None:
            if not isinstance(node.value, str) and isinstance(node.value, dict | list | bytes):
                node.problem(f"a key is a string, not a {node.type_name}")
            parent.key = node
        elif isinstance(value, dict):
            key = _written(parent.key)
            if key in value:
                parent.key.problem(f"key {key!r} stands here twice")
            value[key] = node
            parent.node.keys[key] = parent.key
            parent.key = None


def _written(key: Config) -> str:
    value = key.value
    if isinstance(value, str):
        return value
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _joined(node: Config, text: str) -> str:
    """`text` with the halves joined in which JSON writes a character beyond U+FFFF."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        node.problem("a half of a character, without the other")
        return ""


def _scalar(node: Config, text: str, tag: str | None, plain: bool) -> str | int | float | bool | bytes | None:
    if tag is not None and tag != "!":
        kind = tag.removeprefix(_TAG)
        if kind == "str":
            return text
        if kind == "binary":
            try:
                return base64.b64decode("".join(text.split()), validate=True)
            except (ValueError, binascii.Error):
                node.problem("!!binary is no Base64")
                return b""
        found = _core(text)
        names = {"int": int, "float": float, "bool": bool, "null": type(None)}
        if kind not in names or not (type(found) is names[kind] or (kind == "float" and type(found) is int)):
            node.problem(f"{text!r} is no {kind}" if kind in names else f"unknown tag {tag!r}")
        return found
    return _core(text) if plain else text


def _core(text: str) -> str | int | float | bool | None:
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.fullmatch(text):
        prefix = text[:2]
        return int(text[2:], 16) if prefix == "0x" else int(text[2:], 8) if prefix == "0o" else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if isfinite(number) else text  # more than a number may be
    return text
