"""The types that the messages of gRPC are decoded with: descriptors of Protocol Buffers, from wherever the user has them.

A gRPC path names a service and a method; a descriptor tells the types of what the method takes and gives. Decoding is protobuf's
(https://protobuf.dev), an optional dependency: the extra ``grpc``. This module imports it when something is decoded, not before. What
it raises about octets becomes `ProtocolError`, whatever it is.

Not compiled: protobuf is compiled itself, and all the time goes there.
"""

from __future__ import annotations

import graphlib
import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l7codecs import L7Error, LimitExceeded, Message, ProtocolError, Unsupported

from .._semantics.meaning import binary_metadata

if TYPE_CHECKING:
    from types import ModuleType

    import google.protobuf.any_pb2
    import google.protobuf.descriptor
    import google.protobuf.descriptor_pb2
    import google.protobuf.descriptor_pool
    import google.protobuf.message

__all__ = ["GrpcStatus", "GrpcTypes", "parse_wrapper"]

_SPEC = "Protocol Buffers"
_ANY = "google.protobuf.Any"
_ANY_DEPTH = 100
"""Levels of messages that are followed through Any; protobuf itself ends at 100 without it."""

_UNKNOWN = (KeyError, TypeError, ValueError, SystemError)
"""What a pool raises for a name that it does not have; the latter ones for a name that is no Unicode."""

_STANDARD_FILE = re.compile(r"google/protobuf/([a-z_]+)\.proto")
_STANDARD_NAMES = ("any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers")
_STATUS_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True)
class GrpcStatus:
    """google.rpc.Status, the rich outcome of a call.

    ``details`` are the decoded messages, in order; one whose type is not known, or that is not what its type says, stays a
    google.protobuf.Any.
    """

    code: int
    message: str
    details: tuple[google.protobuf.message.Message, ...]


class GrpcTypes:
    """Services and messages by their full names.

    Made by `from_descriptor_set` or `from_modules`, or of descriptor pools: that of a reflection client is one
    (``DescriptorPool(ProtoReflectionDescriptorDatabase(channel))`` of grpcio-reflection). The first pool that has a name tells. Raises
    ImportError where protobuf is not installed.
    """

    def __init__(self, *pools: google.protobuf.descriptor_pool.DescriptorPool) -> None:
        _protobuf("descriptor_pool")
        self._pools = pools
        self._methods: dict[tuple[str, str], google.protobuf.descriptor.MethodDescriptor] = {}
        self._with_any: dict[str, bool] = {}

    @classmethod
    def from_descriptor_set(cls, *sets: bytes | google.protobuf.descriptor_pb2.FileDescriptorSet) -> GrpcTypes:
        """The types of what ``protoc --descriptor_set_out=FILE --include_imports`` or ``buf build -o FILE`` wrote, octets or parsed.

        The files may stand in any order; of a file that several sets have, the first is taken. Imports of google/protobuf may be missing.
        Raises ValueError for octets that are no FileDescriptorSet, for other imports that are missing, and for files that contradict
        each other.
        """
        descriptor_pb2 = _protobuf("descriptor_pb2")
        files: dict[str, google.protobuf.descriptor_pb2.FileDescriptorProto] = {}
        for each in sets:
            if isinstance(each, bytes):
                try:
                    each = descriptor_pb2.FileDescriptorSet.FromString(each)
                except Exception as error:
                    raise ValueError(f"not a FileDescriptorSet: {error}") from None
            for file in each.file:
                files.setdefault(file.name, file)
        return cls(_new_pool(files))

    @classmethod
    def from_modules(cls, *modules: ModuleType) -> GrpcTypes:
        """The types of modules that ``protoc --python_out`` wrote (``shop_pb2``) and of all that share a descriptor pool with them.

        What is decoded then is instances of the modules' classes. Raises TypeError for a module that protoc did not write.
        """
        pools: list[google.protobuf.descriptor_pool.DescriptorPool] = []
        for module in modules:
            descriptor = getattr(module, "DESCRIPTOR", None)
            if descriptor is None or not hasattr(descriptor, "pool"):
                raise TypeError(f"{module!r} has no DESCRIPTOR: give the module that protoc wrote for messages (…_pb2)")
            if not any(descriptor.pool is pool for pool in pools):
                pools.append(descriptor.pool)
        return cls(*pools)

    def find_method(
        self, service: str | None, operation: str | None
    ) -> google.protobuf.descriptor.MethodDescriptor | None:
        """The method of that service (``shop.Orders``) and name; None where there is none."""
        if service is None or operation is None:
            return None
        found = self._methods.get((service, operation))
        if found is None:
            for pool in self._pools:
                try:
                    found = pool.FindServiceByName(service).methods_by_name.get(operation)
                except _UNKNOWN:
                    continue
                if found is not None:
                    self._methods[service, operation] = found
                    break
        return found

    def find_message(self, name: str) -> type[google.protobuf.message.Message] | None:
        """The class of the message type with that full name (``shop.Order``); None where there is none."""
        descriptor = self._find_descriptor(name)
        return None if descriptor is None else _message_class(descriptor)

    def type_name(self, service: str | None, operation: str | None, answer: bool) -> str | None:
        """The full name of what that method takes, or, with `answer`, gives; None where there is no such method."""
        method = self.find_method(service, operation)
        if method is None:
            return None
        return str((method.output_type if answer else method.input_type).full_name)

    def parse(
        self, service: str | None, operation: str | None, answer: bool, octets: bytes, offset: int = 0
    ) -> google.protobuf.message.Message:
        """The message that `octets` are: what that method takes or, with `answer`, gives.

        Raises `Unsupported` where there is no such method, and `ProtocolError` (at `offset`) where `octets` are no message of its type.
        """
        method = self.find_method(service, operation)
        if method is None:
            raise Unsupported(f"the types have no method {service}/{operation}")
        return _parse(_message_class(method.output_type if answer else method.input_type), octets, offset)

    def unpack(self, packed: google.protobuf.any_pb2.Any, offset: int = 0) -> google.protobuf.message.Message | None:
        """The message inside of an Any; None where its type is not known. Raises `ProtocolError` where it is not of its type."""
        found = self.find_message(_name_of(packed.type_url))
        return None if found is None else _parse(found, packed.value, offset)

    def to_dict(self, message: google.protobuf.message.Message, offset: int = 0) -> dict[str, object]:
        """`message` in the JSON mapping of protobuf (``int64`` as text, ``bytes`` in base64, names in lowerCamelCase); no unknown fields.

        An Any whose type is not known has ``@type`` and ``value``, its octets in base64. A type whose JSON is no object (Timestamp) is
        ``value`` of one. Raises `ProtocolError` where there is no JSON for it: a Timestamp in the year 20000, an Any that is not what
        it says; `LimitExceeded` for more than 100 levels through Any.
        """
        json_format = _protobuf("json_format")
        try:
            if self._may_have_any(type(message)):
                copy = type(message)()
                copy.CopyFrom(message)
                self._seal(copy, 0, offset)
                message = copy
            found = json_format.MessageToDict(message, descriptor_pool=_Known(self))
        except L7Error:
            raise
        except Exception as error:
            name = message.DESCRIPTOR.full_name
            raise ProtocolError(offset, f"a {name} without JSON ({error})", "values that have JSON", _SPEC) from None
        return found if isinstance(found, dict) else {"value": found}

    def status_details(self, message: Message) -> GrpcStatus | None:
        """What ``grpc-status-details-bin`` of `message` says, which is trailers or a response that is all trailers; None without it.

        Details are decoded by these types; those of google/rpc/error_details.proto also where googleapis-common-protos is installed.
        Raises `ProtocolError` where it is no google.rpc.Status.
        """
        values = binary_metadata(message, _STATUS_DETAILS)
        if not values:
            return None
        offset = int(message.offset)
        status = _parse(_built_in("google.rpc.Status"), values[0], offset)
        return GrpcStatus(status.code, status.message, tuple(self._detail(each, offset) for each in status.details))  # type: ignore[attr-defined]  # a class made at run time

    def _detail(self, packed: google.protobuf.any_pb2.Any, offset: int) -> google.protobuf.message.Message:
        try:
            found = self.unpack(packed, offset)
            if found is None and _name_of(packed.type_url).startswith("google.rpc."):
                details = importlib.import_module("google.rpc.error_details_pb2")
                found = GrpcTypes.from_modules(details).unpack(packed, offset)
        except (ProtocolError, ImportError, TypeError):  # TypeError: another pool has some of it
            return packed
        return packed if found is None else found

    def _find_descriptor(self, name: str) -> google.protobuf.descriptor.Descriptor | None:
        for pool in self._pools:
            try:
                return pool.FindMessageTypeByName(name)
            except _UNKNOWN:
                continue
        return _find_standard(name)

    def _may_have_any(self, kind: type[google.protobuf.message.Message]) -> bool:
        """Whether a message of this class can hold an Any, at any depth."""
        descriptor = kind.DESCRIPTOR
        found = self._with_any.get(descriptor.full_name)
        if found is None:
            seen = {descriptor.full_name}
            waiting = [descriptor]
            while waiting:
                for field in waiting.pop().fields:
                    inner = field.message_type
                    if inner is not None and inner.full_name not in seen:
                        seen.add(inner.full_name)
                        waiting.append(inner)
            found = self._with_any[descriptor.full_name] = _ANY in seen
        return found

    def _seal(self, message: google.protobuf.message.Message, depth: int, offset: int) -> None:
        """Put the octets of every Any whose type is not known into a BytesValue, which has JSON."""
        if depth > _ANY_DEPTH:
            raise LimitExceeded(offset, "messages nested through Any", f"at most {_ANY_DEPTH} levels", _SPEC)
        if message.DESCRIPTOR.full_name == _ANY:
            inner = self.unpack(message, offset)  # type: ignore[arg-type]  # Any of another pool is another class
            if inner is None:
                inner = _protobuf("wrappers_pb2").BytesValue(value=message.value)  # type: ignore[attr-defined]  # as above
            else:
                self._seal(inner, depth + 1, offset)
            message.value = inner.SerializePartialToString()  # type: ignore[attr-defined]  # as above
            return
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            if not field.is_repeated:
                self._seal(value, depth + 1, offset)
            elif not field.message_type.GetOptions().map_entry:
                for each in value:
                    self._seal(each, depth + 1, offset)
            elif field.message_type.fields_by_name["value"].message_type is not None:
                for each in value.values():
                    self._seal(each, depth + 1, offset)


class _Known:
    """What `json_format` asks for the type of an Any: a pool in which every name is known."""

    def __init__(self, types: GrpcTypes) -> None:
        self._types = types

    def FindMessageTypeByName(self, name: str) -> object:  # noqa: N802  # the name that it has in a pool
        found = self._types._find_descriptor(name)
        return _protobuf("wrappers_pb2").BytesValue.DESCRIPTOR if found is None else found


def parse_wrapper(octets: bytes, answer: bool, offset: int) -> google.protobuf.message.Message:
    """Triple's wrapper of a request or, with `answer`, of a response."""
    name = "TripleResponseWrapper" if answer else "TripleRequestWrapper"
    return _parse(_built_in(f"org.apache.dubbo.triple.{name}"), octets, offset)


def _protobuf(name: str) -> ModuleType:
    """The module ``google.protobuf.<name>``."""
    try:
        return importlib.import_module(f"google.protobuf.{name}")
    except ModuleNotFoundError as error:
        if error.name not in ("google", "google.protobuf"):
            raise
        raise ImportError(
            "decoding the messages of gRPC needs protobuf: pip install 'l7codecs[grpc]'", name=error.name
        ) from None


def _message_class(descriptor: google.protobuf.descriptor.Descriptor) -> type[google.protobuf.message.Message]:
    found: type[google.protobuf.message.Message] = _protobuf("message_factory").GetMessageClass(descriptor)
    return found


def _name_of(type_url: str) -> str:
    return type_url.rpartition("/")[2]


def _parse(kind: type[google.protobuf.message.Message], octets: bytes, offset: int) -> google.protobuf.message.Message:
    """The message of that class. Raises `ProtocolError`."""
    try:
        return kind.FromString(octets)
    except Exception as error:  # DecodeError; of the implementation in Python UnicodeDecodeError and others as well
        name = kind.DESCRIPTOR.full_name
        raise ProtocolError(
            offset, f"{len(octets)} octets that are none ({error})", f"a message {name}", _SPEC
        ) from None


def _new_pool(
    files: dict[str, google.protobuf.descriptor_pb2.FileDescriptorProto],
) -> google.protobuf.descriptor_pool.DescriptorPool:
    """A pool with these files, each after those that it imports. Raises ValueError."""
    imports: dict[str, Iterable[str]] = {}
    waiting = list(files)
    while waiting:
        name = waiting.pop()
        file = files.get(name)
        if file is None:
            file = files[name] = _standard_file(name)
        imports[name] = file.dependency
        waiting += [each for each in file.dependency if each not in imports and each not in waiting]
    pool: google.protobuf.descriptor_pool.DescriptorPool = _protobuf("descriptor_pool").DescriptorPool()
    try:
        for name in graphlib.TopologicalSorter(imports).static_order():
            pool.AddSerializedFile(files[name].SerializeToString())
            pool.FindFileByName(name)
    except graphlib.CycleError as error:
        raise ValueError(f"files that import each other: {', '.join(error.args[1])}") from None
    except Exception as error:
        raise ValueError(f"{name}: {error}") from None
    return pool


def _find_standard(name: str) -> google.protobuf.descriptor.Descriptor | None:
    """A message type that protobuf brings, as an Any may hold without that a file of the user imports it."""
    package, _, short = name.rpartition(".")
    if package == "google.protobuf":
        for each in _STANDARD_NAMES:
            found: google.protobuf.descriptor.Descriptor | None
            found = _protobuf(f"{each}_pb2").DESCRIPTOR.message_types_by_name.get(short)
            if found is not None:
                return found
    return None


def _standard_file(name: str) -> google.protobuf.descriptor_pb2.FileDescriptorProto:
    """A file that protobuf brings. Raises ValueError for any other."""
    found = _STANDARD_FILE.fullmatch(name)
    if found is not None:
        try:
            octets = _protobuf(f"{found[1]}_pb2").DESCRIPTOR.serialized_pb
        except ModuleNotFoundError:
            pass
        else:
            file: google.protobuf.descriptor_pb2.FileDescriptorProto
            file = _protobuf("descriptor_pb2").FileDescriptorProto.FromString(octets)
            return file
    raise ValueError(f"{name} is imported and missing: write the set with protoc --include_imports, or buf build")


_BUILT_IN: dict[str, type[google.protobuf.message.Message]] = {}
_TEXT, _NUMBER, _OCTETS, _MESSAGE = 9, 5, 12, 11  # FieldDescriptorProto.Type
_BUILT_IN_FIELDS = {
    # google/rpc/status.proto of googleapis
    "google.rpc.Status": (("code", _NUMBER, False), ("message", _TEXT, False), ("details", _MESSAGE, True)),
    # The wrappers of Triple: dubbo.apache.org, "Triple protocol".
    "org.apache.dubbo.triple.TripleRequestWrapper": (
        ("serializeType", _TEXT, False),
        ("args", _OCTETS, True),
        ("argTypes", _TEXT, True),
    ),
    "org.apache.dubbo.triple.TripleResponseWrapper": (
        ("serializeType", _TEXT, False),
        ("data", _OCTETS, False),
        ("type", _TEXT, False),
    ),
}
"""Message types that are needed without the user's descriptors: the name of each field, its type, whether it is repeated; from 1 on."""


def _built_in(name: str) -> type[google.protobuf.message.Message]:
    found = _BUILT_IN.get(name)
    if found is None:
        descriptor_pb2 = _protobuf("descriptor_pb2")
        package, _, short = name.rpartition(".")
        file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=package, syntax="proto3")
        file.dependency.append("google/protobuf/any.proto")
        message = file.message_type.add(name=short)
        for number, (field, kind, repeated) in enumerate(_BUILT_IN_FIELDS[name], 1):
            added = message.field.add(name=field, number=number, type=kind, label=3 if repeated else 1)
            if kind == _MESSAGE:
                added.type_name = f".{_ANY}"
        found = _BUILT_IN[name] = _message_class(_new_pool({file.name: file}).FindMessageTypeByName(name))
    return found
