"""Thrift's messages that are timed: calls with a struct of 340 octets in the binary protocol."""

from __future__ import annotations

import io
from typing import Any, Final

import thriftpy2
from thriftpy2.protocol.binary import TBinaryProtocol
from thriftpy2.protocol.compact import TCompactProtocol
from thriftpy2.transport import TMemoryBuffer

__all__ = ["COUNT", "PATH", "READ_SIZE", "SERVICE", "framed", "messages", "reads"]

READ_SIZE: Final = 65536
COUNT: Final = 400
"""Messages in a round."""
PATH: Final = (1, 40)
"""The field that is picked: ``far`` of the argument."""

_IDL = """
enum Color { RED = 1, GREEN = 2, BLUE = 300 }
struct All {
  1: bool t, 2: bool f, 3: i8 b, 4: i16 s, 5: i32 i, 6: i64 l, 7: double d, 8: string str, 9: binary bin, 10: list<bool> bools,
  11: map<string,i32> empty, 12: map<i32,string> m, 13: set<i64> st, 14: Color c, 15: list<list<i32>> ll, 16: list<string> many,
  40: string far, 300: bool farbool
}
service Bench { All echo(1: All a) }
"""
SERVICE: Final[Any] = thriftpy2.load_fp(io.StringIO(_IDL), "bench_thrift").Bench


def messages(compact: bool) -> list[bytes]:
    """The calls of a round, with ids from 1, without frames."""
    value = SERVICE.echo_args.thrift_spec[1][2](
        t=True, f=False, b=-1, s=300, i=-70000, l=1 << 40, d=1.5, str="café", bin=b"\0\xff\x10ABC", bools=[True, False, True], empty={},
        m={1: "a", -1: "b"}, st={5}, c=300, ll=[[1, 2], []], many=[f"x{each}" for each in range(20)], far="far", farbool=True,
    )  # fmt: skip
    arguments = SERVICE.echo_args(a=value)
    found = []
    for number in range(1, COUNT + 1):
        trans = TMemoryBuffer()
        protocol = TCompactProtocol(trans) if compact else TBinaryProtocol(trans)
        protocol.write_message_begin("echo", 1, number)
        protocol.write_struct(arguments)
        found.append(trans.getvalue())
    return found


def framed(each: list[bytes]) -> list[bytes]:
    """Each with its size before it."""
    return [len(octets).to_bytes(4, "big") + octets for octets in each]


def reads(each: list[bytes]) -> list[bytes]:
    """The same as one stream, in the reads of a socket."""
    stream = b"".join(each)
    return [stream[at : at + READ_SIZE] for at in range(0, len(stream), READ_SIZE)]
