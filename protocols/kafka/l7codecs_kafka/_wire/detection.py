"""Is this Kafka? The client's first request tells: a broker never speaks first.

Strict where the decoders are lenient: a key and a version that the table has, a client id that is null or printable text, a correlation id
that is not negative, and a body that the table reads to the end of the frame, or as far as the first octets go. A connection may begin
with any request: that of a consumer begins with Fetch, ListOffsets or FindCoordinator with some clients.

A version of ApiVersions that the table does not have yet is Kafka, too, where its header is right: a newer client begins so.
"""

from __future__ import annotations

from typing import Final

from librt.strings import read_i16_be, read_i32_be
from mypy_extensions import i64

from l7codecs import Detection, Sender, Verdict

from .apis import API_VERSIONS, is_known
from .boundary import LOOK, NO, YES, is_text, weigh_request
from .header import CLIENT_ID, CORRELATION, KEY, VERSION

__all__ = ["detect"]

_NO: Final = Detection(Verdict.NO)
_MORE: Final = Detection(Verdict.MORE, 60, "the beginning of a request", Sender.CLIENT)
_LARGEST: Final[i64] = 100 << 20
"""``socket.request.max.bytes`` of a broker, as it is unless set."""
_NEWEST: Final[i64] = 127
"""No version of ApiVersions will be higher soon."""


def detect(client: bytes, server: bytes) -> Detection:
    """The verdict on the first octets of both directions, see `Protocol`."""
    have: i64 = len(client)
    if have == 0:
        return Detection(Verdict.MORE, 0 if server else 60, "", Sender.CLIENT)
    for at in range(min(have, 4)):
        if client[at] > (0x06, 0xFF, 0xFF, 0xFF)[at]:
            return _NO
    if have >= KEY and i64(read_i32_be(client, 0)) < CLIENT_ID + 2 - KEY:
        return _NO
    if have < CLIENT_ID + 2:
        return _begins(client, have)
    if i64(read_i32_be(client, CORRELATION)) < 0:
        return _NO
    key = i64(read_i16_be(client, KEY))
    version = i64(read_i16_be(client, VERSION))
    if key == API_VERSIONS and 0 <= version <= _NEWEST and not is_known(key, version):
        return _newer(client, have)
    verdict = weigh_request(client, 0, have, _LARGEST)
    if verdict == YES:
        return Detection(Verdict.YES, 80, "a request that Kafka's definitions read to its end")
    return _NO if verdict == NO else _MORE


def _begins(client: bytes, have: i64) -> Detection:
    """Fewer octets than a header has."""
    if have >= KEY + 2 and not is_known(i64(read_i16_be(client, KEY)), 0):
        if have < VERSION + 2 or not is_known(i64(read_i16_be(client, KEY)), i64(read_i16_be(client, VERSION))):
            return _NO
    if have > KEY and client[KEY] != 0:
        return _NO
    return _MORE


def _newer(client: bytes, have: i64) -> Detection:
    """ApiVersions in a version that is not known: its header, and a body that is no longer than two names and a few numbers."""
    size = i64(read_i32_be(client, 0))
    length = i64(read_i16_be(client, CLIENT_ID))
    body = CLIENT_ID + 2 + max(length, 0)
    if length < -1 or body > size + 4 or size > LOOK:
        return _NO
    if have < body:
        return _NO if not is_text(client, CLIENT_ID + 2, have) else _MORE
    if not is_text(client, CLIENT_ID + 2, body):
        return _NO
    return Detection(Verdict.YES, 60, "ApiVersions in a version newer than is known")
