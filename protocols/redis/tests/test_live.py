"""What redis-py says to a real server, seen from the wire: each command of its log in order, with its keys and its answer.

The keys are those that the server itself names (``COMMAND GETKEYS``); the answers are the values that redis-py's parser returned.
"""

from __future__ import annotations

from functools import partial

import pytest
import redis

from l7codecs import Data, Kind, Sender, Status, open_session
from l7codecs.testing import check_cuts

from .conftest import PROTOCOLS, Room, until
from .observing import Conversation, ErrorText, parse, say

NEW = (7,)

COMMANDS = """
SET user:42 Ada
GET user:42
GET missing
APPEND user:42 !
STRLEN user:42
SETEX short 100 x
PSETEX short 100000 x
SETNX short y
SETRANGE short 3 abc
GETRANGE short 0 -1
GETEX short PERSIST
GETDEL short
MSET a 1 b 2 c 3
MSETNX a 1 d 4
MGET a b missing c
INCR a
INCRBY a 5
INCRBYFLOAT a 0.5
DECRBY b 10
EXISTS a b missing
EXPIRE a 100
TTL a
PTTL missing
PERSIST a
TYPE a
RENAME c cc
COPY cc ccc
OBJECT ENCODING a
OBJECT REFCOUNT missing
TOUCH a b
UNLINK cc ccc
DEL d
RANDOMKEY
DBSIZE
KEYS user:*
SCAN 0 MATCH a* COUNT 10
HSET hash f1 v1 f2 v2
HGET hash f1
HMGET hash f1 f2 f3
HGETALL hash
HINCRBY hash n 7
HINCRBYFLOAT hash x 1.25
HKEYS hash
HVALS hash
HLEN hash
HSTRLEN hash f1
HEXISTS hash nope
HSCAN hash 0
HRANDFIELD hash 2 WITHVALUES
HDEL hash f1 nope
RPUSH list a b c d
LPUSH list z
LPUSHX nolist z
LRANGE list 0 -1
LINDEX list 99
LINSERT list BEFORE b aa
LSET list 0 y
LREM list 0 d
LPOS list b
LPOP list 2
RPOP list
LMOVE list other LEFT RIGHT
RPOPLPUSH list other
LTRIM list 0 10
LLEN other
SADD set1 a b c
SADD set2 b c d
SMEMBERS set1
SISMEMBER set1 a
SMISMEMBER set1 a q
SINTER set1 set2
SUNION set1 set2 missing
SDIFF set1 set2
SUNIONSTORE set3 set1 set2
SINTERSTORE set4 set1 set2
SDIFFSTORE set5 set1 set2
SMOVE set1 set2 a
SRANDMEMBER set3 2
SPOP set3
SCARD set3
SSCAN set3 0
ZADD z1 1 a 2.5 b 3 c
ZADD z1 GT CH 7 a
ZADD z2 1 b 1 c
ZSCORE z1 b
ZMSCORE z1 a nope
ZRANGE z1 0 -1 WITHSCORES
ZRANGEBYSCORE z1 -inf +inf LIMIT 0 2
ZREVRANGE z1 0 -1
ZRANGEBYLEX z2 - +
ZRANK z1 b
ZINCRBY z1 2 b
ZCOUNT z1 -inf (7
ZUNIONSTORE z3 2 z1 z2 WEIGHTS 1 2 AGGREGATE MAX
ZINTERSTORE z4 2 z1 z2
ZUNION 2 z1 z2 WITHSCORES
ZINTER 2 z1 z2
ZDIFF 2 z1 z2 WITHSCORES
ZDIFFSTORE z5 2 z1 z2
ZRANGESTORE z6 z1 0 1
ZPOPMIN z1
ZPOPMAX z1 2
ZRANDMEMBER z2 1
ZREM z2 b
ZSCAN z2 0
SETBIT bits 7 1
GETBIT bits 7
BITCOUNT bits
BITPOS bits 1
BITFIELD bits SET u8 0 255 INCRBY u8 0 10 GET u4 0
BITOP AND bits2 bits bits
PFADD hll a b c
PFCOUNT hll hll
PFMERGE hll2 hll
GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
GEOPOS geo Palermo nope
GEODIST geo Palermo Catania km
GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST
GEOSEARCHSTORE geo2 geo FROMMEMBER Palermo BYBOX 400 400 km
GEORADIUS geo 15 37 200 km
GEORADIUS geo 15 37 200 km STORE geo3
RPUSH nums 3 1 2
SORT nums
SORT nums BY w_* GET # GET v_* LIMIT 0 2 DESC
SORT nums DESC STORE sorted
XADD stream 1-1 f v
XADD stream 1-2 f v g w
XADD stream MAXLEN ~ 100 1-3 f v
XLEN stream
XRANGE stream - +
XREVRANGE stream + - COUNT 1
XREAD COUNT 2 STREAMS stream other 0 0
XGROUP CREATE stream group 0
XGROUP CREATE fresh group $ MKSTREAM
XREADGROUP GROUP group me COUNT 1 STREAMS stream >
XACK stream group 1-1
XPENDING stream group
XCLAIM stream group me 0 1-2
XAUTOCLAIM stream group me 0 0
XINFO STREAM stream
XINFO GROUPS stream
XDEL stream 1-1
XTRIM stream MAXLEN 1
EVAL return{KEYS[1],ARGV[1],1} 1 key arg
EVAL return{1,2,{3,'four'}} 0
EVAL return{ok='fine'} 2 k1 k2 v
EVALSHA ffffffffffffffffffffffffffffffffffffffff 1 key
SCRIPT LOAD return(1)
SCRIPT EXISTS ffffffffffffffffffffffffffffffffffffffff
CONFIG GET maxmemory
CLIENT SETNAME tester
CLIENT GETNAME
CLIENT ID
CLIENT LIST
CLIENT INFO
COMMAND COUNT
COMMAND INFO get nope
COMMAND GETKEYS mset a 1 b 2
MEMORY USAGE a
OBJECT FREQ a
SLOWLOG GET 1
LATENCY LATEST
ACL WHOAMI
ACL LIST
TIME
LASTSAVE
INFO server
PING
PING hello
ECHO hello
DEBUG OBJECT a
PUBLISH channel message
PUBSUB CHANNELS
PUBSUB NUMSUB channel
WAIT 0 10
MIGRATE 127.0.0.1 1 nokey 0 100
MIGRATE 127.0.0.1 1  0 100 COPY KEYS no1 no2
NOSUCHCOMMAND a b
nosuchcommand
GET
GET a b
CONFIG NOSUCH
INCR user:42
LPUSH user:42 x
HSET hash odd
EXPIRE a notanumber
SELECT 9999
XGROUP CREATE stream group 0
XREADGROUP GROUP nogroup me STREAMS stream >
BLPOP nolist1 nolist2 0.01
BRPOP list 1
BLMOVE nolist1 nolist2 LEFT RIGHT 0.01
BZPOPMIN z4 z5 1
SWAPDB 0 1
SWAPDB 0 1
FLUSHDB
FLUSHALL ASYNC
"""
NEWER = """
SET k v GET
SET k w NX GET
EXPIRETIME k
SINTERCARD 2 set1 set2 LIMIT 1
ZINTERCARD 2 z1 z2
LMPOP 2 l1 l2 LEFT
ZMPOP 2 z1 z2 MIN
BLMPOP 0.01 2 l1 l2 LEFT
LCS k k IDX
EVAL_RO return(redis.call('get',KEYS[1])) 1 k
SORT_RO nums
FUNCTION LIST
FCALL nofunction 1 k
COMMAND DOCS get
COMMAND GETKEYSANDFLAGS set k v
COMMAND LIST FILTERBY PATTERN xre*
ACL DRYRUN default get k
CLIENT NO-EVICT on
LATENCY HISTOGRAM set
SPUBLISH channel message
PUBSUB SHARDCHANNELS
XAUTOCLAIM stream group me 0 0 COUNT 1
CONFIG GET maxmemory appendonly
BITCOUNT bits 0 5 BIT
"""


@PROTOCOLS
def test_commands(room: Room, protocol: int) -> None:
    connection = room.connection(protocol)
    say(connection, *COMMANDS.strip().splitlines())
    if room.server.version >= NEW:
        say(connection, *NEWER.strip().splitlines())
    heard = room.hear(connection)
    heard.check(room.server.keys)
    assert len(heard.responses) >= 190
    by_line = {b" ".join(message.arguments).decode(): message for message in heard.requests if not message.more}
    assert by_line["ZUNIONSTORE z3 2 z1 z2 WEIGHTS 1 2 AGGREGATE MAX"].resources == (b"z3", b"z1", b"z2")
    assert by_line["XREAD COUNT 2 STREAMS stream other 0 0"].resources == (b"stream", b"other")
    assert by_line["SORT nums DESC STORE sorted"].resources == (b"nums", b"sorted")
    assert by_line["XGROUP CREATE stream group 0"].operation == "XGROUP CREATE"
    assert by_line["MIGRATE 127.0.0.1 1  0 100 COPY KEYS no1 no2"].resources == (b"no1", b"no2")
    assert by_line["EVAL return{ok='fine'} 2 k1 k2 v"].resources == (b"k1", b"k2")
    status = {
        b" ".join(message.request.arguments).decode(): (message.error, message.status) for message in heard.responses
    }
    assert status["GET user:42"] == (None, Status.OK)
    assert status["LPUSH user:42 x"] == ("WRONGTYPE", Status.FAILED_PRECONDITION)
    assert status["nosuchcommand"] == ("ERR", Status.UNIMPLEMENTED)
    assert status["GET a b"] == ("ERR", Status.INVALID_ARGUMENT)
    assert status["XGROUP CREATE stream group 0"] == ("BUSYGROUP", Status.ALREADY_EXISTS)
    assert status["XREADGROUP GROUP nogroup me STREAMS stream >"] == ("NOGROUP", Status.NOT_FOUND)
    assert status["EVALSHA ffffffffffffffffffffffffffffffffffffffff 1 key"] == ("NOSCRIPT", Status.NOT_FOUND)


@PROTOCOLS
def test_client_api(room: Room, protocol: int) -> None:
    client = room.client(protocol)
    client.set("name", "Ada", ex=100)
    client.hset("hash", mapping={"a": "1", "b": "2"})
    assert client.hgetall("hash") in ({b"a": b"1", b"b": b"2"}, {"a": "1", "b": "2"})
    client.zadd("board", {"ada": 1.5, "bob": 2})
    client.zrange("board", 0, -1, withscores=True)
    script = client.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
    assert script(keys=["counter"], args=[5]) == 5
    assert script(keys=["counter"], args=[5]) == 10
    client.xadd("stream", {"f": "v"})
    client.xread({"stream": "0"}, count=1)
    assert sorted(client.scan_iter("*")) == [b"board", b"counter", b"hash", b"name", b"stream"]
    client.set("copy", client.get("name"))
    client.restore("restored", 0, client.dump("hash"))
    lock = client.lock("lock", timeout=10)
    assert lock.acquire()
    lock.release()
    with pytest.raises(redis.ResponseError):
        client.incr("name")
    client.info()
    heard = room.hear(client)
    heard.check(room.server.keys)
    operations = [message.operation for message in heard.requests]
    assert {"SET", "HSET", "EVALSHA", "SCRIPT LOAD", "DUMP", "RESTORE", "SCAN", "INFO"} <= set(operations)


@PROTOCOLS
def test_pipelines(room: Room, protocol: int) -> None:
    client = room.client(protocol)
    for transaction in (False, True):
        pipeline = client.pipeline(transaction=transaction)
        for number in range(200):
            pipeline.set(f"key:{number}", number)
            pipeline.get(f"key:{number}")
            pipeline.hset("hash", f"f{number}", number)
        pipeline.lpush("key:1", "wrong type")
        pipeline.hgetall("hash")
        pipeline.ping()
        answers = pipeline.execute(raise_on_error=False)
        assert len(answers) == 603 and isinstance(answers[600], redis.ResponseError)
    heard = room.hear(client)
    heard.check(room.server.keys)
    opening = ("HELLO", "CLIENT SETINFO", "CLIENT MAINT_NOTIFICATIONS")
    asked = [message for message in heard.requests if message.operation not in opening]
    batch = [message.attributes.get("db.operation.batch.size") for message in asked if message.operation == "EXEC"]
    assert batch == [603]
    multi = next(index for index, message in enumerate(asked) if message.operation == "MULTI")
    assert "l7.pins" not in asked[0].attributes
    assert {message.attributes["l7.pins"] for message in asked[multi:]} == {"transaction"}
    exec_answer = heard.responses[-1]
    assert exec_answer.operation == "EXEC" and exec_answer.status is Status.OK
    assert [value for operation, value in heard.table() if operation == "LPUSH"][1] == b"QUEUED"


@PROTOCOLS
def test_big_values(room: Room, protocol: int) -> None:
    value = bytes(range(256)) * 4096 * 3
    client = room.client(protocol)
    client.set("big", value)
    assert client.get("big") == value
    client.rpush("list", value, "small", value)
    assert client.lrange("list", 0, -1) == [value, b"small", value]
    client.mset({"after": value, "second": "x"})
    client.get("list:none")
    heard = room.hear(client)
    heard.check(room.server.keys)
    streamed = {(message.sender, message.operation) for message in heard.messages if message.more}
    assert streamed == {
        (Sender.CLIENT, "SET"), (Sender.SERVER, "GET"), (Sender.CLIENT, "RPUSH"), (Sender.SERVER, "LRANGE"), (Sender.CLIENT, "MSET"),
    }  # fmt: skip
    assert [message.resources for message in heard.requests if message.operation == "SET"] == [(b"big",)]
    assert max(len(event.raw) for event in heard.events) <= 1024 * 1024 + 64 * 1024
    assert sum(isinstance(event, Data) for event in heard.events) > 5


@PROTOCOLS
def test_binary_keys(room: Room, protocol: int) -> None:
    keys = [
        b"",
        b"\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\0\xff\xfe",
        bytes(range(256)),
        "ключ".encode(),
        b"$5\r\n",
        b" spaced key ",
    ]
    client = room.client(protocol)
    for key in keys:
        client.set(key, key[::-1])
        assert client.get(key) == key[::-1]
    assert client.mget(keys) == [key[::-1] for key in keys]
    pipeline = client.pipeline()
    pipeline.delete(*keys[:3]).sadd(b"set\r\n+OK\r\n", *keys).smembers(b"set\r\n+OK\r\n")
    pipeline.execute()
    heard = room.hear(client)
    heard.check(room.server.keys)
    found = [message.resources for message in heard.requests if message.operation in ("SET", "MGET")]
    assert found == [*((key,) for key in keys), tuple(keys)]


def test_every_type(room: Room) -> None:
    """`DEBUG PROTOCOL` of the server sends each type of RESP3, also those that no command returns."""
    client = room.raw()
    assert client.ask(b"HELLO", b"3")
    kinds = [
        "string",
        "integer",
        "double",
        "null",
        "array",
        "set",
        "map",
        "attrib",
        "bignum",
        "true",
        "false",
        "verbatim",
    ]
    for kind in kinds:
        client.ask(b"DEBUG", b"PROTOCOL", kind.encode())
    client.command(b"DEBUG", b"PROTOCOL", b"push")
    client.replies(2)
    client.ask(b"PING")
    heard = room.hear(client)
    heard.check_octets()
    heard.check_pairs()
    heard.check_cuts()
    types = [message.attributes["redis.reply_type"] for message in heard.responses[1 : len(kinds) + 1]]
    assert types == [
        "bulk_string", "integer", "double", "null", "array", "set", "map", "bulk_string", "big_number", "boolean", "boolean",
        "verbatim_string",
    ]  # fmt: skip
    attributed = heard.responses[1 + kinds.index("attrib")]
    assert attributed.raw.startswith(b"|1\r\n") and attributed.payload.startswith(b"$")
    assert [message.operation for message in heard.pushes] == ["SERVER-CPU-USAGE"]
    assert heard.responses[-1].raw == b"+PONG\r\n"


REFUSED = [
    b"*1\r\n+4\r\nPING\r\n",
    b"*1\r\n$-4\r\nPING\r\n",
    b"*x\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*+1\r\n$4\r\nPING\r\n",
    b"*3000000000\r\n",
    b"*1\r\n$999999999999\r\n",
    b"*1\r\n$ 4\r\nPING\r\n",
    b'SET a "b\r\n',
    b"SET a 'b'c\r\n",
    b"GET " + b"a" * 70_000,
]
ACCEPTED = [
    b"PING\r\n",
    b"PING\n",
    b"\r\n\r\nPING\r\n",
    b"*0\r\nPING\r\n",
    b"*-1\r\nPING\r\n",
    b"  PING  \r\n",
    b'SET "a b" "\\x41\\n\\"" \r\nGET \'a b\'\r\n',
    b"SET a\tb\nGET a\n",
    b'ECHO ""\r\n',
    b"ping\r\n*1\r\n$4\r\nPiNg\r\nPING hello\r\n",
]


@pytest.mark.parametrize("octets", REFUSED, ids=lambda octets: repr(octets[:24]))
def test_refused_as_by_the_server(room: Room, octets: bytes) -> None:
    """What the server calls a protocol error is one here, and what stood before it is not lost."""
    client = room.raw()
    client.send(b"*1\r\n$4\r\nPING\r\n" + octets)
    answer = client.read_all()
    assert answer.startswith(b"+PONG\r\n-ERR Protocol error")
    client.close()
    recording = room.relay.recording(client.port)
    recording.wait_closed()
    errors = check_cuts(partial(open_session, "redis"), recording.to_vector()).errors
    assert list(errors) == [Sender.CLIENT] and errors[Sender.CLIENT].offset >= 14
    events = list(open_session("redis").receive(Sender.SERVER, recording.octets(Sender.SERVER)))
    assert [event.error for event in events] == [None, "ERR"]
    assert events[1].status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize("octets", ACCEPTED, ids=lambda octets: repr(octets[:24]))
def test_accepted_as_by_the_server(room: Room, octets: bytes) -> None:
    """The server answers exactly what is taken for a command here."""
    client = room.raw()
    client.send(octets + b"*2\r\n$4\r\nECHO\r\n$4\r\nlast\r\n")
    room.relay.recording(client.port).wait_for(b"$4\r\nlast\r\n")
    heard = room.hear(client)
    heard.check_octets()
    heard.check_pairs()
    heard.check_cuts()
    assert not any(isinstance(value, ErrorText) for value in heard.values())
    assert heard.values()[-1] == b"last" and heard.responses[-1].operation == "ECHO"
    for request in heard.requests:
        if request.operation in ("SET", "GET"):
            assert request.resources == (request.arguments[1],)
    expected = [parse(message.raw)[0] for message in heard.responses if message.operation == "PING"]
    assert set(expected) <= {b"PONG", b"hello"}


def test_killed(room: Room) -> None:
    """A connection that the server kills ends clean, after everything that was said."""
    victim = room.client()
    victim.set("a", "1")
    identity = victim.client_id()
    killer = room.client(3)
    assert killer.execute_command("CLIENT", "KILL", "ID", identity) == 1
    heard = room.hear(victim)
    heard.check(room.server.keys)
    assert heard.requests[-1].operation == "CLIENT ID"
    other = room.hear(killer)
    other.check(room.server.keys)
    assert [message.operation for message in other.requests][-1] == "CLIENT KILL"


def test_killed_itself(room: Room) -> None:
    client = room.raw()
    own = client.ask(b"CLIENT", b"ID")
    client.command(b"CLIENT", b"KILL", b"ID", str(own).encode(), b"SKIPME", b"no")
    client.command(b"GET", b"never")
    assert client.read_all() in (b":1\r\n", b"")
    heard = room.hear(client)
    heard.check_octets()
    heard.check_cuts()
    assert [message.operation for message in heard.responses] == ["CLIENT ID", "CLIENT KILL"]


def test_blocked(room: Room) -> None:
    """Commands sent behind a blocking one are answered after it, in order."""
    connection = room.connection()
    for words in (("BLPOP", "q1", "q2", "0"), ("GET", "x"), ("XREAD", "BLOCK", "0", "STREAMS", "s", "$"), ("PING",)):
        connection.send_command(*words)
    until(lambda: room.admin.info("clients")["blocked_clients"] == 1)
    room.admin.rpush("q2", "job")
    assert connection.read_response() == [b"q2", b"job"]
    assert connection.read_response() is None
    until(lambda: room.admin.info("clients")["blocked_clients"] == 1)
    room.admin.xadd("s", {"f": "v"}, id="5-1")
    connection.read_response()
    assert connection.read_response() == b"PONG"
    heard = room.hear(connection)
    heard.check(room.server.keys)
    assert [operation for operation, _ in heard.table()][-4:] == ["BLPOP", "GET", "XREAD", "PING"]
    assert [message.resources for message in heard.requests][-4:-1] == [(b"q1", b"q2"), (b"x",), (b"s",)]
    unblocked = room.connection()
    unblocked.send_command("CLIENT", "ID")
    identity = unblocked.read_response()
    unblocked.send_command("BLPOP", "q1", "0")
    until(lambda: room.admin.info("clients")["blocked_clients"] == 1)
    room.admin.execute_command("CLIENT", "UNBLOCK", identity, "ERROR")
    with pytest.raises(redis.ResponseError):
        unblocked.read_response()
    heard = room.hear(unblocked)
    heard.check(room.server.keys)
    assert (heard.responses[-1].error, heard.responses[-1].status) == ("UNBLOCKED", Status.CANCELLED)


def test_a_connection_that_ends_inside_an_answer_is_no_surprise(room: Room) -> None:
    """The client goes away while the server sends megabytes; what came is there."""
    room.admin.set("big", b"x" * 3_000_000)
    client = room.raw()
    client.command(b"GET", b"big")
    room.relay.recording(client.port).wait_for(b"$3000000\r\nxxxx")
    client.close()
    recording = room.relay.recording(client.port)
    recording.wait_closed()
    heard = Conversation(recording, unfinished=True)
    heard.check_octets()
    assert (
        heard.responses[0].operation == "GET" and heard.responses[0].kind is Kind.RESPONSE and heard.responses[0].more
    )
