"""Arguments, results and exceptions by the names that an IDL gives them.

The wire tells ids and types only (`ThriftMessage.structure`). thriftpy2 (https://thriftpy2.readthedocs.io), an optional dependency, the
extra ``thrift``, reads the IDL; this module imports it then, not before.

Not handled: default values, which are not on the wire; ``required``, which only the receiver can judge; ``uuid`` in a file with includes,
which thriftpy2 0.7 does not know.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from l7codecs import LimitExceeded, Unsupported

from .._encoding.types import BOOL, DOUBLE, LIST, MAP, SET, STRUCT, Value
from .._meaning.messages import ThriftMessage

__all__ = ["ThriftOutcome", "ThriftTypes"]

_I32: Final = 8
_BINARY: Final = 18
"""thriftpy2's own number for a string that is no text."""
_DEPTH: Final = 200
"""Levels of containers that are named."""
_UUID: Final = re.compile(r"\buuid\b")
_INCLUDE: Final = re.compile(r"^\s*include\b", re.MULTILINE)
_HEADER: Final = re.compile(r"^[ \t]*(?:namespace|cpp_include|include)\b[^\n]*\n", re.MULTILINE)


@dataclass(frozen=True)
class ThriftOutcome:
    """What a method gave: ``field`` is ``success``, the name of a declared exception, or None of void or null.

    ``type_name`` is the name of the struct or exception that ``value`` is, else None.
    """

    field: str | None
    type_name: str | None
    value: object


class ThriftTypes:
    """The services of one or more interfaces. Made by `from_files`, or of modules that thriftpy2 made (``thriftpy2.load``).

    The first service that has a method tells, unless the message names its service.
    """

    def __init__(self, *modules: ModuleType) -> None:
        self._services: dict[str, Any] = {}
        for module in modules:
            told = getattr(module, "__thrift_meta__", None)
            if told is None:
                raise TypeError(f"{module!r} has no __thrift_meta__: give a module that thriftpy2 made")
            for service in told["services"]:
                self._services.setdefault(service.__name__, service)

    @classmethod
    def from_files(cls, *paths: str | Path, include_dirs: tuple[str | Path, ...] = ()) -> ThriftTypes:
        """The services of ``.thrift`` files; includes are looked for beside each, and in `include_dirs`.

        Raises ImportError where thriftpy2 is not installed, OSError for a file that cannot be read, ValueError for one that is no IDL.
        """
        parser = _parser()
        modules = []
        for each in paths:
            path = Path(each).absolute()
            text = path.read_text("utf-8")
            where = [str(path.parent), *(str(folder) for folder in include_dirs)]
            try:
                if _UUID.search(text) and not _INCLUDE.search(text):
                    begin = max((found.end() for found in _HEADER.finditer(text)), default=0)
                    text = f"{text[:begin]}typedef binary uuid\n{text[begin:]}"
                    made = parser.parse_fp(io.StringIO(text), f"{path.stem}_thrift", enable_cache=False)
                else:
                    made = parser.parse(str(path), include_dirs=where, enable_cache=False)
            except OSError:
                raise
            except Exception as error:
                raise ValueError(f"{path.name}: {type(error).__name__}: {error}") from None
            modules.append(made)
        return cls(*modules)

    def find_method(self, service: str | None, operation: str | None) -> tuple[Any, Any] | None:
        """thriftpy2's classes of a method's arguments and result. None where there is no such method."""
        if operation is None:
            return None
        named = self._services.get(service or "")
        for each in [named] if named is not None else self._services.values():
            arguments = getattr(each, f"{operation}_args", None)
            if arguments is not None and operation in each.thrift_services:
                return arguments, getattr(each, f"{operation}_result", None)
        return None

    def arguments(self, message: ThriftMessage) -> dict[str | int, object]:
        """The arguments of a call by their names. An enum's value is its name; a field that the interface has not is under its id.

        Raises:
            Unsupported: the interface has no such method.
            ProtocolError: the body cannot be read.
            LimitExceeded: it is deeper than 200 levels, or than the session allows.
        """
        return _Namer(message).struct(self._method(message)[0], message.structure(), 0)

    def outcome(self, message: ThriftMessage) -> ThriftOutcome:
        """What a reply says. Raises as `arguments` does, and `Unsupported` for a TApplicationException, which no interface declares."""
        if message.message_type != "reply":
            raise Unsupported(f"{message.message_type} is no reply: its `exception` says what it is")
        result = self._method(message)[1]
        if result is None or getattr(result, "oneway", False):
            raise Unsupported(f"{message.operation} is one-way: it has no result")
        fields = _Namer(message).struct(result, message.structure(), 0)
        for name, value in fields.items():
            if value is not None:
                spec = next((each for each in result.thrift_spec.values() if each[1] == name), None)
                kind = spec[2] if spec is not None and spec[0] == STRUCT else None
                return ThriftOutcome(str(name), None if kind is None else kind.__name__, value)
        return ThriftOutcome(None, None, None)

    def _method(self, message: ThriftMessage) -> tuple[Any, Any]:
        found = self.find_method(message.service, message.operation)
        if found is None:
            raise Unsupported(f"the interface has no method {message.operation!r}")
        return found


class _Namer:
    """Gives the values of one message their names."""

    def __init__(self, message: ThriftMessage) -> None:
        self._offset = message.offset
        self._named = message.encoding in ("thriftpy2-json", "ttext")
        self._base64 = self._named or message.encoding == "json"

    def struct(self, cls: Any, value: Value, depth: int) -> dict[str | int, object]:
        """A struct, union or exception."""
        made: dict[str | int, object] = {}
        if not isinstance(value, dict):
            return made
        specs = cls.thrift_spec
        if self._named:
            specs = {spec[1]: spec for spec in specs.values()}
        for key, held in value.items():
            spec = specs.get(key)
            if spec is None:
                made[cast("str | int", key)] = held
            else:
                made[spec[1]] = self.value(spec[0], spec[2] if len(spec) > 3 else None, held, depth + 1)
        return made

    def value(self, kind: int, spec: Any, value: Any, depth: int) -> object:
        """A value of a field or container; one that has not the type of the interface stays as it is."""
        if depth > _DEPTH:
            raise LimitExceeded(self._offset, f"more than {_DEPTH} levels of containers", f"at most {_DEPTH}")
        if kind == STRUCT:
            return self.struct(spec, value, depth) if self._has_fields(value) else value
        if kind in (LIST, SET):
            inner, of = _element(spec)
            return [self.value(inner, of, each, depth + 1) for each in value] if isinstance(value, list) else value
        if kind == MAP:
            return self._map(spec, value, depth)
        if kind == _BINARY:
            return self._binary(value)
        if kind == _I32 and spec is not None and isinstance(value, int) and not isinstance(value, bool):
            return spec._VALUES_TO_NAMES.get(value, value)
        if self._named and kind == BOOL and value in (0, 1):
            return bool(value)
        if self._named and kind == DOUBLE and isinstance(value, int | str) and not isinstance(value, bool):
            return _as_double(value)
        return value

    def _has_fields(self, value: object) -> bool:
        """Whether it may be a struct: a map in place of one may have other keys than ids, or names."""
        wanted = str if self._named else int
        return isinstance(value, dict) and all(type(key) is wanted for key in value)

    def _map(self, spec: Any, value: Value, depth: int) -> object:
        (key_kind, key_of), (kind, of) = _element(spec[0]), _element(spec[1])
        if isinstance(value, dict):
            pairs: list[tuple[Any, Any]] = list(value.items())
        elif isinstance(value, list) and self._named:
            pairs = [(each.get("key"), each.get("value")) for each in value if isinstance(each, dict)]
        elif isinstance(value, list):
            pairs = [each for each in value if isinstance(each, tuple)]
        else:
            return value
        made = [
            (self.value(key_kind, key_of, key, depth + 1), self.value(kind, of, held, depth + 1)) for key, held in pairs
        ]
        try:
            found = dict(made)
        except TypeError:
            return made
        return found if len(found) == len(made) else made

    def _binary(self, value: Value) -> object:
        if not isinstance(value, str):
            return value
        if not self._base64:
            return value.encode("utf-8")
        try:
            return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        except (binascii.Error, ValueError):
            return value


def _as_double(value: int | str) -> object:
    """In JSON that does not say its types: a number without a point, or the name of one that is none."""
    try:
        return float(value)
    except (ValueError, OverflowError):
        return value


def _element(spec: Any) -> tuple[int, Any]:
    """The type of what is in a container, and what thriftpy2 says of that."""
    return (spec[0], spec[1]) if isinstance(spec, tuple) else (spec, None)


def _parser() -> Any:
    try:
        return importlib.import_module("thriftpy2.parser.parser")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("thriftpy2"):
            raise
        raise ImportError(
            "an interface of Thrift needs thriftpy2: pip install 'l7codecs[thrift]'", name=error.name
        ) from None
