"""Answers: read by their request, what became of it by the error codes, wherever they stand."""

from __future__ import annotations

from typing import Final, final

from librt.strings import read_i16_be, read_i32_be
from mypy_extensions import i64, mypyc_attr

from l7codecs import Kind, ProtocolError, Sender, Status
from l7codecs.message import AttrValue, Flow

from .._meaning.errors import error_name, error_status, worst_status
from .._meaning.members import are_consumers
from .._meaning.naming import TopicKey, topic_names
from .._meaning.outcome import Result, error_codes, results_of
from .._meaning.topics import Topics
from .._schema.codes import codes
from .._schema.layouts import KEY_TYPE
from .._schema.walk import pick
from .apis import (
    API_VERSIONS,
    FIND_COORDINATOR,
    SHARE_ACKNOWLEDGE,
    SHARE_FETCH,
    Form,
    form_of,
)
from .header import ANSWER, skip_tags
from .messages import NOT_KNOWN, KafkaMessage
from .requests import KafkaRequest

__all__ = ["KafkaResponse", "is_refused"]

UNSUPPORTED_VERSION: Final = 35
"""The error of ApiVersions in a version that the broker does not have; the answer is one of version 0."""
_STATUS_OK: Final = Status.OK
_STATUS_UNKNOWN: Final = Status.UNKNOWN


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class KafkaResponse(KafkaMessage):
    """One answer. What it is, its request says: without that, its correlation id is all that is known, and its status is UNKNOWN."""

    def __init__(
        self,
        flow: Flow,
        sender: Sender,
        kind: Kind,
        offset: i64,
        octets: bytes,
        start: i64,
        stop: i64,
        more: bool,
        correlation: i64,
        reached: i64,
    ) -> None:
        self.flow = flow
        self.sender = sender
        self.kind = kind
        self.offset = offset
        self.octets = octets
        self.start = start
        self.stop = stop
        self._request = None
        self._attributes = None
        self._referred = False
        self.settled = False
        self.declared_size = -1
        self.kept = stop - start
        self.more = more
        self.api_key = NOT_KNOWN
        self.version = NOT_KNOWN
        self.body_version = NOT_KNOWN
        self.body = -1
        self._operation = None
        self._form = None
        self.correlation = correlation
        self.reached = reached
        self._codes: list[int] | None = None
        self._known_codes: list[int] | None = None
        self._broken = False
        self.ending = None

    def answers(self, request: KafkaRequest) -> None:
        """It answers `request`, by whose key and version it is read."""
        self.request = request
        self.read_as(request.form)

    def read_as(self, form: Form) -> None:
        """Its body is that of an answer to requests of this key and version."""
        self.api_key = form.key
        self.version = form.version
        self.body_version = form.version
        self._operation = form.name
        self._form = form
        body = self.start + ANSWER
        if form.key == API_VERSIONS:
            if form.version != 0 and is_refused(self.octets, body, self.stop, self.stop):
                self.body_version = 0
                self._form = form_of(API_VERSIONS, 0)
        elif form.flexible:
            if body < self.stop and self.octets[body] == 0:
                body += 1
            else:
                body = skip_tags(self.octets, body, self.stop)
        self.body = body

    @property
    def codes(self) -> list[int]:
        """Every error code in it, in the order of the wire; of a message with ``more`` those that have come."""
        ending = self.ending
        if ending is not None and ending.codes is not None:
            return ending.codes
        found = self._codes
        if found is None:
            found = []
            known = self.layout
            if known is not None:
                try:
                    found = error_codes(known, self.octets, self.body, self.stop, self.more)
                except ProtocolError:
                    pass
            self._codes = found
        return found

    def _distinct(self) -> list[int]:
        """Every distinct error code, sorted."""
        ending = self.ending
        if ending is not None and ending.codes is not None:
            return sorted(set(ending.codes))
        found = self._known_codes
        if found is None:
            found = []
            known = self.layout
            if known is None:
                self._broken = True
            else:
                try:
                    found = codes(known, self.octets, self.body, self.stop, self.more)
                except ProtocolError:
                    self._broken = True
            self._known_codes = found
        return found

    @property
    def error_codes(self) -> tuple[int, ...]:
        """Every distinct error code in it, sorted."""
        return tuple(self._distinct())

    @property
    def failed(self) -> bool:
        """Whether an error code in it is not 0."""
        found = self._distinct()
        return len(found) > 1 or (len(found) == 1 and found[0] != 0)

    @property
    def status(self) -> Status | None:
        """The worst outcome in it; UNKNOWN where it cannot be read. None while a message streams whose head has no failure."""
        if self.failed:
            found = self._distinct()
            return error_status(found[0]) if len(found) == 1 else worst_status(self.codes)
        if self._broken:
            return _STATUS_UNKNOWN
        if self.more:
            ending = self.ending
            if ending is None:
                return None
            return _STATUS_OK if ending.codes is not None else _STATUS_UNKNOWN
        return _STATUS_OK

    @property
    def body_status(self) -> Status | None:
        return self.status if self.more else None

    @property
    def error(self) -> str | None:
        """The name of the first error code that is not 0: ``NOT_LEADER_OR_FOLLOWER``."""
        if self.failed:
            for code in self.codes:
                if code != 0:
                    return error_name(code)
        return None

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """The topics that it names; where it names none, those of its request."""
        return topic_names(self.keys(), self.flow, self.reached)

    def keys(self) -> list[TopicKey]:
        """The topics that it names; where it names none, those of its request."""
        own = self.own_topics()
        request = self.request
        return own if own or not isinstance(request, KafkaRequest) else request.keys()

    @property
    def key_type(self) -> int:
        request = self.request
        if self.api_key != FIND_COORDINATOR or not isinstance(request, KafkaRequest):
            return 0
        found = request.layout
        if found is None:
            return 0
        try:
            kinds = pick(found, request.octets, request.body, request.stop, KEY_TYPE, partial=request.more)
        except ProtocolError:
            return 0
        return kinds.number(0) if len(kinds) > 0 else 0

    @property
    def of_consumers(self) -> bool:
        request = self.request
        found = request.layout if isinstance(request, KafkaRequest) else None
        if found is None or request is None or not isinstance(request, KafkaRequest):
            return True
        return are_consumers(found, request.octets, request.body, request.stop, request.more)

    @property
    def names_leaders(self) -> bool:
        if self.api_key != SHARE_FETCH and self.api_key != SHARE_ACKNOWLEDGE:
            return True
        return self.error is not None

    def results(self) -> list[Result]:
        """What became of each item: every struct with an error code, in the order of the wire.

        Raises:
            ProtocolError: as `fields`.
        """
        found = self.layout
        body = self.fields()
        assert found is not None
        topics = self.topics or Topics()
        return [
            Result(
                topics.name(topic, self.reached)
                if isinstance(topic, bytes)
                else topic
                if isinstance(topic, str)
                else None,
                partition,
                code,
                fields,
            )
            for topic, partition, code, fields in results_of(found, body)
        ]

    def shortened(self, size: int) -> None:
        """None: nobody waits for what answers it."""

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        self.collect_names(attributes, self.keys())
        request = self.request
        if isinstance(request, KafkaRequest) and request.client_id is not None:
            attributes["messaging.client.id"] = request.client_id
        self.collect_body(attributes)
        found = self.error_codes
        if found:
            attributes["kafka.error_codes"] = found
        error = self.error
        if error is not None:
            attributes["error.type"] = error


def is_refused(octets: bytes, body: i64, end: i64, stop: i64) -> bool:
    """Whether an answer to ApiVersions is one of version 0 that refuses the version: error 35, and entries of three numbers up to `stop`.

    There are octets up to `end`.
    """
    if body + 6 > end or read_i16_be(octets, body) != UNSUPPORTED_VERSION:
        return False
    return body + 6 + 6 * i64(read_i32_be(octets, body + 2)) == stop
