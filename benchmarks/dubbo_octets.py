"""What is timed of Dubbo: calls as a consumer of 3.3 sends them, and answers with an exception, in the octets of its own writer."""

from __future__ import annotations

from struct import pack

from l7codecs_dubbo._hessian.values import ClassDefinition, HessianList, HessianObject, Long, Value
from l7codecs_dubbo._hessian.writer import Writer

__all__ = ["MESSAGE", "METHOD", "SERVICE", "THROWN", "VERSION", "answers", "bodies_of", "calls", "reads"]

REPEATS = 400
READ_SIZE = 64 * 1024
SERVICE = "io.example.shop.api.OrderService"
VERSION = "1.2.3"
METHOD = "placeOrder"
TYPES = "LHessianLoop$Order;Ljava/lang/Integer;"
THROWN = "java.lang.IllegalStateException"
MESSAGE = "the article 4711 is sold out"
FRAMES = 76

_ORDER = ClassDefinition("HessianLoop$Order", ("notes", "tags", "price", "amount", "id"))
_FRAME = ClassDefinition(
    "java.lang.StackTraceElement",
    ("format", "lineNumber", "fileName", "methodName", "declaringClass", "moduleVersion", "moduleName", "classLoaderName"),
)  # fmt: skip
_THROWABLE = ClassDefinition(THROWN, ("suppressedExceptions", "stackTrace", "cause", "detailMessage"))
_PLACES = (
    ("org.apache.dubbo.rpc.proxy.AbstractProxyInvoker", "AbstractProxyInvoker.java", "invoke"),
    ("org.apache.dubbo.rpc.cluster.filter.FilterChainBuilder$CopyOfFilterChainNode", "FilterChainBuilder.java", "invoke"),
    ("org.apache.dubbo.remoting.exchange.support.header.HeaderExchangeHandler", "HeaderExchangeHandler.java", "handleRequest"),
    ("java.util.concurrent.ThreadPoolExecutor", "ThreadPoolExecutor.java", "runWorker"),
)  # fmt: skip


def call_body() -> bytes:
    """A call's body, of some 450 octets."""
    writer = Writer()
    for text in ("2.0.2", SERVICE, VERSION, METHOD, TYPES):
        writer.string(text)
    notes: dict[str, Value] = {
        "gift": True,
        "wrapping": "paper",
        "deliver": "between 9 and 12, or to the neighbour on the second floor, who knows",
    }
    order: list[Value] = [notes, ["book", "green"], 12.25, Long(4711), "B-20261129-17"]
    writer.value(HessianObject(_ORDER, order))
    writer.value(3)
    writer.value({
        "path": SERVICE, "remote.application": "shop-frontend", "interface": SERVICE, "version": VERSION,
        "timeout": "6000", "group": "blue",
    })  # fmt: skip
    return writer.getvalue()


def thrown_body() -> bytes:
    """An answer's body: an exception behind 8 KiB of stack frames."""
    writer = Writer()
    writer.integer(3)
    frames: list[Value] = []
    for number in range(FRAMES):
        name, file, method = _PLACES[number % len(_PLACES)]
        java = name.startswith("java.")
        values: list[Value] = [
            0,
            17 * number + 30,
            file,
            method,
            name,
            "17.0.15" if java else None,
            "java.base" if java else None,
        ]
        frames.append(HessianObject(_FRAME, [*values, None if java else "app"]))
    thrown = HessianObject(_THROWABLE, [HessianList("java.util.Collections$EmptyList", []), None, None, MESSAGE])
    thrown.values[1] = HessianList("[java.lang.StackTraceElement", frames)
    thrown.values[2] = thrown
    writer.value(thrown)
    writer.value({"dubbo": "2.0.2"})
    return writer.getvalue()


def calls() -> list[bytes]:
    """Frames of calls, with rising ids."""
    body = call_body()
    return [b"\xda\xbb\xc2\x00" + pack(">Qi", number, len(body)) + body for number in range(REPEATS)]


def answers() -> list[bytes]:
    """Frames of their answers."""
    body = thrown_body()
    return [b"\xda\xbb\x02\x14" + pack(">Qi", number, len(body)) + body for number in range(REPEATS)]


def bodies_of(frames: list[bytes]) -> list[bytes]:
    """What stands behind the headers."""
    return [frame[16:] for frame in frames]


def reads(frames: list[bytes]) -> list[bytes]:
    """The frames as reads of a socket."""
    octets = b"".join(frames)
    return [octets[at : at + READ_SIZE] for at in range(0, len(octets), READ_SIZE)]
