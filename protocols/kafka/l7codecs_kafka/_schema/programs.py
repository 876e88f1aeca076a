"""What it takes to pass over a body and note what is wanted: a short program, made once for each layout and set of wanted roles.

An instruction is an operation, how many octets are passed before it, and up to two numbers more. Fields of fixed size that nobody wants
cost none of their own; what holds nothing wanted is passed by its length; and behind the last wanted field there is nothing left to do,
unless every octet is to be looked at. The topics of a request of Produce v9:

    SKIP                              TransactionalId
    ARRAY           6 octets before   Acks, TimeoutMs; TopicData
      NOTE                              Name
      LAST                              in the last topic the walk ends here
      ARRAY                             PartitionData
        SKIP        4 octets before       Index; Records
        NEXT_TAGS                         a partition's tagged fields
      NEXT_TAGS                         a topic's
    END
"""

from __future__ import annotations

from typing import Final, final

from librt.vecs import append, vec
from mypy_extensions import i64

from .layouts import ERROR_CODE, RECORDS, SIZES, STRING, STRUCT, TOPIC, TOPIC_ID, Field, Layout

__all__ = ["Program", "program_for"]

END: Final[i64] = 0
NEXT: Final[i64] = 1
"""The end of an element; a: where its program begins; b: in how many arrays it is."""
NEXT_TAGS: Final[i64] = 2
"""The same behind tagged fields of which none is wanted."""
CODE: Final[i64] = 3
"""An error code, which is noted by its value."""

# What a length or a count precedes: what to do, plus the form of that number.
COMPACT: Final[i64] = 0
SHORT: Final[i64] = 1
"""16 bits."""
LONG: Final[i64] = 2
"""32 bits."""
FORM_MASK: Final[i64] = 3
SKIP: Final[i64] = 4
"""A string or octets."""
NOTE: Final[i64] = 8
"""A string or octets, field a; b: it may be cut."""
ARRAY: Final[i64] = 12
"""An array whose elements' program follows, up to NEXT; a: behind that; b: in how many arrays it is itself."""
SKIP_ITEMS: Final[i64] = 16
"""An array of elements of a octets."""
SKIP_STRUCTS: Final[i64] = 20
"""An array of structs of a octets and tagged fields each, of which none is wanted."""
EACH: Final[i64] = 24
"""Field a: an array of elements of b octets."""
SIZED: Final[i64] = 28
"""All below it, from SKIP on, are such."""

FIXED: Final[i64] = 28
"""Field a of b octets."""
LAST: Final[i64] = 29
"""Nothing wanted follows in the last element of all arrays around, which are a."""
SKIP_TAGS: Final[i64] = 30
PASS: Final[i64] = 31
"""Nothing but the octets before."""
NULLABLE: Final[i64] = 32
"""A struct that may be null; a: behind it."""
TAGGED: Final[i64] = 33
"""Tagged fields of which some are wanted; a: NEXT_TAG of it."""
NEXT_TAG: Final[i64] = 34
"""a: behind it all; b entries follow."""
TAG: Final[i64] = 35
"""An entry: the program of tag b begins at a."""
END_TAG: Final[i64] = 36
"""The end of a tagged field's program; a: NEXT_TAG."""

ARRAYS: Final[i64] = 5
"""How deep arrays stand in arrays at most, in all of the table."""

# An instruction as one number:
#
#     bits    0       8              24            44
#             ├───────┼──────────────┼─────────────┼────────────
#             │ op    │ octets before│ a           │ b
BEFORE: Final[i64] = 8
BEFORE_MASK: Final[i64] = 0xFFFF
A: Final[i64] = 24
A_MASK: Final[i64] = 0xFFFFF
B: Final[i64] = 44
OP_MASK: Final[i64] = 0xFF


@final
class Program:
    """The instructions, one behind another, of one set of `wanted` roles."""

    def __init__(self, wanted: i64, kind: i64) -> None:
        self.wanted: i64 = wanted
        self.kind: i64 = kind
        self.code: vec[i64] = vec[i64]()
        self.plain = False
        """Whether `names` can run it, which notes strings, and ids that stand right before their name or have none; or `codes`."""
        self.paired = False
        """Of a plain one: whether there are both."""
        self._before: i64 = 0

    def add(self, op: i64, a: i64 = 0, b: i64 = 0) -> i64:
        """Append an instruction; returns where it stands."""
        at: i64 = len(self.code)
        if self._before > BEFORE_MASK or a > A_MASK or b > A_MASK:
            raise ValueError(f"an instruction has no room for {self._before}, {a}, {b}")
        self.code = append(self.code, op | self._before << BEFORE | a << A | b << B)
        self._before = 0
        return at

    def skip(self, octets: i64) -> None:
        """Pass octets before the next instruction."""
        self._before += octets

    def aim(self, at: i64) -> None:
        """Let an instruction that was added with no `a` jump to what comes next."""
        if self._before > 0:
            self.add(PASS)
        self.code[at] |= i64(len(self.code)) << A


WALK: Final[i64] = 0
"""A program that ends behind the last wanted field."""
CHECK: Final[i64] = 1
"""One that goes on to the end of the body."""
CODES: Final[i64] = 2
"""One that ends behind the last error code, and notes them by their values."""


@final
class _Maker:
    """Makes one program."""

    def __init__(self, flexible: bool, wanted: i64, kind: i64) -> None:
        self.program = Program(wanted, kind)
        self._flexible = flexible
        self._wanted: i64 = wanted
        self._codes = kind == CODES
        self._depth: i64 = 0

    def body(self, root: Field, check: bool) -> None:
        """The whole program."""
        if (check or root.has & self._wanted) and self._struct(root, not check):
            self.program.add(SKIP_TAGS)
        self.program.add(END)

    def _struct(self, struct: Field, closing: bool) -> bool:
        """The fields of a struct; `closing`: nothing wanted follows it, but in further elements of arrays around it.

        Returns whether its tagged fields are still to be passed.
        """
        wanted = self._wanted
        last = -1
        ordinary = [field for field in struct.fields if field.tag < 0]
        tagged = [field for field in struct.tagged if field.has & wanted]
        if closing and not tagged:
            for number, field in enumerate(ordinary):
                if field.has & wanted:
                    last = number
        for number, field in enumerate(ordinary):
            self._value(field, number == last)
            if number == last:
                if self._depth == 0:
                    return False
                self.program.add(LAST, self._depth)
        if not self._flexible:
            return False
        if not tagged:
            return True
        head = self.program.add(TAGGED)
        self.program.aim(head)
        following = self.program.add(NEXT_TAG, 0, len(tagged))
        entries = [self.program.add(TAG, 0, field.tag) for field in tagged]
        for entry, field in zip(entries, tagged, strict=True):
            self.program.aim(entry)
            self._value(field, False)
            self.program.add(END_TAG, following)
        self.program.aim(following)
        return False

    def _value(self, field: Field, closing: bool) -> None:
        """One field."""
        program = self.program
        kind = field.kind
        size: i64 = SIZES[kind]
        wanted = field.role & self._wanted
        if field.array:
            self._array(field, closing)
        elif kind == STRUCT:
            head: i64 = -1
            if field.nullable:
                head = program.add(NULLABLE)
            if self._struct(field, False):
                program.add(SKIP_TAGS)
            if head >= 0:
                program.aim(head)
        elif size == 0:
            self._octets(field)
        elif not wanted:
            program.skip(size)
        elif self._codes and field.role == ERROR_CODE:
            program.add(CODE)
        else:
            program.add(FIXED, field.number, size)

    def _array(self, field: Field, closing: bool) -> None:
        program = self.program
        kind = field.kind
        form = COMPACT if self._flexible else LONG
        size: i64 = SIZES[kind]
        if kind == STRUCT and not field.has & self._wanted:
            size = self._fixed(field)
            if size > 0:
                program.add((SKIP_STRUCTS if self._flexible else SKIP_ITEMS) + form, size)
                return
        elif size > 0:
            if field.role & self._wanted:
                program.add(EACH + form, field.number, size)
            else:
                program.add(SKIP_ITEMS + form, size)
            return
        head = program.add(ARRAY + form, 0, self._depth)
        begin: i64 = len(program.code)
        self._depth += 1
        if self._depth > ARRAYS:
            raise ValueError(f"{field.path}: more than {ARRAYS} arrays in each other")
        tags = False
        if kind == STRUCT:
            tags = self._struct(field, closing)
        else:
            self._octets(field)
        program.add(NEXT_TAGS if tags else NEXT, begin, self._depth)
        self._depth -= 1
        program.aim(head)

    def _octets(self, field: Field) -> None:
        """A string or octets."""
        form = COMPACT
        if not self._flexible:
            form = SHORT if field.kind == STRING else LONG
        if field.role & self._wanted:
            self.program.add(NOTE + form, field.number, 1 if field.role == RECORDS else 0)
        else:
            self.program.add(SKIP + form)

    def _fixed(self, struct: Field) -> i64:
        """The octets of a struct whose size, but for tagged fields, is always the same; 0 where it is not."""
        total: i64 = 0
        for field in struct.fields:
            if field.tag >= 0:
                continue
            size: i64 = SIZES[field.kind]
            if field.array or size == 0:
                return 0
            total += size
        return total


def program_for(layout: Layout, wanted: i64, kind: i64) -> Program:
    """The program that notes the roles `wanted`, which is made once."""
    for program in layout.programs:
        assert isinstance(program, Program)
        if program.wanted == wanted and program.kind == kind:
            return program
    made = _make(layout, wanted, kind)
    if len(layout.programs) < _PROGRAMS:
        layout.programs.append(made)
    return made


_PROGRAMS: Final = 64
"""Sets of wanted roles that are remembered for a layout."""


def _make(layout: Layout, wanted: i64, kind: i64) -> Program:
    maker = _Maker(layout.flexible, wanted, kind)
    maker.body(layout.root, kind == CHECK)
    program = maker.program
    if kind == CODES:
        program.plain = wanted == ERROR_CODE and _is_plain(program, layout, True)
    else:
        program.plain = kind == WALK and wanted & ~(TOPIC | TOPIC_ID) == 0 and _is_plain(program, layout, False)
    return program


def _is_plain(program: Program, layout: Layout, codes: bool) -> bool:
    """Whether `names` can run it, or else `codes`."""
    both = program.wanted == TOPIC | TOPIC_ID
    program.paired = both
    beside: Field | None = None
    """The id that stands right before."""
    for word in program.code:
        op = word & OP_MASK
        a = (word >> A) & A_MASK
        b = word >> B
        do = op & ~FORM_MASK if SKIP <= op < SIZED else op
        if codes and (do == FIXED or do == NOTE):
            return False
        if (do == CODE and not codes) or do == EACH or do > PASS or (do == ARRAY and b > 2) or (do == LAST and a > 3):
            return False
        if do == FIXED:
            if beside is not None:
                return False
            if both:
                beside = layout.all[a]
        elif do == NOTE:
            if both and (beside is None or _around(beside) != _around(layout.all[a]) or (word >> BEFORE) & BEFORE_MASK):
                return False
            beside = None
        elif beside is not None:
            return False
    return True


def _around(field: Field) -> str:
    """The struct that it stands in; one of its own where it is an array."""
    return field.path if field.array else field.path.rpartition(".")[0]
