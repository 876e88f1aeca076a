"""What real peers are let do: each a list of calls, and how the service is offered for it."""

from __future__ import annotations

from dubbo_peers import NEWEST, OLDER
from dubbo_stage import Scenario, call

TYPES = (
    "null", "text:", "text:a", "chars:31", "chars:32", "chars:1023", "chars:1024", "chars:40000", "emoji:3",
    "emoji:70000", "int:0", "int:-16", "int:47", "int:48", "int:-2048", "int:2048", "int:-262144",
    "int:262144", "int:-2147483648", "long:0", "long:-8", "long:15", "long:16", "long:-2048", "long:2048",
    "long:-262144", "long:262144", "long:2147483648", "long:-9223372036854775808", "double:0", "double:1",
    "double:-128", "double:127", "double:128", "double:32767", "double:32768", "double:12.25", "double:-0.0",
    "double:3.14159", "double:1e300", "double:NaN", "double:Infinity", "float:1.5", "short:7", "byte:-7",
    "char:x", "boolean:true", "boolean:false", "bytes:0", "bytes:15", "bytes:16", "bytes:1023", "bytes:1024",
    "bytes:9000", "date:1700000040000", "date:1700000040001", "date:-60000", "sqldate", "timestamp",
    "localdate", "localtime", "localdatetime", "instant", "duration", "zoned", "decimal", "integer", "enum",
    "enumbody", "enums", "ints", "longs", "doubles", "booleans", "strings", "stringss", "objects", "list",
    "linked", "aslist", "empty", "emptylist", "lists", "longlist:300", "set", "map", "intmap", "linkedmap",
    "treemap", "enummap", "enumset", "emptymap", "uuid", "locale", "child", "line", "order", "cycle", "twice",
    "deep:50", "selflist",
)  # fmt: skip
"""Values of every kind that Hessian has a form for."""

BLUE = {"version": "1.2.3", "group": "blue"}
ORDER_TYPES = ["l7codecs.peers.Order", "java.util.Map"]
ATTACHED = {"tenant": "text:a", "CamelKey": "text:képt 😀", "long": "long:42", "int": "int:7", "flag": "boolean:true", "list": "list",
            "want": "text:attachments"}  # fmt: skip
FAILURES = ("declared", "caused", "runtime", "silent", "stranger", "checked")

PLAIN = [
    call("hello", "text:world"), call("hello", "text:é😀", "int:3"), call("hello", "null"), call("bare"), call("note", "text:n"),
    call("binary", "bytes:300"), call("place", "order", "quantities"), call("place", "cycle", "quantities"), call("failing", "text:not"),
]  # fmt: skip
ATTACHMENTS = [
    call("hello", "text:with", attachments=ATTACHED), call("hello", "text:without"),
    call("place", "order", "quantities", attachments=ATTACHED), call("failing", "text:declared", attachments=ATTACHED),
    call("note", "text:n", attachments={"want": "text:attachments", "empty": "text:"}),
]  # fmt: skip
FAILING = [call("failing", f"text:{how}") for how in FAILURES]
TOGETHER = [call("slow", f"text:{number}", f"int:{400 - 100 * number}", wait=30) for number in range(4)] + [
    call("later", "text:later", "int:150", wait=30), call("hello", "text:quick"),
]  # fmt: skip
GENERIC = [
    call("hello", "text:generic", types=["java.lang.String"]), call("bare", types=[]), call("note", "text:n", types=["java.lang.String"]),
    call("hello", "text:ab", "int:2", types=["java.lang.String", "int"], attachments={"tenant": "text:a"}),
    call("failing", "text:declared", types=["java.lang.String"]), call("nowhere", "text:x", types=["java.lang.String"]),
]  # fmt: skip

CALLBACK = {"watch.1.callback": "true"}
"""The second argument is called by the provider. A consumer of 3.3.6 without a registry does not take it so."""

LATER = call("hello", "text:later", types=["java.lang.String"], **{"async": True})

SCENARIOS: dict[str, Scenario] = {
    "plain": Scenario(PLAIN),
    "version-and-group": Scenario(PLAIN[:2], BLUE),
    "path": Scenario(PLAIN[:2], {"path": "shops/main", "group": "paths"}),
    "attachments": Scenario(ATTACHMENTS, BLUE),
    "failing": Scenario(FAILING),
    "types": Scenario([call("any", each) for each in TYPES]),
    "large": Scenario([call("binary", "bytes:1000000"), call("hello", "chars:1000000"), call("any", "longlist:20000"), call("bare")]),
    "one-way": Scenario(
        [call("note", "text:a"), call("hello", "text:b"), call("added", "text:c"), call("bare")],
        refer={"parameters": {f"{name}.return": "false" for name in ("note", "hello", "added")}},
    ),
    "async": Scenario(
        [call("hello", "text:a", **{"async": True}), call("note", "text:b", **{"async": True})], refer={"parameters": {"async": "true"}}
    ),
    "together": Scenario(TOGETHER, refer={"together": True}),
    "generic": Scenario(
        [call("place", "ordermap", "quantities", types=ORDER_TYPES), *GENERIC, LATER],
        BLUE, {"generic": "true"},
    ),
    "generic-gson": Scenario(
        [call("hello", 'text:"gen"', types=["java.lang.String"]), call("hello", 'text:"ab"', "text:2", types=["java.lang.String", "int"])],
        refer={"generic": "gson"},
    ),
    "generic-bean": Scenario(
        [call("any", "child", types=["java.lang.Object"]), call("hello", "text:bean", types=["java.lang.String"])],
        refer={"generic": "bean"},
    ),
    "unknown-method": Scenario([call("added", "text:x"), call("addedBare"), call("hello", "text:on")]),
    "unknown-interface": Scenario([call("hello", "text:x"), call("bare")], refer={"interface": "l7codecs.peers.Stall"}),
    "unknown-path": Scenario([call("hello", "text:x"), call("bare")], refer={"path": "shops/none"}),
    "unknown-version": Scenario([call("hello", "text:x"), call("bare")], refer={"version": "9.9.9"}),
    "unknown-group": Scenario([call("hello", "text:x"), call("bare")], BLUE, {"group": "red"}),
    "callback": Scenario(
        [call("watch", "text:tea", "listener:Ada"), call("hello", "text:on")],
        {"group": "callbacks", "parameters": CALLBACK},
        {"parameters": CALLBACK},
        (OLDER,),
    ),
    "echo": Scenario([call("$echo", "text:there?"), call("$echo", "order")]),
    "patience": Scenario([call("slow", "text:late", "int:900"), call("hello", "text:on")], refer={"timeout": "400", "idle": 900}),
    "payload": Scenario([call("hello", "chars:20000"), call("hello", "text:on")], {"payload": 8192, "group": "small"}, providers=(NEWEST,)),
    "heartbeats": Scenario(
        [call("bare")], {"heartbeat": 1000, "group": "beats"}, {"parameters": {"heartbeat": "1000"}, "idle": 2600}
    ),
}  # fmt: skip
FASTJSON2 = {"serialization": "fastjson2"}
FASTJSON2_PARAMETERS = {"serialization": "fastjson2", "prefer.serialization": "fastjson2"}
# Before the others: a provider that has offered anything in fastjson2 refuses in fastjson2.
SCENARIOS["fastjson2-refused"] = Scenario(PLAIN[:2], {}, {"parameters": FASTJSON2_PARAMETERS}, (NEWEST,), (NEWEST,))
for _name in (
    "plain",
    "attachments",
    "failing",
    "together",
    "generic",
    "generic-gson",
    "unknown-method",
    "heartbeats",
    "large",
    "types",
):
    _found = SCENARIOS[_name]
    _group = f"fast-{_found.export.get('group', '')}"
    SCENARIOS[f"fastjson2-{_name}"] = Scenario(
        _found.calls,
        {**_found.export, **FASTJSON2, "group": _group},
        {**_found.refer, "parameters": {**_found.refer.get("parameters", {}), **FASTJSON2_PARAMETERS}},
        (NEWEST,),
        (NEWEST,),
    )
for _name in ("java", "compactedjava", "nativejava", "fastjson", "gson"):
    SCENARIOS[f"{_name}-plain"] = Scenario(
        [*PLAIN[:2], *PLAIN[3:6], *FAILING[:1]],
        {"serialization": _name, "group": _name},
        {"parameters": {"serialization": _name}},
        (OLDER,),
        (OLDER,),
    )
