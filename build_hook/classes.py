"""What mypyc's classes do otherwise than Python's own, mended in the C that it made.

- `with_checked_properties`: what is assigned to a property is checked, and `del` of it refused.
- `with_members`: reading an attribute costs what reading a slot of CPython's own costs.
- `with_direct_allocation`: so does making an object.
- `with_pools`: objects that come and go are used again, as CPython's own are.
- `with_direct_making`: what such an object holds is written once.
- `with_direct_slices`: a slice of octets is cut in place.
- `with_plain_ends`: an iterator ends without an exception.
- `PRELUDE` says what is done seldom, so that it stands apart from what is done each time.
"""

from __future__ import annotations

import re

__all__ = [
    "PRELUDE",
    "with_checked_properties",
    "with_direct_allocation",
    "with_direct_making",
    "with_direct_slices",
    "with_members",
    "with_plain_ends",
    "with_pools",
]

PRELUDE = """#ifndef L7_PRELUDE
#define L7_PRELUDE
/* As PyObject_TypeCheck, which calls a function for every subclass: mypyc asks at each use of what `isinstance` has told. */
static inline int l7_is_a(PyObject *object, PyTypeObject *type)
{
    PyTypeObject *own = Py_TYPE(object), *base;
    if (own == type)
        return 1;
    base = own->tp_base;
    if (base != NULL && (base == type || base->tp_base == type))
        return 1;
    return PyType_IsSubtype(own, type);
}
#undef PyObject_TypeCheck
#define PyObject_TypeCheck(object, type) l7_is_a((PyObject *)(object), (PyTypeObject *)(type))
#define CPy_TypeCheck(object, type) l7_is_a((PyObject *)(object), (PyTypeObject *)(type))
/* As CPyBytes_GetSlice. */
static inline PyObject *l7_bytes_slice(PyObject *octets, CPyTagged start, CPyTagged stop)
{
    if (likely(CPyTagged_CheckShort(start) && CPyTagged_CheckShort(stop) && PyBytes_Check(octets))) {
        Py_ssize_t first = CPyTagged_ShortAsSsize_t(start), last = CPyTagged_ShortAsSsize_t(stop);
        if (likely(0 <= first && first < last && last <= PyBytes_GET_SIZE(octets)))
            return PyBytes_FromStringAndSize(PyBytes_AS_STRING(octets) + first, last - first);
    }
    return CPyObject_GetSlice(octets, start, stop);
}
/* What leads to one of these is done seldom: the compiler lays it aside, so what is done each time lies close together. */
#ifdef __GNUC__
#define L7_SELDOM(function) extern __typeof__(function) function __attribute__((cold))
L7_SELDOM(CPy_AddTraceback);
L7_SELDOM(CPy_AttributeError);
L7_SELDOM(CPy_TypeError);
L7_SELDOM(CPy_TypeErrorTraceback);
L7_SELDOM(CPyError_OutOfMemory);
L7_SELDOM(PyErr_SetString);
L7_SELDOM(PyErr_Format);
#endif
#endif
"""
"""What the changed C calls: it stands behind the headers of each file."""

_PROPERTY_SETTER = re.compile(
    r"(?P<head>^static int\n\w+\(\w+ \*self, PyObject \*value, void \*closure\)\n\{\n)"
    r"(?:(?!^\}\n).*\n)*?"
    r"    (?:retval = )?CPyDef_(?P<function>\w+)\(\(PyObject \*\) self, \w+\);\n"
    r"(?:    if \(retval == 2\) \{\n        return -1;\n    \}\n)?"
    r"    return 0;\n"
    r"\}\n",
    re.MULTILINE,
)


def with_checked_properties(source: str) -> str:
    """`source` in C, where the setter of a property looks at what it is given.

    CPython calls a setter with NULL for `del`. mypyc's own attributes look for that; its properties do not, nor do they check a type that
    may be None: each was a crash. The function that Python code calls does all of it.
    """
    return _PROPERTY_SETTER.sub(
        lambda found: (
            f"""{found["head"]}    if (value == NULL) {{
        PyErr_SetString(PyExc_AttributeError, "this attribute cannot be deleted");
        return -1;
    }}
    PyObject *done = CPyPy_{found["function"]}((PyObject *) self, &value, 1, NULL);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}}
"""
        ),
        source,
    )


_TABLE = re.compile(
    r"^static PyGetSetDef (?P<owner>\w+)_getseters\[\] = \{\n(?P<entries>.*?)^[ \t]*\};\n", re.MULTILINE | re.DOTALL
)
_ENTRY = re.compile(
    r'\{"(?P<name>[A-Za-z]\w*)",\s*\(getter\)(?P<getter>\w+),\s*(?:\(setter\)\w+|NULL),\s*(?P<doc>NULL|(?:"(?:[^"\\]|\\.)*"\s*)+), NULL\}'
)
_GETTER = r"^{getter}\((?P<struct>\w+) \*self, void \*closure\)\n\{{\n(?P<body>.*?)^\}}\n"
_HELD = re.compile(
    r"(?:    if \(unlikely\(self->(?P<checked>\w+) == NULL\)\) \{\n(?:        .*\n)+    \}\n)?"
    r"    CPy_INCREF(?:_NO_IMM)?\(self->(?P<field>\w+)\);\n    PyObject \*retval = self->(?P=field);\n    return retval;\n"
)
_CALLED = re.compile(r"    return (?P<function>CPyDef_\w+)\(\(PyObject \*\) self\);\n")
_RETURNED = (
    r"^[ \t]*PyObject \*{function}\(PyObject \*cpy_r_self\) \{{\n"
    r"(?:    PyObject \*cpy_r_r\d;\n)+"
    r"    cpy_r_r0 = \(\(\w+ \*\)cpy_r_self\)->(?P<field>\w+);\n"
    r"(?:    if \(unlikely\(cpy_r_r0 == NULL\)\) \{{\n        CPy_AttributeError\(.*\n        goto CPyL\d;\n    \}}\n)?"
    r"    CPy_INCREF(?:_NO_IMM)?\(cpy_r_r0\);\n"
    r"(?:CPyL\d: ;\n)?"
    r"    return cpy_r_r0;\n"
)
_SETATTRO = """#include <structmember.h>

static int
l7_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    PyObject *found = _PyType_Lookup(Py_TYPE(self), name);
    if (found != NULL && Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        for (PyGetSetDef *each = PyDescr_TYPE(found)->tp_getset; each != NULL && each->name != NULL; each++) {
            if (each->set != NULL && PyUnicode_CompareWithASCIIString(name, each->name) == 0)
                return each->set(self, value, each->closure);
        }
    }
    return PyObject_GenericSetAttr(self, name, value);
}

"""


def with_members(source: str) -> str:
    """`source` in C, where public attributes that hold an object are members of their type, and properties that only return one.

    CPython's interpreter reads a member (`PyMemberDef`) in place; a getter costs it a look-up and two calls, which was half of what a loop
    over events does. What is assigned goes on to mypyc's setter, which sees to its type. The getters stay beside them for the setters'
    sake: of two descriptors with a name, CPython takes the member.
    """
    prepared = False

    def add(found: re.Match[str]) -> str:
        nonlocal prepared
        owner = found["owner"]
        members = [
            f'    {{"{entry["name"]}", T_OBJECT_EX, offsetof({held[0]}, {held[1]}), READONLY, {entry["doc"]}}},\n'
            for entry in _ENTRY.finditer(found["entries"])
            if (held := _held(source, entry["getter"])) is not None
        ]
        if not members:
            return found[0]
        owners.append(owner)
        head = "" if prepared else _SETATTRO
        prepared = True
        table = f"static PyMemberDef {owner}_members[] = {{\n{''.join(members)}    {{NULL}}  /* Sentinel */\n}};\n"
        return f"{head}{found[0]}{table}"

    owners: list[str] = []
    text = _TABLE.sub(add, source)
    for owner in owners:
        slot = f"    .tp_getset = {owner}_getseters,\n"
        if text.count(slot) != 1:
            raise ValueError(f"mypyc's type {owner} has no table of attributes")
        text = text.replace(slot, f"{slot}    .tp_members = {owner}_members,\n    .tp_setattro = l7_setattro,\n")
    return text


def _held(source: str, getter: str) -> tuple[str, str] | None:
    """The struct and its field that `getter` does nothing with but return it; None where it does anything else."""
    found = re.search(_GETTER.format(getter=getter), source, re.MULTILINE | re.DOTALL)
    if found is None:
        return None
    held = _HELD.fullmatch(found["body"])
    if held is None:
        called = _CALLED.fullmatch(found["body"])
        held = called and re.search(_RETURNED.format(function=called["function"]), source, re.MULTILINE)
    return (found["struct"], held["field"]) if held else None


_ALLOCATION = re.compile(
    r"    self = \((?P<struct>\w+) \*\)type->tp_alloc\(type, 0\);\n"
    r"(?=    if \(self == NULL\)\n        return NULL;\n"
    r"(?:    self->vtable = (?P<owner>\w+)_vtable;|    if \(type != CPyType_(?P<base>\w+)\) \{))"
)


def with_direct_allocation(source: str) -> str:
    """`source` in C, where an object of a class that the garbage collector does not track is made without a call of its type's.

    `PyType_GenericAlloc` works out for each object what is known of the class: its size, and that nothing stands before it.
    """

    def mend(found: re.Match[str]) -> str:
        owner = found["owner"] or found["base"]
        flags = re.search(rf"CPyType_{owner}_template_ = \{{\n.*?\.tp_flags = ([^,]*),", source, re.DOTALL)
        if flags is None or "HAVE_GC" in flags[1] or "MANAGED" in flags[1]:
            return found[0]
        return (
            f"    if (type == CPyType_{owner}) {{\n"
            f"        self = PyObject_Malloc(sizeof({found['struct']}));\n"
            "        if (self == NULL)\n"
            "            return PyErr_NoMemory();\n"
            f"        memset((void *)self, 0, sizeof({found['struct']}));\n"
            "        PyObject_Init((PyObject *)self, type);\n"
            "    } else\n"
            f"    {found[0]}"
        )

    return _ALLOCATION.sub(mend, source)


_ENDS = re.compile(
    r"    (?P<module>cpy_r_r\d+) = CPyImport_GetModuleCache\(&CPyModule_builtins\);\n"
    r"    (?P<name>cpy_r_r\d+) = [^\n]*; /\* 'StopIteration' \*/\n"
    r"    (?P<raised>cpy_r_r\d+) = CPyObject_GetAttr\((?P=module), (?P=name)\);\n"
    r"    if \(unlikely\((?P=raised) == NULL\)\) \{\n(?:        .*\n)+?    \}\n"
    r"    CPy_Raise\((?P=raised)\);\n"
    r"    CPy_DECREF\((?P=raised)\);\n"
    r"    if \(unlikely\(!0\)\) \{\n"
    r'        CPy_AddTraceback\("[^"]*", "__next__", .*\n'
    r"        (?P<leave>goto CPyL\d+;)\n"
    r"    \}\n"
)
_NEXT_CALLED = re.compile(
    r"^([ \t]*)PyObject \*retval = CPyDef_\w+_____next__\(arg_self\);\n\1return retval;\n", re.MULTILINE
)


def with_plain_ends(source: str) -> str:
    """`source` in C, where an iterator that is at its end says so by returning nothing.

    CPython takes NULL without an exception for the end. Raising StopIteration, with the traceback that nobody sees, was a third of what
    a read of one message costs. Who calls ``__next__`` by its name gets the exception.
    """
    text, ends = _ENDS.subn(r"    \g<leave>\n", source)
    if not ends:
        return source
    return _NEXT_CALLED.sub(
        lambda found: (
            f"{found[0].splitlines(keepends=True)[0]}"
            f"{found[1]}if (retval == NULL && !PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);\n"
            f"{found[1]}return retval;\n"
        ),
        text,
    )


_POOL_SIZE = 1024
"""Objects of a class that are kept for the next ones."""
_POOLED = re.compile(
    r"^(?P<name>\w+)_dealloc\((?P<struct>\w+) \*self\)\n"
    r"\{\n"
    r"    if \((?P<pool>\w+_free_instance) == NULL\) \{\n"
    r"        (?P=pool) = self;\n"
    r"(?P<fields>(?:        .*\n)*)"
    r"        return;\n"
    r"    \}\n"
    r"    CPyDef_(?P=name)_clear\(\(PyObject \*\)self\);\n"
    r"    Py_TYPE\(self\)->tp_free\(\(PyObject \*\)self\);\n"
    r"    done: ;\n"
    r"\}\n",
    re.MULTILINE,
)
_OBJECT_FIELD = re.compile(r"^        Py_CLEAR\((self->\w+)\);\n", re.MULTILINE)
_TAKEN = (
    "    if ({pool} != NULL) {{\n"
    "        self = {pool};\n"
    "        {pool} = NULL;\n"
    "        Py_SET_REFCNT(self, 1);\n"
    "        return (PyObject *)self;\n"
    "    }}\n"
    "    if (type == CPyType_{name}) {{\n"
    "        self = PyObject_Malloc("
)


def with_pools(source: str) -> str:
    """`source` in C, where up to so many objects of a class with a free list (``free_list_len``) are kept for the next ones.

    mypyc 2.4 keeps one, which does nothing for messages of which a read brings many. Those that are kept are linked by the place of
    their tables of methods, and count how many are below them. Only of classes that the garbage collector does not track.
    """

    def mend(found: re.Match[str]) -> str:
        pool = found["pool"]
        released = "".join(f"    Py_XDECREF({each[1]});\n" for each in _OBJECT_FIELD.finditer(found["fields"]))
        pools.append((found["name"], found["struct"], pool))
        return (
            f"{found['name']}_dealloc({found['struct']} *self)\n"
            "{\n"
            f"{released}"
            f"    Py_ssize_t count = {pool} == NULL ? 1 : Py_REFCNT({pool}) + 1;\n"
            f"    if (likely(count <= {_POOL_SIZE})) {{\n"
            "        Py_SET_REFCNT((PyObject *)self, count);\n"
            f"        self->vtable = (CPyVTableItem *){pool};\n"
            f"        {pool} = self;\n"
            "        return;\n"
            "    }\n"
            "    PyObject_Free(self);\n"
            "}\n"
        )

    pools: list[tuple[str, str, str]] = []
    text = _POOLED.sub(mend, source)
    for name, struct, pool in pools:
        taken = _TAKEN.format(name=name, pool=pool)
        if text.count(taken) != 1:
            raise ValueError(f"mypyc's class {name} takes nothing from its free list")
        text = text.replace(
            taken,
            f"    if (likely({pool} != NULL && type == CPyType_{name})) {{\n"
            f"        self = {pool};\n"
            f"        {pool} = ({struct} *)self->vtable;\n"
            f"        memset((char *)self + sizeof(PyObject), 0, sizeof({struct}) - sizeof(PyObject));\n"
            "        Py_SET_REFCNT((PyObject *)self, 1);\n"
            f"    }} else if (type == CPyType_{name}) {{\n"
            "        self = PyObject_Malloc(",
        )
    return text


_MAKING = re.compile(
    r"^PyObject \*CPyDef_(?P<name>\w+)\((?P<given>[^\n]*)\)\n"
    r"\{\n"
    r"    PyObject \*self = (?P<setup>\w+)\(\(PyObject \*\)CPyType_(?P=name)\);\n"
    r"    if \(self == NULL\)\n"
    r"        return NULL;\n"
    r"    char res = (?P<call>CPyDef_(?P=name)_____init__\([^\n]*\));\n"
    r"    if \(res == 2\) \{\n"
    r"        Py_DECREF\(self\);\n"
    r"        return NULL;\n"
    r"    \}\n"
    r"    return self;\n"
    r"\}\n",
    re.MULTILINE,
)
_PLAIN_INIT = r"^char CPyDef_{name}_____init__\([^\n]*\) \{{\n(?P<body>(?:    [^\n]*;\n)*)    return 1;\n\}}\n"
_WRITTEN = re.compile(r"\(\(\w+ \*\)cpy_r_self\)->(\w+) = ")
_SET_UP = (
    r"^PyObject \*{setup}\(PyObject \*cpy_r_type\)\n\{{\n.*?\n"
    r"(?P<fields>(?:    self->\w+ = [^\n]*;\n)+)    return \(PyObject \*\)self;\n\}}\n"
)


def with_direct_making(source: str) -> str:
    """`source` in C, where an object of a pooled class is not filled before ``__init__`` fills it, which does nothing else.

    Which is one without a branch, an error, or a call: everything that it does not write is set before. The text is that of `with_pools`.
    """

    def mend(found: re.Match[str]) -> str:
        name, pool = found["name"], f"{found['name']}_free_instance"
        init = re.search(_PLAIN_INIT.format(name=name), source, re.MULTILINE)
        dealloc = re.search(
            rf"^{name}_dealloc\((?P<struct>\w+) \*self\)\n(?P<body>.*?)^\}}\n", source, re.MULTILINE | re.DOTALL
        )
        if init is None or dealloc is None or f"{pool} = self;" not in dealloc["body"] or "goto" in init["body"]:
            return found[0]
        setup = re.search(_SET_UP.format(setup=found["setup"]), source, re.MULTILINE | re.DOTALL)
        if setup is None:
            raise ValueError(f"mypyc's class {name} has no fields to set up")
        written = set(_WRITTEN.findall(init["body"]))
        before = [line for line in setup["fields"].splitlines(True) if line.split("->")[1].split(" ")[0] not in written]
        objects = re.findall(r"Py_XDECREF\(self->(\w+)\)", dealloc["body"])
        before += [f"    self->{field} = NULL;\n" for field in objects if field not in written]
        call = re.sub(r"\(self\b", "((PyObject *)self", found["call"], count=1)
        return (
            f"PyObject *CPyDef_{name}({found['given']})\n"
            "{\n"
            f"    {dealloc['struct']} *self = {pool};\n"
            "    if (likely(self != NULL)) {\n"
            f"        {pool} = ({dealloc['struct']} *)self->vtable;\n"
            "        Py_SET_REFCNT((PyObject *)self, 1);\n"
            "    } else {\n"
            f"        self = PyObject_Malloc(sizeof({dealloc['struct']}));\n"
            "        if (self == NULL)\n"
            "            return PyErr_NoMemory();\n"
            f"        PyObject_Init((PyObject *)self, CPyType_{name});\n"
            "    }\n"
            f"{''.join(before)}"
            f"    {call};\n"
            "    return (PyObject *)self;\n"
            "}\n"
        )

    return _MAKING.sub(mend, source)


def with_direct_slices(source: str) -> str:
    """`source` in C, where a slice of `bytes` that lies inside of it is cut without a call that looks at its indexes again."""
    return source.replace("CPyBytes_GetSlice(", "l7_bytes_slice(")
