"""What both directions of a connection share, beside the requests that wait: tokens of SASL, and the sessions of its consumers.

SaslHandshake v0 ──▶ PLAIN      what the client says next are bare tokens, without a header: as many as the mechanism has, or, where
                                that is not fixed, as long as they are no requests; each is answered by one, before anything else is
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from librt.strings import read_i16_be, read_i32_be, read_i64_be
from mypy_extensions import i64

from l7codecs import Limits, ProtocolError

from .._meaning.sessions import FINAL_EPOCH, Sessions, SessionTopics
from .._schema.layouts import GROUP, MEMBER_ID, SESSION_EPOCH, TOPIC, TOPIC_ID
from .._schema.walk import pick
from .apis import FETCH, SHARE_ACKNOWLEDGE, SHARE_FETCH
from .messages import KafkaToken
from .requests import KafkaRequest
from .responses import KafkaResponse

__all__ = ["ANY_TOKENS", "ConnectionState"]

ANY_TOKENS: Final[i64] = 1 << 40
"""Of a mechanism whose number of tokens is not fixed."""
_TOKENS: Final[dict[str, int]] = {"PLAIN": 1, "SCRAM-SHA-256": 2, "SCRAM-SHA-512": 2, "OAUTHBEARER": 1}
"""Tokens of the client, until it is authenticated."""
_LONG_ID: Final = 1024
"""Octets of the longest client id that is remembered."""
_FIRST_SESSION: Final[i64] = 7
"""The version of Fetch from which on it has sessions."""
_SESSION_ERRORS: Final = frozenset((70, 71, 106, 122, 123, 133))
"""A session that the broker does not know, or not in this epoch."""


@final
class ConnectionState:
    """One connection."""

    def __init__(self, limits: Limits) -> None:
        self.tokens: i64 = 0
        """Bare tokens that the client has still to send; `ANY_TOKENS` where that is not fixed."""
        self.sent_tokens: deque[KafkaToken] | None = None
        """Of an endpoint: tokens that were sent, and wait for their answer."""
        self._client_octets = b""
        self._client_id = ""
        """The client id of the latest request that has one, as octets and as text: it is nearly always that of the next."""
        self._limits = limits
        self._sessions: Sessions | None = None

    def lose(self) -> None:
        """Octets were lost: what comes next is no token for certain, and sessions may have changed."""
        self.tokens = 0
        self._sessions = None

    def shake_hands(self, mechanism: str) -> None:
        """SaslHandshake v0 has named its mechanism: bare tokens come next."""
        self.tokens = _TOKENS.get(mechanism, ANY_TOKENS)

    @property
    def sessions(self) -> Sessions:
        """The fetch and share sessions."""
        found = self._sessions
        if found is None:
            found = Sessions(self._limits.shared)
            self._sessions = found
        return found

    def client_id(self, octets: bytes, start: i64, stop: i64) -> str:
        """The client id ``octets[start:stop]`` as text."""
        last = self._client_octets
        size: i64 = len(last)
        if stop - start == size:
            at: i64 = 0
            while at + 8 <= size and read_i64_be(octets, start + at) == read_i64_be(last, at):
                at += 8
            while at < size and octets[start + at] == last[at]:
                at += 1
            if at == size:
                return self._client_id
        last = octets[start:stop]
        try:
            found = last.decode("utf-8")
        except UnicodeDecodeError:
            found = last.decode("utf-8", "replace")
        if len(last) <= _LONG_ID:
            self._client_octets = last
            self._client_id = found
        return found

    # Requests.

    def ask(self, request: KafkaRequest) -> None:
        """A Fetch, ShareFetch or ShareAcknowledge was received: follow its session, and tell it the topics."""
        try:
            if request.api_key == FETCH:
                if request.version >= _FIRST_SESSION:
                    self._ask_fetch(request)
            else:
                self._ask_share(request)
        except ProtocolError:
            pass  # a body that cannot be read names nothing

    def _ask_fetch(self, request: KafkaRequest) -> None:
        at = session_place(request)
        if at < 0:
            return
        number = i64(read_i32_be(request.octets, at))
        epoch = i64(read_i32_be(request.octets, at + 4))
        if number == 0 or epoch == 0:
            if number != 0 and self._sessions is not None:
                self._sessions.drop(int(number))
            return
        sessions = self._sessions
        if sessions is None:
            return
        request.session_topics = self._continue(request, int(number))
        if epoch == FINAL_EPOCH:
            sessions.drop(int(number))

    def _ask_share(self, request: KafkaRequest) -> None:
        found = request.layout
        if found is None:
            return
        head = pick(found, request.octets, request.body, request.stop, GROUP | MEMBER_ID | SESSION_EPOCH, partial=True)
        if len(head) < 3:
            return
        key = (head.text(0), head.text(1))
        epoch = head.number(2)
        if epoch == 0:
            if not request.more:
                self.sessions.begin(key, request.fields())
            return
        if self._sessions is None:
            return
        topics = self._continue(request, key)
        if request.api_key == SHARE_FETCH or not request.own_topics():
            request.session_topics = topics
        if epoch == FINAL_EPOCH:
            self._sessions.drop(key)

    def _continue(self, request: KafkaRequest, key: int | tuple[str, str]) -> SessionTopics | None:
        """The topics of a session behind what `request` changes of it."""
        found = request.layout
        if found is None:
            return None
        named = pick(found, request.octets, request.body, request.stop, TOPIC | TOPIC_ID, partial=request.more)
        if len(named) == 0:
            return self.sessions.topics(key)
        if request.more:
            self.sessions.drop(key)  # what is not in the head is not known
            return None
        return self.sessions.change(key, request.fields())

    # Answers.

    def answered(self, request: KafkaRequest, answer: KafkaResponse) -> None:
        """A Fetch, ShareFetch or ShareAcknowledge is answered."""
        body = answer.body
        if body < 0 or body + 10 > answer.stop:
            return
        # Throttle time, error code, and of Fetch the session's number.
        code = i64(read_i16_be(answer.octets, body + 4))
        try:
            if request.api_key != FETCH:
                if code in _SESSION_ERRORS and self._sessions is not None:
                    self._drop_share(request)
                return
            if request.version < _FIRST_SESSION:
                return
            at = session_place(request)
            if at < 0:
                return
            asked = i64(read_i32_be(request.octets, at))
            epoch = i64(read_i32_be(request.octets, at + 4))
            given = i64(read_i32_be(answer.octets, body + 6))
            if code in _SESSION_ERRORS:
                if self._sessions is not None:
                    self._sessions.drop(int(asked))
            elif epoch == 0 and given != 0 and code == 0 and not request.more:
                self.sessions.begin(int(given), request.fields())
        except ProtocolError:
            pass

    def _drop_share(self, request: KafkaRequest) -> None:
        found = request.layout
        if found is not None:
            head = pick(found, request.octets, request.body, request.stop, GROUP | MEMBER_ID, partial=True)
            if len(head) >= 2:
                self.sessions.drop((head.text(0), head.text(1)))


def session_place(request: KafkaRequest) -> i64:
    """Where in a Fetch the number and the epoch of its session stand; -1 where they do not.

    They are behind replica (up to version 14), longest wait, least and most octets (32 bits each), and the isolation level (8 bits).
    """
    if request.body < 0:
        return -1
    at = request.body + (13 if request.version >= 15 else 17)
    return at if at + 8 <= request.stop else i64(-1)


def continues_a_session(key: i64) -> bool:
    """Whether requests of this key belong to sessions."""
    return key == FETCH or key == SHARE_FETCH or key == SHARE_ACKNOWLEDGE
