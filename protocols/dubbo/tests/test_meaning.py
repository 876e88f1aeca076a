"""What requests and answers say: names that nobody forges, types of attachments, generic calls, outcomes."""

from __future__ import annotations

import time
from typing import Any

import pytest

import l7codecs
from l7codecs import Changes, Limits, Status, Unsupported
from l7codecs.testing import growth
from l7codecs_dubbo._body.json_lines import _end as json_line_end
from l7codecs_dubbo._body.types import parameter_types

from .frames import C, S, answer, body, call, exception, failure, frame, integer, mapping, string

INVOKE = "Ljava/lang/String;[Ljava/lang/String;[Ljava/lang/Object;"


def asked(octets: bytes, limits: Limits | None = None) -> Any:
    (event,) = l7codecs.open_session("dubbo", limits=limits or Limits()).receive(C, octets)
    return event


def answered(octets: bytes, limits: Limits | None = None) -> Any:
    session = l7codecs.open_session("dubbo", limits=limits or Limits())
    list(session.receive(C, call(1)))
    (event,) = session.receive(S, octets)
    return event


# Requests.


def test_no_attachment_changes_what_is_called() -> None:
    names = "service operation method interface rpc.method dubbo.service rpc.system.name dubbo dubbo.version types l7.access"
    forged = dict.fromkeys([*names.split(), "network.protocol.name", "dubbo.request_id"], "forged")
    plain, said = asked(call(1, attachments=mapping({}))), asked(call(1, attachments=mapping(forged)))
    assert dict(said.attributes) == dict(plain.attributes)
    assert (said.service, said.operation, said.param_types) == ("com.acme.Orders", "place", ("java.lang.String",))
    assert dict(said.headers) == forged


def test_both_are_told_where_a_provider_decides_by_an_attachment() -> None:
    said = asked(call(1, attachments=mapping({"path": "com.acme.Other", "version": "9.9.9", "group": "red"})))
    assert said.service == said.attributes["dubbo.service"] == "com.acme.Orders"
    assert said.path == said.attributes["dubbo.path"] == "com.acme.Other"
    assert said.service_version == said.attributes["dubbo.service_version"] == "1.2.3"
    assert said.attributes["dubbo.attached_version"] == "9.9.9" and said.group == "red"
    assert said.attributes["rpc.method"] == "com.acme.Orders/place"


def test_no_version_is_none() -> None:
    for version, attached in (("0.0.0", "0.0.0"), (None, "0.0.0"), ("", ""), ("0.0.0", None)):
        attachments = mapping({} if attached is None else {"version": attached})
        said = asked(call(1, version=version, attachments=attachments))
        assert said.service_version is None and "dubbo.service_version" not in said.attributes
        assert said.attributes.get("dubbo.attached_version", "") == ""


def test_the_last_of_two_attachments_counts_as_in_a_map_of_java() -> None:
    octets = b"H" + string("group") + string("a") + string("group") + string("b") + b"Z"
    said = asked(call(1, attachments=octets))
    assert said.group == "b" and said.headers.get_all("group") == ["a", "b"]


@pytest.mark.parametrize("octets", [b"N", b"", b"HZ", b"HZ\x90"])
def test_attachments_may_be_missing(octets: bytes) -> None:
    said = asked(call(1, attachments=octets))
    assert len(said.headers) == 0 and "dubbo.malformed" not in said.attributes


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        (string("a😀b"), "a😀b"),
        (b"\x05a\xf0\x9f\x98\x80bc", "a😀bc"),  # a character of four octets counts two
        (integer(-7), -7),
        (b"\xf8\x2a", 42),
        (b"L\x7f\xff\xff\xff\xff\xff\xff\xff", 2**63 - 1),
        (b"T", True),
        (b"F", False),
        (b"\x5f\x00\x00\x2f\xda", 12.25),
        (b"D\x40\x28\x80\x00\x00\x00\x00\x00", 12.25),
        (b"D\x7f\xf8\x00\x00\x00\x00\x00\x00", "NaN"),
        (b"D\xff\xf0\x00\x00\x00\x00\x00\x00", "-Infinity"),
        (b"\x22\x00\xff", b"\x00\xff"),
        (b"N", "null"),
        (b"K\x01\xb0\x55\x16", "2023-11-14T22:14:00Z"),
        (b"J\x00\x00\x01\x8b\xcf\xe5\x68\x7b", "2023-11-14T22:13:20.123Z"),
        (b"\x7a\x01a\x91", '["a",1]'),
        (b"\x72\x07[string\x01a\x01b", '["a","b"]'),
        (b"H\x01a\x91\x92\x01bZ", '{"a":1,"2":"b"}'),
        (b"M\x11java.util.TreeMap\x01aTZ", '{"a":true}'),
        (b"C\x05Color\x91\x04name\x60\x03RED", '{"class":"Color","name":"RED"}'),
        (b"\x79Q\x92", '["…"]'),  # itself: the third container of its body
    ],
)
def test_attachments_have_the_types_of_the_wire(octets: bytes, value: Any) -> None:
    argument = b"\x79\x90"  # a list
    said = asked(
        call(1, types="Ljava/util/List;", arguments=argument, attachments=mapping({"x": octets, "group": "g"}))
    )
    found = said.headers["x"]
    assert found == value and type(found) is type(value)
    assert said.group == "g" and "dubbo.malformed" not in said.attributes


def test_what_many_attachments_refer_to_is_told_once() -> None:
    """Else a few octets for each would be as much text as all of it."""
    many = {f"k{number}": b"Q\x90" for number in range(500)}
    own = {"first": b"\x7a\x91\x92", **{f"o{number}": b"Q\x92" for number in range(500)}}
    octets = call(
        1, types="Ljava/util/List;", arguments=b"X\xc9\x00" + b"\x91" * 256, attachments=mapping({**many, **own})
    )
    said = asked(octets)
    assert said.headers["k0"] == "[" + ",".join(["1"] * 256) + "]" and said.headers["first"] == "[1,2]"
    assert said.headers["k1"] == said.headers["o499"] == '"…"'
    assert sum(len(str(value)) for _, value in said.headers) < 2 * len(octets)


def test_long_names_are_not_told_for_each_object() -> None:
    """A class of a long name, and thousands of objects of one octet."""
    objects = b"X\xcf\xff" + b"\x60" * 2047
    value = b"C" + string("x" * 1000) + b"\x90" + objects
    octets = call(1, types="", arguments=b"", attachments=mapping({"a": value, "b": objects, "group": "g"}))
    said = asked(octets)
    assert said.group == "g" and sum(len(str(value)) for _, value in said.headers) < 70_000 + 20 * len(octets)


def test_the_case_of_a_key_is_kept() -> None:
    said = asked(call(1, attachments=mapping({"CamelKey": "x", "camelkey": "y"})))
    assert list(said.headers) == [("CamelKey", "x"), ("camelkey", "y")] and "CAMELKEY" not in said.headers


@pytest.mark.parametrize(
    ("value", "said"), [("6000", 6000), (integer(300), 300), ("", None), ("soon", None), (b"T", None), ("-1", None), ("9" * 30, None)]
)  # fmt: skip
def test_a_timeout_is_a_number(value: Any, said: int | None) -> None:
    assert asked(call(1, attachments=mapping({"timeout": value}))).attributes.get("dubbo.timeout_ms") == said


@pytest.mark.parametrize("method", ["$invoke", "$invokeAsync"])
def test_a_generic_call_is_of_the_method_that_it_names(method: str) -> None:
    arguments = string("find") + b"\x72\x07[string\x03int\x10java.lang.String" + b"\x72\x07[object\x91\x01a"
    said = asked(call(1, method=method, types=INVOKE, arguments=arguments, attachments=mapping({"generic": "true"})))
    assert (said.operation, said.method, said.is_generic) == ("find", method, True)
    assert said.param_types == said.attributes["dubbo.param_types"] == ("int", "java.lang.String")
    assert said.attributes["rpc.method"] == "com.acme.Orders/find" and said.attributes["dubbo.method"] == "find"
    assert said.attributes["dubbo.generic_method"] == method and said.attributes["dubbo.generic"] == "true"


@pytest.mark.parametrize("form", ["short", "30", "S", "R", "R in 30"])
def test_a_generic_call_names_its_method_however_its_strings_are_written(form: str) -> None:
    """Nobody hides a method behind a form of strings that Dubbo reads, and does not write."""

    def write(text: str) -> bytes:
        octets = text.encode()
        size = len(octets).to_bytes(2, "big")
        small = size[1:] if len(octets) < 32 else b"\x30" + size[1:]
        forms = {"short": small, "30": bytes([0x30 + size[0], size[1]]), "S": b"S" + size, "R": b"R\0\0S" + size}
        return forms.get(form, b"R\0\0\x30" + size[1:]) + octets

    head = b"".join(map(write, ("2.0.2", "com.acme.Orders", "1.2.3", "$invoke", INVOKE)))
    said = asked(frame(1, head + write("drop") + b"NN" + b"HZ", request=True, two_way=True))
    assert said.operation == said.attributes["dubbo.method"] == "drop" and said.attributes["dubbo.generic_method"]


@pytest.mark.parametrize("name", ["drop ", " drop", "\tdrop\n", "\x00drop\x1f", "drop"])
def test_a_generic_call_is_of_the_method_that_providers_make_of_the_name(name: str) -> None:
    """`GenericFilter` trims it."""
    said = asked(call(1, method="$invoke", types=INVOKE, arguments=string(name) + b"NN"))
    assert said.operation == said.attributes["dubbo.method"] == "drop"
    assert (
        asked(call(1, method="drop\xa0")).operation == "drop\xa0"
        and asked(call(1, method="drop ")).operation == "drop "
    )


ELSEWHERE = {"path": "com.acme.Other", "group": "red", "n": b"\x97"}


@pytest.mark.parametrize(
    ("types", "arguments", "attachments"),
    [
        ("Ljava/util/Map;", mapping(ELSEWHERE), b"Q\x90"),
        ("Ljava/util/Map;", b"M\x11java.util.TreeMap" + mapping(ELSEWHERE)[1:], b"Q\x90"),
        ("ILjava/util/List;", b"\x90\x79" + mapping(ELSEWHERE), b"Q\x91"),
        ("", b"", b"C\x11java.util.HashMap\x93\x04path\x05group\x01n\x60\x0ecom.acme.Other\x03red\x97"),
        ("Lx;", b"C\x01x\x93\x04path\x05group\x01n\x60\x0ecom.acme.Other\x03red\x97", b"Q\x90"),
    ],
)
def test_attachments_that_are_a_reference_or_an_object(types: str, arguments: bytes, attachments: bytes) -> None:
    """Dubbo never writes them so; Hessian reads them into the same map, so a provider would go by their path."""
    said = asked(call(1, types=types, arguments=arguments, attachments=attachments))
    assert dict(said.headers) == {"path": "com.acme.Other", "group": "red", "n": 7}
    assert said.attributes["dubbo.path"] == "com.acme.Other" and said.attributes["dubbo.group"] == "red"
    assert said.group == "red" and "dubbo.malformed" not in said.attributes
    session = l7codecs.open_session("dubbo", endpoint=C)
    for changes in (Changes({"dubbo.group": "blue"}), Changes(set_headers={"a": 1})):
        with pytest.raises(Unsupported, match="reference"):
            session.send(said, changes)
    assert session.send(said, Changes({"dubbo.method": "other"}))


@pytest.mark.parametrize("attachments", [b"Q\x90", b"Q\x91", b"\x60", b"\x90", b"\x78"])
def test_attachments_that_are_no_map(attachments: bytes) -> None:
    said = asked(call(1, types="Ljava/util/List;", arguments=b"\x79\x90", attachments=attachments))
    assert list(said.headers) == [] and "dubbo.malformed" in said.attributes


@pytest.mark.parametrize("arguments", [b"NNN", b"\x91NN", b"\x60", b"", b"\x04find"])
def test_a_generic_call_that_names_no_method(arguments: bytes) -> None:
    said = asked(call(1, method="$invoke", types=INVOKE, arguments=arguments))
    assert said.operation in ("$invoke", "find") and said.attributes["dubbo.method"] == said.operation


def test_a_method_that_only_begins_with_a_dollar() -> None:
    for method in ("$echo", "$invokeAll", "$"):
        said = asked(call(1, method=method))
        assert said.operation == method and not said.is_generic and "dubbo.generic_method" not in said.attributes


@pytest.mark.parametrize(
    ("descriptor", "types"),
    [
        ("", ()),
        ("Ljava/lang/String;", ("java.lang.String",)),
        ("I[J[[Lx/Y$Z;Z", ("int", "long[]", "x.Y$Z[][]", "boolean")),
        ("BCDFIJSZV", ("byte", "char", "double", "float", "int", "long", "short", "boolean", "void")),
        ("[", None),
        ("Lx", None),
        ("Q", None),
        ("I,J", None),
    ],
)
def test_descriptors(descriptor: str, types: tuple[str, ...] | None) -> None:
    assert parameter_types(descriptor) == types
    said = asked(call(1, types=descriptor, arguments=b"\x90" * len(types or ())))
    assert said.param_types == types and ("dubbo.malformed" in said.attributes) == (types is None)


def test_names_of_any_length_and_script() -> None:
    service, method = "com.acme." + "x" * 300 + "Bücher", "größe😀"
    said = asked(call(1, service=service, method=method))
    assert (said.service, said.operation) == (service, method)


def test_a_string_in_chunks_is_read_in_the_head() -> None:
    octets = (
        string("2.0.2") + b"R\x00\x04com.S\x00\x04acme" + string("1.0") + b"R\x00\x01p\x04lace" + string("") + b"HZ"
    )
    said = asked(frame(1, octets, request=True, two_way=True))
    assert (said.service, said.operation, said.service_version) == ("com.acme", "place", "1.0")


@pytest.mark.parametrize("number", [3, 4, 7, 8, 22, 30])
def test_a_serialization_that_is_not_read_says_its_name_and_guesses_nothing(number: int) -> None:
    said = asked(frame(1, body(), request=True, two_way=True, serialization=number))
    assert said.service is said.operation is said.param_types is said.service_version is None
    assert said.headers == l7codecs.Headers() and "rpc.method" not in said.attributes
    names = {3: "java", 4: "compactedjava", 7: "nativejava", 8: "kryo", 22: "protobuf", 30: "30"}
    assert said.attributes["dubbo.serialization"] == names[number]
    done = answered(frame(1, b"\x91", status=20, serialization=number))
    assert done.status is Status.OK and done.response_kind is None
    failed = answered(frame(1, b"\x91", status=70, serialization=number))
    assert failed.status is Status.INTERNAL and failed.text() is None


def test_the_older_draft_is_refused_by_name() -> None:
    said = asked(call(1, arguments=b"\x4f\x94com.acme.Book\x91\x04name\x6f\x90\x04book"))
    assert said.service == "com.acme.Orders" and "dubbo.malformed" in said.attributes


# Answers.


@pytest.mark.parametrize(
    ("octets", "kind"), [(answer(1, None), "null"), (answer(1, None, None), "null"), (answer(1), "value")]
)
def test_kinds(octets: bytes, kind: str) -> None:
    said = answered(octets)
    assert said.response_kind == said.attributes["dubbo.response_kind"] == kind
    assert said.status is Status.OK and said.error is None and "error.type" not in said.attributes


@pytest.mark.parametrize("frames", [0, 1, 40])
@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("message", ["no book", None, "x" * 5000, "😀\n"])
def test_exceptions(message: str | None, attached: bool, frames: int) -> None:
    thrown = exception("com.acme.SoldOutException", message, frames)
    said = answered(answer(1, thrown, b"H\x01k\x01vZ" if attached else None, kind=3 if attached else 0))
    assert said.exception == ("com.acme.SoldOutException", message)
    assert said.attributes.get("exception.message") == message
    assert (
        said.error == said.attributes["error.type"] == said.attributes["exception.type"] == "com.acme.SoldOutException"
    )
    assert said.status is Status.UNKNOWN and said.response_kind == "exception"
    assert list(said.headers) == ([("k", "v")] if attached else [])


@pytest.mark.parametrize("kind", [6, -1, 47])
def test_an_unknown_kind(kind: int) -> None:
    said = answered(answer(1, b"\x90", kind=kind) if kind >= 0 else frame(1, integer(kind), status=20))
    assert (
        said.status is Status.UNKNOWN and said.response_kind is None and "0 to 5" in said.attributes["dubbo.malformed"]
    )


@pytest.mark.parametrize(
    ("status", "text", "word", "said"),
    [
        (40, "Fail to decode request due to: RpcInvocation [methodName=x]", "BAD_REQUEST", Status.INVALID_ARGUMENT),
        (40, "Fail to decode request due to: a.B: Service not found:x, y\n\tat", "BAD_REQUEST", Status.UNIMPLEMENTED),
        (70, "a.RemotingException: Not found exported service: x in []", "SERVICE_ERROR", Status.UNIMPLEMENTED),
        (70, "org.apache.dubbo.rpc.RpcException: No such method x in class y", "SERVICE_ERROR", Status.UNIMPLEMENTED),
        (70, "a.RpcException: " + "u" * 900 + ', cause: Not found method "x" in class y.', "SERVICE_ERROR", Status.UNIMPLEMENTED),
        (70, "java.lang.IllegalStateException: x\n\tat No such method", "SERVICE_ERROR", Status.INTERNAL),
        (25, "Data length too large: 20031, max payload: 8192", "SERIALIZATION_ERROR", Status.RESOURCE_EXHAUSTED),
        (25, "x", "SERIALIZATION_ERROR", Status.INTERNAL),
        (31, "x", "SERVER_TIMEOUT", Status.DEADLINE_EXCEEDED),
        (100, "x", "SERVER_THREADPOOL_EXHAUSTED_ERROR", Status.RESOURCE_EXHAUSTED),
        (0, "x", "0", Status.UNKNOWN),
        (255, "x", "255", Status.UNKNOWN),
    ],
)  # fmt: skip
def test_statuses(status: int, text: str, word: str, said: Status) -> None:
    found = answered(failure(1, status, text))
    assert (found.status, found.error, found.text()) == (said, word, text)
    assert found.attributes["dubbo.status"] == status and found.attributes["dubbo.error_message"] == text
    assert found.attributes["error.type"] == word and "dubbo.response_kind" not in found.attributes


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("org.apache.dubbo.rpc.RpcException: No such method\n\tat x.Y", "org.apache.dubbo.rpc.RpcException", "No such method"),
        ("java.lang.NullPointerException\n\tat x.Y", "java.lang.NullPointerException", None),
        ("a.b.C$D: e: f", "a.b.C$D", "e: f"),
        ("Failed to send response: Response [id=1, result=AppResponse [value=null, exception=a.StockException: sold: out\nnow]], "
         "cause: java.io.IOException: x", "a.StockException", "sold: out\nnow"),
        ("Failed to send response: Response [result=A [value=null, exception=a.StockException]], cause: x", "a.StockException", None),
        ("Failed to send response: Response [id=1, result=AppResponse [value=x, exception=null]], cause: x", None, None),
        ("Fail to decode request due to: RpcInvocation", None, None),
        ("plain: words", None, None),
        ("", None, None),
    ],
)  # fmt: skip
def test_a_text_tells_of_an_exception(text: str, name: str | None, message: str | None) -> None:
    found = answered(failure(1, 50, text))
    assert found.exception == (name, message)
    assert found.attributes.get("exception.type") == name and found.attributes.get("exception.message") == message


def test_a_text_costs_what_it_is() -> None:
    def cost(count: int) -> float:
        octets = failure(
            1, 50, "Failed to send response: x=null, exception=a.B: " + "x=null, exception=a.b.c: " * count
        )
        start = time.process_time()
        for _ in range(20):
            assert answered(octets).exception == (None, None)
        return time.process_time() - start

    assert growth(cost, 150, 1200, 24) <= 24


def test_values_inside_each_other_too_deep_are_told() -> None:
    deep = b"\x79" * 100 + b"\x90"
    assert "limits.nesting" in asked(call(1, types="Ljava/lang/Object;", arguments=deep)).attributes["dubbo.malformed"]
    thrown = exception("a.B", "c").replace(b"\x70", b"\x79" * 100 + b"\x70", 1)
    said = answered(answer(1, thrown, kind=3))
    assert said.status is Status.UNKNOWN and "dubbo.malformed" in said.attributes
    assert (
        "dubbo.malformed"
        not in asked(call(1, types="Ljava/lang/Object;", arguments=deep), Limits(nesting=200)).attributes
    )


# Lines of JSON.


def lines(*values: str, end: str = "\n") -> bytes:
    return "".join([value + end for value in values]).encode()


HEAD = ('"2.0.2"', '"com.acme.Orders"', '"1.2.3"', '"place"', '"Ljava/lang/String;"')


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("number", [6, 16])
def test_lines_end_where_java_ends_them(number: int, end: str) -> None:
    said = asked(
        frame(1, lines(*HEAD, '"x"', '{"group":"blue"}', end=end), request=True, two_way=True, serialization=number)
    )
    assert (said.service, said.operation, said.group) == ("com.acme.Orders", "place", "blue")
    assert dict(said.headers) == {"group": "blue"} and "dubbo.malformed" not in said.attributes


def test_no_carriage_return_hides_attachments() -> None:
    """`BufferedReader.readLine`, by which a provider reads, ends a line there: its attachments are the first ones."""
    octets = lines(*HEAD) + b'"x"\r{"path":"evil","group":"red"}\n{"path":"com.acme.Orders","group":"blue"}\n'
    said = asked(frame(1, octets, request=True, two_way=True, serialization=6))
    assert (said.group, said.attributes["dubbo.path"]) == ("red", "evil")


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("count", [1, 100, 255, 256, 257, 1023])
def test_a_line_of_any_size(count: int, end: bytes) -> None:
    octets = b'"%s"' % (b"x" * count) + end
    for begin in range(3):
        whole = b"\r" * begin + octets + b"1" + end
        assert json_line_end(whole, begin, len(whole), False) == begin + len(octets)
        assert json_line_end(whole, begin, begin + len(octets) - len(end), True) == -1


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_many_lines_cost_what_they_are(end: str) -> None:
    def cost(count: int) -> float:
        head = (*HEAD[:4], '"' + "I" * count + '"')
        octets = frame(1, lines(*head, *(["1"] * count), "{}", end=end), request=True, serialization=6)
        said = asked(octets)
        begun = time.process_time()
        assert said.attributes["dubbo.version"] == "2.0.2"
        return time.process_time() - begun

    assert growth(cost, 8_000, 64_000, 24) <= 24


@pytest.mark.parametrize("open_", ["[", '{"a":', '[{"a":'])
def test_types_of_a_generic_call_in_json_may_be_nested(open_: str) -> None:
    """The method is told, its types are not: the parser of JSON recurses."""
    octets = lines(*HEAD[:3], '"$invoke"', f'"{INVOKE}"', '"drop"', "[" + open_ * 100_000, "[1]", "{}")
    said = asked(frame(1, octets, request=True, two_way=True, serialization=6))
    assert (said.operation, said.param_types) == ("drop", None)


def test_json_is_utf_8() -> None:
    """`json` guesses the encoding of octets; Java does not."""
    value = '"com"'.encode("utf-16-le")
    said = asked(frame(1, b"\n".join([b'"2.0.2"', value, b'"1"', b'"m"', b'""', b"{}"]), request=True, serialization=6))
    assert said.service is None and "dubbo.malformed" in said.attributes


@pytest.mark.parametrize("digits", [100, 4300, 100_000])
def test_a_number_of_json_may_have_any_digits(digits: int) -> None:
    octets = lines(*HEAD, '"x"', '{"number":' + "7" * digits + ',"group":"blue"}')
    said = asked(frame(1, octets, request=True, two_way=True, serialization=16))
    assert said.group == "blue" and str(said.headers["number"]) == "7" * digits
