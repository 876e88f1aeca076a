"""What a command can be answered with is evidence after loss, so it has to be so: real servers are asked, in both versions of RESP."""

from __future__ import annotations

from l7codecs_redis._reply import RedisReply
from l7codecs_redis._request import RedisRequest
from l7codecs_redis._shapes import _SHAPES, can_answer
from l7codecs_redis._state import _find

from .conftest import PROTOCOLS, Room
from .observing import ErrorText

ASKED = """
    SET k v; SET k v GET; SET k v NX; SET k v XX; SETEX k 100 v; PSETEX k 100000 v; SETNX k v; SETNX n v; GET k; GET none; GETSET k
    w; GETDEL n; GETEX k; GETEX none; APPEND k x; STRLEN k; SETRANGE k 1 zz; GETRANGE k 0 1; GETRANGE none 0 1; SUBSTR k 0 1; MSET a
    1 b 2; MSETNX c 1; MGET a none; INCR a; DECR a; INCRBY a 2; DECRBY a 2; INCRBYFLOAT a 1.5; SETBIT bits 3 1; GETBIT bits 3;
    BITCOUNT bits; BITPOS bits 1; BITOP NOT other bits; EXISTS k; DEL c; UNLINK none; TOUCH k; EXPIRE k 100; EXPIREAT k 9999999999;
    PEXPIRE k 100000; PEXPIREAT k 9999999999999; TTL k; PTTL k; PERSIST k; TYPE k; TYPE none; RENAME k r; RENAMENX r k; COPY k kk;
    RANDOMKEY; KEYS *; DBSIZE; OBJECT ENCODING k; OBJECT ENCODING none; DUMP k; DUMP none; HSET h f v g w; HSETNX h i 1; HMSET h j
    1; HGET h f; HGET h none; HMGET h f none; HGETALL h; HGETALL none; HKEYS h; HVALS h; HLEN h; HEXISTS h f; HSTRLEN h f; HINCRBY h
    j 1; HINCRBYFLOAT h j 1.5; HDEL h g; HRANDFIELD h; HRANDFIELD none; HRANDFIELD h 2; HRANDFIELD h 2 WITHVALUES; LPUSH l a b c d
    e; RPUSH l z; LPUSHX l y; RPUSHX none y; LLEN l; LRANGE l 0 -1; LRANGE none 0 -1; LINDEX l 0; LINDEX l 99; LINSERT l BEFORE a q;
    LSET l 0 p; LREM l 1 q; LTRIM l 0 9; LPOS l a; LPOS l none; LPOS l a COUNT 1; LPOP l; LPOP l 2; LPOP none; LPOP none 2; RPOP l;
    RPOP l 1; RPOPLPUSH l m; RPOPLPUSH none m; LMOVE m l LEFT RIGHT; LMOVE none l LEFT RIGHT; SADD s 1 2 3 4; SREM s 4; SCARD s;
    SISMEMBER s 1; SMISMEMBER s 1 9; SMEMBERS s; SMEMBERS none; SRANDMEMBER s; SRANDMEMBER s 2; SRANDMEMBER none; SPOP s; SPOP s 1;
    SPOP none; SPOP none 2; SADD t 1 9; SMOVE t s 9; SINTER s t; SUNION s t; SDIFF s t; SINTERSTORE u s t; SUNIONSTORE u s t;
    SDIFFSTORE u s t; ZADD z 1 a 2 b; ZADD z INCR 1 a; ZADD z NX INCR 1 a; ZSCORE z a; ZSCORE z none; ZMSCORE z a none; ZINCRBY z 1
    a; ZCARD z; ZCOUNT z 0 9; ZLEXCOUNT z - +; ZRANK z a; ZRANK z none; ZREVRANK z a; ZRANGE z 0 -1; ZRANGE z 0 -1 WITHSCORES;
    ZREVRANGE z 0 -1; ZRANGEBYSCORE z 0 9; ZREVRANGEBYSCORE z 9 0; ZREM z b; ZREMRANGEBYRANK z 5 6; ZREMRANGEBYSCORE z 50 60; GEOADD
    g 1 2 p; GEOPOS g p none; PFADD p a; PFCOUNT p; PFMERGE q p; XADD x 1-1 f v; XADD none2 NOMKSTREAM 1-1 f v; XLEN x; XRANGE x -
    +; XREVRANGE x + -; XREAD COUNT 1 STREAMS x 0; XREAD STREAMS x $; XGROUP CREATE x grp 0; XREADGROUP GROUP grp c STREAMS x >;
    XREADGROUP GROUP grp c STREAMS x >; XACK x grp 1-1; XDEL x 1-1; XTRIM x MAXLEN 0; PUBLISH c m; ECHO hi; PING; PING hi; TIME;
    INFO server; CONFIG GET maxmemory; CONFIG SET maxmemory 0; CONFIG RESETSTAT; CLIENT SETNAME n; SELECT 0; SCRIPT LOAD return;
    SCRIPT LOAD x=1; SCRIPT FLUSH; WATCH k; UNWATCH; MULTI; SET k v; GET k; EXEC; MULTI; DISCARD; WATCH k; SWAPDB 0 1; SWAPDB 0 1;
    MULTI; GET k; EXEC; SAVE; BGREWRITEAOF; MOVE k 1; FLUSHDB; FLUSHALL
"""
RARE = {
    "ASKING", "AUTH", "BGREWRITEAOF", "BGSAVE", "CLIENT SETINFO", "HELLO", "READONLY", "READWRITE", "RESTORE",
}  # fmt: skip
"""What needs another server, a password, or that nothing is saved just now; HELLO is asked first in RESP3, and the vectors have it."""


@PROTOCOLS
def test_answers_are_such_as_their_commands_can_have(room: Room, protocol: int) -> None:
    client = room.raw()
    if protocol == 3:
        client.ask(b"HELLO", b"3")
    for line in ASKED.split(";"):
        client.ask(*line.encode().split())
    conversation = room.hear(client)
    seen = set()
    for reply, value in zip(conversation.responses, conversation.values(conversation.responses), strict=True):
        request = reply.request
        assert isinstance(reply, RedisReply) and isinstance(request, RedisRequest)
        assert can_answer(reply, request), f"{request!r}: {reply.raw!r}"
        if not isinstance(value, ErrorText):
            seen.add(request.operation)
    assert set(_SHAPES) - seen <= RARE


def test_what_is_listed_is_a_command() -> None:
    assert [name for name in _SHAPES if _find(name) is None] == []
