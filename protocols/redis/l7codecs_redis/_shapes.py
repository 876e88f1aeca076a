"""What an answer looks like, and which answers a command can have, as far as it is certain: evidence of what belongs to what after loss.

An error can answer anything, and QUEUED any command, since MULTI may not have been seen; of commands that are not listed here nothing is
said. What is listed holds for redis-server 6.2 to 8.10 in RESP2 and RESP3 ("Redis commands reference", redis.io).
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from l7codecs.pairing.alignment import ANY_SHAPE

from ._reply import BULK_ERROR, ERROR, RedisReply
from ._request import RedisRequest
from ._resp import CR, STAR
from ._state import PING

__all__ = ["can_answer", "shape_of", "shapes_of"]

_OK: Final[i64] = 0
_STATUS: Final[i64] = 1
_QUEUED: Final[i64] = 2
_PONG: Final[i64] = 3
_INTEGER: Final[i64] = 4
_STRING: Final[i64] = 5
_NULL: Final[i64] = 6
_ARRAY: Final[i64] = 7
_MAP: Final[i64] = 8
_SET: Final[i64] = 9
_DOUBLE: Final[i64] = 10
_OTHER: Final[i64] = 11

_OF_TYPE: Final[dict[int, int]] = {
    0x3A: 4,
    0x24: 5,
    0x5F: 6,
    0x2A: 7,
    0x25: 8,
    0x7E: 9,
    0x2C: 10,
}
_ALL: Final = 0xFFF
_LETTERS: Final = "osqpi$_*%~,?"
"""One for each shape, in their order."""

_ANSWERS: Final[dict[str, str]] = {
    "o": """
        ASKING,AUTH,CLIENT SETINFO,CLIENT SETNAME,CONFIG RESETSTAT,CONFIG SET,DISCARD,FLUSHALL,FLUSHDB,HMSET,LSET,LTRIM,MSET,MULTI,PFMERGE,
        PSETEX,READONLY,READWRITE,RENAME,RESTORE,SCRIPT FLUSH,SELECT,SETEX,SWAPDB,UNWATCH,WATCH,XGROUP CREATE
    """,
    "i": """
        APPEND,BITCOUNT,BITOP,BITPOS,COPY,DBSIZE,DECR,DECRBY,DEL,EXISTS,EXPIRE,EXPIREAT,GEOADD,GETBIT,HDEL,HEXISTS,HINCRBY,HLEN,HSET,
        HSETNX,HSTRLEN,INCR,INCRBY,LINSERT,LLEN,LPUSH,LPUSHX,LREM,MOVE,MSETNX,PERSIST,PEXPIRE,PEXPIREAT,PFADD,PFCOUNT,PTTL,PUBLISH,
        RENAMENX,RPUSH,RPUSHX,SADD,SCARD,SDIFFSTORE,SETBIT,SETNX,SETRANGE,SINTERSTORE,SISMEMBER,SMOVE,SREM,STRLEN,SUNIONSTORE,TOUCH,TTL,
        UNLINK,XACK,XDEL,XLEN,XTRIM,ZCARD,ZCOUNT,ZLEXCOUNT,ZREM,ZREMRANGEBYRANK,ZREMRANGEBYSCORE
    """,
    "$": "ECHO,GETRANGE,HINCRBYFLOAT,INCRBYFLOAT,SCRIPT LOAD,SUBSTR",
    "$_": "DUMP,GET,GETDEL,GETEX,GETSET,HGET,LINDEX,LMOVE,OBJECT ENCODING,RANDOMKEY,RPOPLPUSH,XADD",
    "$_o": "SET",
    "$_*": "LPOP,RPOP",
    "$_*~": "HRANDFIELD,SPOP,SRANDMEMBER",
    "$_,": "ZSCORE,ZINCRBY",
    "i$_,": "ZADD",
    "i_*": "LPOS,ZRANK,ZREVRANK",
    "$?": "INFO",
    "os": "BGREWRITEAOF,BGSAVE,SAVE,TYPE",
    "*": "GEOPOS,HMGET,KEYS,LRANGE,MGET,SMISMEMBER,TIME,XRANGE,XREVRANGE,ZMSCORE,ZRANGE,ZRANGEBYSCORE,ZREVRANGE,ZREVRANGEBYSCORE",
    "*~": "HKEYS,HVALS,SDIFF,SINTER,SMEMBERS,SUNION",
    "*%": "CONFIG GET,HELLO,HGETALL",
    "*_": "EXEC",
    "*%_": "XREAD,XREADGROUP",
}


def _numbers(letters: str) -> int:
    found = 0
    for letter in letters + "q":
        found |= 1 << _LETTERS.index(letter)
    return found


_SHAPES: Final[dict[str, int]] = {
    name.strip(): _numbers(letters) for letters, names in _ANSWERS.items() for name in names.split(",")
}
_ONLY_OK: Final = _numbers("o")
_ONLY_QUEUED: Final = _numbers("")
_PING: Final = _numbers("p*")
_PING_MESSAGE: Final = _numbers("$*")


def shapes_of(request: RedisRequest, queued: bool) -> i64:
    """The shapes in which `request` can be answered, a bit for each; `queued` says that a MULTI is open that was seen."""
    if queued:
        return _ONLY_QUEUED
    spec = request.spec
    if spec.name == "SET" and _count(request) == 3:
        return _ONLY_OK
    if spec.effect == PING:
        return _PING if _count(request) == 1 else _PING_MESSAGE
    return _SHAPES.get(spec.name, _ALL)


def _count(request: RedisRequest) -> i64:
    """How many arguments there are, without cutting them out."""
    octets = request.octets
    at = request.start
    if octets[at] != STAR:
        return request.argument_count
    count: i64 = 0
    at += 1
    while octets[at] != CR:
        count = count * 10 + octets[at] - 0x30
        at += 1
    return count


def shape_of(reply: RedisReply) -> i64:
    """The number of the shape of `reply`; `ANY_SHAPE` of an error."""
    kind = reply.type
    if kind == ERROR or kind == BULK_ERROR:
        return ANY_SHAPE
    octets = reply.octets
    at = reply.item
    if kind == 0x2B:
        text = octets[at : min(reply.stop, at + 10)]
        if text == b"+OK\r\n":
            return _OK
        if text == b"+QUEUED\r\n":
            return _QUEUED
        return _PONG if text == b"+PONG\r\n" else _STATUS
    if (kind == 0x24 or kind == 0x2A) and octets[at + 1] == 0x2D:
        return _NULL
    return _OF_TYPE.get(int(kind), 11)


def can_answer(reply: RedisReply, request: RedisRequest) -> bool:
    """Whether nothing speaks against `reply` as the answer to `request`."""
    shape = shape_of(reply)
    return shape < 0 or shape == _QUEUED or (shapes_of(request, False) >> shape) & 1 != 0
