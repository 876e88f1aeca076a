"""Requests: the client id, the topics, why what follows has to stay on the connection, and whether the answer waits."""

from __future__ import annotations

from typing import final

from librt.strings import read_i32_be
from mypy_extensions import i64, mypyc_attr

from l7codecs import Kind, ProtocolError, Sender
from l7codecs.message import AttrValue, Flow

from .._meaning.access import access_of
from .._meaning.naming import TopicKey, has_topics, topic_keys, topic_names
from .._meaning.sessions import SessionTopics
from .._schema.layouts import MAX_WAIT_MS, TRANSACTIONAL_ID, Layout
from .._schema.walk import pick
from .apis import (
    FETCH,
    JOIN_GROUP,
    SASL_AUTHENTICATE,
    SASL_HANDSHAKE,
    SHARE_ACKNOWLEDGE,
    SHARE_FETCH,
    SYNC_GROUP,
    Form,
)
from .messages import KafkaMessage

__all__ = ["KafkaRequest"]


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class KafkaRequest(KafkaMessage):
    """One request."""

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
        form: Form,
        correlation: i64,
        client_id: str | None,
        client_start: i64,
        client_stop: i64,
        body: i64,
        reached: i64,
    ) -> None:
        """The client id is ``octets[client_start:client_stop]``; null where `client_start` is -1."""
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
        self.api_key = form.key
        self.version = form.version
        self.body_version = form.version
        self._operation = form.name
        self._form = form
        self.body = body
        self.correlation = correlation
        self.reached = reached
        self._client_start = client_start
        self._client_stop = client_stop
        self._client_id = client_id
        self.ending = None
        self.session_topics: SessionTopics | None = None
        """The topics of the fetch session or share session that it continues; None: of none that is known."""

    @property
    def client_id(self) -> str | None:
        """The client id of the header; None where it is null."""
        return self._client_id

    @property
    def form(self) -> Form:
        """What is known of its key and version."""
        form = self._form
        assert form is not None
        return form

    @property
    def client_place(self) -> tuple[int, int]:
        """Where in ``octets`` the client id stands; the first is -1 where it is null, the second where there is none."""
        return self._client_start, self._client_stop

    @property
    def resources(self) -> tuple[str | bytes, ...]:
        """All topics, by name where that is known, else by id; of a message of a fetch or share session, those of the session.

        Of one that streams those in its head, until its end has come: see `more_topics`.
        """
        if self.session_topics is not None or self.more:
            return topic_names(self.keys(), self.flow, self.reached)
        if self.body < 0:
            return ()
        form = self._form
        found = None if form is None else form.request
        if found is None or not has_topics(found):
            return ()
        try:
            keys = topic_keys(found, self.octets, self.body, self.stop, False)
        except ProtocolError:
            return ()
        return topic_names(keys, self.flow, self.reached)

    def keys(self) -> list[TopicKey]:
        """The topics that it names, and those of the session that it continues."""
        own = self.own_topics()
        if self.session_topics is None:
            return own
        keys = dict.fromkeys(own)
        keys.update(self.session_topics.keys())
        return list(keys)

    @property
    def pins(self) -> str | None:
        """``authentication``, ``transaction``, ``share session``: why what follows has to stay on this connection."""
        key = self.api_key
        if key == SASL_HANDSHAKE or key == SASL_AUTHENTICATE:
            return "authentication"
        if key == SHARE_FETCH or key == SHARE_ACKNOWLEDGE:
            return "share session"
        found = self.layout
        if found is None or found.has & TRANSACTIONAL_ID == 0 or access_of(key) == "admin":
            return None
        try:
            ids = pick(found, self.octets, self.body, self.stop, TRANSACTIONAL_ID, partial=self.more)
        except ProtocolError:
            return None
        for at in range(len(ids)):
            if ids.starts(at) >= 0:
                return "transaction"
        return None

    @property
    def blocks(self) -> bool:
        """Whether the answer waits for records, or for other members of a group."""
        key = self.api_key
        if key == JOIN_GROUP or key == SYNC_GROUP:
            return True
        if (key != FETCH and key != SHARE_FETCH) or self.body < 0:
            return False
        found = self.layout
        if found is None:
            return False
        try:
            wait, least = _waits(found, self.octets, self.body, self.stop)
        except ProtocolError:
            return False
        return wait > 0 and least > 0

    def shortened(self, size: int) -> KafkaRequest:
        octets = self.octets[self.start : self.start + size]
        stop = len(octets)
        client_id, client_start = self._client_id, i64(-1)
        if self._client_stop - self.start > stop:
            client_id = None  # it would be more than is kept
        elif self._client_start >= 0:
            client_start = self._client_start - self.start
        body = self.body - self.start if 0 <= self.body - self.start <= stop else -1
        short = KafkaRequest(
            self.flow, self.sender, self.kind, self.offset, octets, 0, stop, True, self.form, self.correlation,
            client_id, client_start, self._client_stop - self.start, body, self.reached,
        )  # fmt: skip
        short.session_topics = self.session_topics
        short.ending = self.ending
        short.declared_size = self.stop - self.start if self.size is None else i64(self.size)
        return short

    def moved(self) -> None:
        if self._client_start >= 0:
            self._client_start -= self.start
            self._client_stop -= self.start
        super().moved()

    def collect(self, attributes: dict[str, AttrValue]) -> None:
        self.collect_names(attributes, self.keys())
        client_id = self.client_id
        if client_id is not None:
            attributes["messaging.client.id"] = client_id
        self.collect_body(attributes)
        attributes["l7.access"] = access_of(self.api_key)
        why = self.pins
        if why is not None:
            attributes["l7.pins"] = why
        if self.blocks:
            attributes["l7.blocks"] = True
        if "kafka.replica_id" in attributes:
            attributes["kafka.internal"] = True


def _waits(found: Layout, octets: bytes, body: i64, stop: i64) -> tuple[int, int]:
    """How long a Fetch or ShareFetch waits, in ms, and for how many octets."""
    waiting = pick(found, octets, body, stop, MAX_WAIT_MS, partial=True)
    if len(waiting) == 0:
        return 0, 0
    behind = waiting.ends(0)
    if behind + 4 > stop:
        return 0, 0
    return waiting.number(0), i64(read_i32_be(octets, behind))
