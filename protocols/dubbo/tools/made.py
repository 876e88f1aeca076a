"""Write the vectors that no peer was recorded for: cases of the protocol's description, made by `tests/frames.py`.

python protocols/dubbo/tools/made.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from l7codecs.testing import Vector

ROOM = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOM / "tests"))

from frames import (  # noqa: E402
    JSONB,
    C,
    S,
    answer,
    beaten,
    body,
    call,
    exception,
    failure,
    frame,
    heartbeat,
    integer,
    jsonb,
    jsonb_string,
    mapping,
    string,
)

READ_ONLY = frame(5, b"\x01R", request=True, event=True)
TOP = (1 << 64) - 1
INVOKE = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;"


def generic(method: str, types: list[str], arguments: list[bytes]) -> bytes:
    """The arguments of ``$invoke``."""
    names = bytes([0x70 + len(types)]) + string("[string") + b"".join(map(string, types))
    return string(method) + names + bytes([0x70 + len(arguments)]) + string("[object") + b"".join(arguments)


def attached(**more: bytes | str) -> bytes:
    """Attachments as a consumer of 3.3 sends them."""
    said: dict[str, bytes | str] = {
        "path": "com.acme.Orders", "remote.application": "shop", "interface": "com.acme.Orders", "version": "1.2.3",
        "timeout": "6000", "group": "blue",
    }  # fmt: skip
    said.update(more)
    return mapping(said)


VECTORS = {
    "made-calls": (
        (C, call(TOP, attachments=attached()) + call(7, method="find", types="I[J", arguments=b"\x90\x78", attachments=attached())),
        (S, answer(7, None) + answer(TOP, b"\x02ok")),
        (C, call(8, method="list", types="", arguments=b"", attachments=b"N", version="0.0.0", protocol="2.6.12")),
        (S, answer(8, b"\x79\x02ok", attachments=None)),
        (C, call(9, method="count", types="", arguments=b"", attachments=b"")),
        (S, failure(9, 40, "Fail to decode request due to: RpcInvocation [methodName=count, parameterTypes=null]")),
    ),
    "made-attachments": (
        (C, call(1, attachments=attached(
            CamelKey="Case", number=integer(7), long=b"\xf8\x2a", yes=b"T", half=b"\x5f\x00\x00\x01\xf4", octets=b"\x22\x00\xff",
            list=b"\x7a\x01a\x01b", nothing=b"N", when=b"K\x01\xb0\x55\x16", emoji="a😀", timeout=integer(300),
        ))),
        (S, answer(1, b"\x02ok", mapping({"dubbo": "2.0.2", "cost": b"\x5b", "Trace": "x"}))),
    ),
    "made-references": (
        # An argument is an object that refers to itself; the attachments refer to its class, its type and to it.
        (C, call(1, types="Lcom/acme/Node;Ljava/util/List;",
                 arguments=b"C" + string("com.acme.Node") + integer(2) + string("next") + string("tags")
                 + b"\x60" + b"Q\x90" + b"\x71" + string("java.util.Set") + b"\x01x" + b"\x70\x90",
                 attachments=b"M" + string("java.util.TreeMap") + string("node") + b"\x60NN" + string("same") + b"Q\x90"
                 + string("group") + string("blue") + b"Z")),
        (S, answer(1, b"C" + string("com.acme.Node") + integer(1) + string("next") + b"\x60Q\x90")),
    ),
    "made-oneway": ((C, call(3, two_way=False) + call(4)), (S, answer(4, None))),
    "made-exceptions": (
        (C, call(1) + call(2) + call(3) + call(4)),
        (S, answer(1, exception("com.acme.SoldOutException", "no book is left", 40), kind=3)),
        (S, answer(2, exception("java.lang.IllegalStateException", None, 0), None, kind=0)),
        (S, failure(3, 50, "Failed to send response: Response [id=3, version=2.0.2, status=20, event=false, error=null, "
                    "result=AppResponse [value=null, exception=com.acme.StockException: sold out]], cause: java.io.IOException: no")),
        (S, failure(4, 70, "org.apache.dubbo.rpc.RpcException: No such method gone in class com.acme.Orders\n\tat com.acme.X.y(X.java:1)")),
    ),
    "made-statuses": tuple(
        piece
        for number, status in enumerate((25, 30, 31, 35, 60, 80, 90, 100, 99))
        for piece in ((C, call(number)), (S, failure(number, status, f"status {status}")))
    ),
    "made-heartbeats": (
        (C, heartbeat(1) + heartbeat(2, b"") + heartbeat(3, jsonb(b"\xaf"), serialization=JSONB)),
        (S, beaten(1) + failure(2, 40, "an empty body") + beaten(3, jsonb(b"\xaf"), serialization=JSONB)),
        (C, heartbeat(4, b"NNNNN") + heartbeat(5, two_way=False)),
        (S, beaten(4, b"")),
    ),
    "made-both-ask": (
        (C, call(0)),
        (S, heartbeat(0) + call(1, method="changed", types="", arguments=b"") + answer(0)),
        (C, beaten(0) + answer(1, None)),
    ),
    "made-shutdown": ((C, call(1)), (S, READ_ONLY + frame(7, b"\x01R", request=True, event=True)), (S, answer(1))),
    "made-telnet": (
        (C, b"GET / HTTP/1.1\r\n\r\n" + call(1) + b"ls\r\n"),
        (S, b"Unsupported command: GET\r\ndubbo>" + answer(1) + b"\xda is no frame\r\ndubbo>"),
        (C, call(2)),
        (S, answer(2)),
    ),
    "made-generic": (
        (C, call(1, method="$invoke", types=INVOKE, arguments=generic("place", ["java.lang.String", "int"], [b"\x04book", integer(2)]),
                 attachments=attached(generic="true"))),
        (S, answer(1, b"H\x05class\x01xZ")),
        (C, call(2, method="$invokeAsync", types=INVOKE, arguments=generic("find", [], []), attachments=attached(generic="gson"))),
        (S, answer(2, b"N")),
        (C, call(3, method="$echo", types="Ljava/lang/Object;", arguments=b"\x90")),
        (S, answer(3, b"\x90")),
    ),
    "made-other-paths": (
        (C, call(1, attachments=attached(path="com.acme.Other", version="9.9.9", method="forged"))),
        (S, failure(1, 70, "org.apache.dubbo.remoting.RemotingException: Not found exported service: com.acme.Other:9.9.9:20880 in []")),
    ),
    "made-other-serializations": (
        (C, frame(1, b"".join(map(jsonb, (*map(jsonb_string, ("2.0.2", "com.acme.Orders", "0.0.0", "place", "")), b"\xa6\xa5"))),
                  request=True, two_way=True, serialization=JSONB)),
        (S, failure(1, 40, "Fail to decode request due to: RpcInvocation [methodName=null, parameterTypes=null]")),
        (C, frame(2, b"\xac\xed\x00\x05w\x05\x00\x032.0", request=True, two_way=True, serialization=3)),
        (S, frame(2, b"\xac\xed\x00\x05w\x01\x02", serialization=3, status=20)),
        (C, frame(3, body(), request=True, two_way=True, serialization=30)),
        (S, frame(3, b"", serialization=30, status=20)),
    ),
}  # fmt: skip


def main() -> None:
    """Write them."""
    folder = ROOM / "vectors"
    for name, pieces in VECTORS.items():
        path = Vector(name, pieces).save(
            folder, "Made of the protocol's description: python protocols/dubbo/tools/made.py"
        )
        print(path)


if __name__ == "__main__":
    main()
