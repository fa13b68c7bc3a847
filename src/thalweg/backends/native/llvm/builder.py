"""A writer of LLVM IR: instructions, structured loops, hoisting into preheaders.

The text form is written directly: it is several times faster than building an object for every
instruction, and it is what the compile cache is keyed by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Union

from thalweg.backends.native.llvm.ssa import I64, PTR, Number, SsaValue, Type, float_literal
from thalweg.base.record import Record, field

Lines = list[Union[str, "Lines"]]


class EmittedLoop(Record, frozen=False):
    """A loop being written.

    Attributes:
        index: runs from `start` in steps of `step`.
        preheader: the place in front of it, for its invariants.
        walkers: the pointers that move with it.
    """

    index: SsaValue
    start: SsaValue
    step: int
    preheader: Lines
    walkers: list[Walker] = field(default_factory=list)


class Walker(Record):
    """A pointer that moves with a loop.

    Attributes:
        pointer: what it is in an iteration.
        first: what it is in the first one.
        distance: how many elements it moves to the next one.
        element: their type.
    """

    pointer: SsaValue
    first: SsaValue
    distance: SsaValue
    element: str


class OutOfLineFunction(Record):
    """A function beside the one being written, which calls it; see `Builder.out_of_line`.

    Attributes:
        head: up to its attributes.
        body: between the braces.
        record: the type that it returns, which holds its results.
        results: their types.
        inlined: whether LLVM is to put its body in the place of each call.
    """

    head: str
    body: str
    record: str
    results: tuple[Type, ...]
    inlined: bool = False

    def text(self, attributes: str) -> str:
        """Its definition."""
        how = "alwaysinline" if self.inlined else "noinline"
        return f"{self.head} {attributes} {how} willreturn memory(none) {{\n{self.body}\n}}\n"


class Builder:
    """Writes one function's body. Instructions go to the current place; `at` moves it.

    Args:
        converts_halves: whether the CPU has instructions that convert float16.
    """

    def __init__(self, converts_halves: bool = True) -> None:
        self.converts_halves = converts_halves
        self._names = count()
        self.entry: Lines = []
        self._body: Lines = []
        self._here = self._body
        self._block = "entry"
        self.declarations: dict[str, str] = {}
        self.functions: dict[str, OutOfLineFunction] = {}

    # -- values

    def emit(self, text: str, type: Type) -> SsaValue:
        """Append `%name = text` and return the value."""
        ref = f"%v{next(self._names)}"
        self._here.append(f"  {ref} = {text}")
        return SsaValue(self, type, ref)

    def line(self, text: str) -> None:
        """Append an instruction that has no value."""
        self._here.append("  " + text)

    def constant(self, type: Type, number: float) -> SsaValue:
        """A literal; a vector type gets it in every lane."""
        if type.is_float:
            literal = float_literal(float(number), type.element)
        elif type.element == "i1":
            literal = "true" if number else "false"
        else:
            literal = str(int(number))
        if type.lanes:
            literal = f"splat ({type.element} {literal})"
        return SsaValue(self, type, literal)

    def like(self, value: SsaValue, other: Number) -> SsaValue:
        """`other` with the type of `value`: numbers become constants, scalars are splat."""
        if not isinstance(other, SsaValue):
            return self.constant(value.type, other)
        if value.type.lanes and not other.type.lanes:
            return self.splat(other, value.type.lanes)
        return other

    def index(self, number: int) -> SsaValue:
        """An i64 constant."""
        return self.constant(I64, number)

    def lanes(self, element: str, numbers: Sequence[int]) -> SsaValue:
        """A constant integer vector, one number a lane."""
        text = ", ".join(f"{element} {number}" for number in numbers)
        return SsaValue(self, Type(element, len(numbers)), f"<{text}>")

    def splat(self, scalar: SsaValue, lanes: int) -> SsaValue:
        if scalar.type.lanes or not lanes:
            return scalar
        type = Type(scalar.type.element, lanes)
        if not scalar.ref.startswith("%"):
            return SsaValue(self, type, f"splat ({scalar.type} {scalar.ref})")
        first = self.emit(f"insertelement {type} poison, {scalar.type} {scalar.ref}, i64 0", type)
        text = f"shufflevector {type} {first.ref}, {type} poison, <{lanes} x i32> zeroinitializer"
        return self.emit(text, type)

    def extract(self, vector: SsaValue, lane: int) -> SsaValue:
        scalar = Type(vector.type.element)
        return self.emit(f"extractelement {vector.type} {vector.ref}, i64 {lane}", scalar)

    def shuffle(self, first: SsaValue, second: SsaValue, chosen: Sequence[int]) -> SsaValue:
        """A vector of lanes of two others; those of the second are numbered after the first's."""
        numbers, type = self.lanes("i32", chosen), first.type
        operands = f"{type} {first.ref}, {type} {second.ref}, {numbers.type} {numbers.ref}"
        return self.emit(f"shufflevector {operands}", Type(type.element, len(chosen)))

    def convert(self, op: str, value: SsaValue, element: str) -> SsaValue:
        type = value.type.of(element)
        return self.emit(f"{op} {value.type} {value.ref} to {type}", type)

    def call(self, name: str, result: Type | None, *args: SsaValue) -> SsaValue:
        """Call a function by name and declare it; without a result, returns args[0]."""
        returns = str(result) if result else "void"
        self.declarations[name] = (
            f"declare {returns} @{name}({', '.join(str(arg.type) for arg in args)})"
        )
        text = f"call {returns} @{name}({', '.join(f'{arg.type} {arg.ref}' for arg in args)})"
        if result:
            return self.emit(text, result)
        self.line(text)
        return args[0]

    def out_of_line(
        self,
        name: str,
        write: Callable[..., Sequence[SsaValue]],
        *args: SsaValue,
        inlined: bool = False,
    ) -> list[SsaValue]:
        """Call a function of the module, which is written when it is called first.

        It is for what is long and used at many points of a tile: LLVM's time goes with the length.
        Or, if it is inlined, for a branch, which may not be written where expressions are. It must
        not write memory, nor read any but constants of the module and its own, so that LLVM may
        move calls to where they are needed.

        Args:
            name: of the function, the same only for the same results and types of arguments.
            write: makes the results from the parameters.
            args: what it is applied to.
            inlined: whether LLVM is to put its body in the place of each call.
        """
        if name not in self.functions:
            self.functions[name] = self._written(name, write, [arg.type for arg in args], inlined)
        made = self.functions[name]
        given = ", ".join(f"{arg.type} {arg.ref}" for arg in args)
        record = self.emit(f"call {made.record} @{name}({given})", made.results[0]).ref
        return [
            self.emit(f"extractvalue {made.record} {record}, {place}", type)
            for place, type in enumerate(made.results)
        ]

    def _written(
        self,
        name: str,
        write: Callable[..., Sequence[SsaValue]],
        types: Sequence[Type],
        inlined: bool,
    ) -> OutOfLineFunction:
        inner = Builder(self.converts_halves)
        parameters = [SsaValue(inner, type, f"%p{n}") for n, type in enumerate(types)]
        results = write(*parameters)
        record = f"{{{', '.join(str(result.type) for result in results)}}}"
        whole = "poison"
        for place, result in enumerate(results):
            text = f"insertvalue {record} {whole}, {result.type} {result.ref}, {place}"
            whole = inner.emit(text, result.type).ref
        inner.line(f"ret {record} {whole}")
        self.declarations |= inner.declarations
        self.functions |= inner.functions
        taken = ", ".join(f"{p.type} {p.ref}" for p in parameters)
        head = f"define internal {record} @{name}({taken})"
        kinds = tuple(result.type for result in results)
        return OutOfLineFunction(head, inner.body_text(), record, kinds, inlined)

    def intrinsic(self, name: str, type: Type, *args: SsaValue) -> SsaValue:
        """Call an intrinsic overloaded on (and returning) `type`."""
        return self.call(f"{name}.{type.mangled}", type, *args)

    # -- memory

    def address(self, base: SsaValue, index: SsaValue, element: str) -> SsaValue:
        """`base + index` elements, in bytes of `element` (i1 is kept in a byte)."""
        stored = "i8" if element == "i1" else element
        return self.emit(
            f"getelementptr inbounds {stored}, ptr {base.ref}, {index.type} {index.ref}", PTR
        )

    def load_volatile(self, type: Type, pointer: SsaValue) -> SsaValue:
        """Load what `store_volatile` has stored."""
        return self.emit(f"load volatile {type}, ptr {pointer.ref}", type)

    def store_volatile(self, value: SsaValue, pointer: SsaValue) -> None:
        """Store a value that is to stay in memory: LLVM keeps no copy of it in registers."""
        self.line(f"store volatile {value.type} {value.ref}, ptr {pointer.ref}")

    def load(self, type: Type, pointer: SsaValue, mask: SsaValue | None = None) -> SsaValue:
        """Load a scalar or a vector of consecutive elements; masked-off lanes read as zero."""
        if mask is None:
            return self.emit(f"load {type}, ptr {pointer.ref}, align {_align(type)}", type)
        zero = SsaValue(self, type, "zeroinitializer")
        return self._masked("load", type, type, pointer, mask, zero)

    def store(self, value: SsaValue, pointer: SsaValue, mask: SsaValue | None = None) -> None:
        align = _align(value.type)
        if mask is None:
            self.line(f"store {value.type} {value.ref}, ptr {pointer.ref}, align {align}")
            return
        name = f"llvm.masked.store.{value.type.mangled}.p0"
        args = f"{value.type} {value.ref}, ptr align {align} {pointer.ref}, {mask.type} {mask.ref}"
        self.declarations[name] = f"declare void @{name}({value.type}, ptr, {mask.type})"
        self.line(f"call void @{name}({args})")

    def prefetch(self, pointer: SsaValue, write: bool = False) -> None:
        """Have the processor fetch a line of memory into its caches, if it can."""
        self.declarations["llvm.prefetch.p0"] = "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)"
        self.line(f"call void @llvm.prefetch.p0(ptr {pointer.ref}, i32 {int(write)}, i32 3, i32 1)")

    def table(self, name: str, element: str, numbers: Sequence[int]) -> SsaValue:
        """The address of a constant array of the module."""
        text = ", ".join(f"{element} {number}" for number in numbers)
        array = f"[{len(numbers)} x {element}] [{text}]"
        self.declarations[name] = f"@{name} = internal unnamed_addr constant {array}"
        return SsaValue(self, PTR, f"@{name}")

    def gather(self, type: Type, pointers: SsaValue, mask: SsaValue) -> SsaValue:
        zero = SsaValue(self, type, "zeroinitializer")
        return self._masked("gather", type, type, pointers, mask, zero)

    def scatter(self, value: SsaValue, pointers: SsaValue, mask: SsaValue) -> None:
        align = value.type.bits // 8
        name = f"llvm.masked.scatter.{value.type.mangled}.{pointers.type.mangled}"
        where = f"{pointers.type} align {align} {pointers.ref}"
        types = f"{value.type}, {pointers.type}, {mask.type}"
        self.declarations[name] = f"declare void @{name}({types})"
        self.line(f"call void @{name}({value.type} {value.ref}, {where}, {mask.type} {mask.ref})")

    def _masked(
        self, op: str, type: Type, result: Type, pointer: SsaValue, mask: SsaValue, other: SsaValue
    ) -> SsaValue:
        name = f"llvm.masked.{op}.{type.mangled}.{pointer.type.mangled}"
        self.declarations[name] = f"declare {type} @{name}({pointer.type}, {mask.type}, {type})"
        where = f"{pointer.type} align {type.bits // 8} {pointer.ref}"
        args = f"{where}, {mask.type} {mask.ref}, {type} {other.ref}"
        return self.emit(f"call {type} @{name}({args})", result)

    def local(self, type: Type) -> SsaValue:
        """A stack slot, made once at the function's entry; LLVM turns it into registers."""
        ref = f"%v{next(self._names)}"
        self.entry.append(f"  {ref} = alloca {type}")
        return SsaValue(self, PTR, ref)

    def array(self, element: str, count: int) -> SsaValue:
        """So many elements on the stack, made once at the function's entry."""
        ref = f"%v{next(self._names)}"
        self.entry.append(f"  {ref} = alloca [{count} x {element}], align 64")
        return SsaValue(self, PTR, ref)

    # -- control flow

    @contextmanager
    def at(self, place: Lines) -> Iterator[None]:
        """Append straight-line code to `place` (a loop's preheader, say) instead of here."""
        here, self._here = self._here, place
        try:
            yield
        finally:
            self._here = here

    def preheader(self) -> Lines:
        """A place at the current point that can be appended to later."""
        place: Lines = []
        self._here.append(place)
        return place

    def block(self, label: str) -> None:
        """Start a basic block; the one before must have ended in a branch."""
        self._here.append(f"{label}:")
        self._block = label

    def label(self, hint: str) -> str:
        return f"{hint}{next(self._names)}"

    @contextmanager
    def loop(self, start: SsaValue, stop: SsaValue, step: int = 1) -> Iterator[EmittedLoop]:
        """`for index in range(start, stop, step)`, over i64."""
        head, body, done = self.label("head"), self.label("body"), self.label("done")
        before, index = self._block, SsaValue(self, I64, f"%v{next(self._names)}")
        loop = EmittedLoop(index, start, step, self.preheader())
        self.line(f"br label %{head}")
        self.block(head)
        phi = len(self._here)
        self._here.append("")
        more = index < stop
        self.line(f"br i1 {more.ref}, label %{body}, label %{done}")
        self.block(body)
        here = self._here
        yield loop
        carried = [(index, start, index + step), *map(self._walked, loop.walkers)]
        self.line(f"br label %{head}")
        here[phi] = [
            f"  {now.ref} = phi {now.type} "
            f"[ {first.ref}, %{before} ], [ {following.ref}, %{self._block} ]"
            for now, first, following in carried
        ]
        self.block(done)

    def _walked(self, walker: Walker) -> tuple[SsaValue, SsaValue, SsaValue]:
        """A pointer in an iteration, in the first one, and in the next one."""
        following = self.address(walker.pointer, walker.distance, walker.element)
        return walker.pointer, walker.first, following

    def walk(self, loop: EmittedLoop, first: SsaValue, stride: SsaValue, element: str) -> SsaValue:
        """A pointer that is at `first` to begin with, and a stride further for the next index.

        Both must be known in front of the loop.
        """
        with self.at(loop.preheader):
            distance = stride * loop.step
        pointer = SsaValue(self, PTR, f"%v{next(self._names)}")
        loop.walkers.append(Walker(pointer, first, distance, element))
        return pointer

    @contextmanager
    def when(self, condition: SsaValue) -> Iterator[None]:
        """Run what is written inside only where the scalar i1 holds."""
        inside, done = self.label("then"), self.label("done")
        self.line(f"br i1 {condition.ref}, label %{inside}, label %{done}")
        self.block(inside)
        yield
        self.line(f"br label %{done}")
        self.block(done)

    def either(
        self, condition: SsaValue, then: Callable[[], None], other: Callable[[], None]
    ) -> None:
        """Run one of two pieces of code by a scalar i1."""
        first, second, done = self.label("then"), self.label("else"), self.label("done")
        self.line(f"br i1 {condition.ref}, label %{first}, label %{second}")
        for label, write in ((first, then), (second, other)):
            self.block(label)
            write()
            self.line(f"br label %{done}")
        self.block(done)

    def body_text(self) -> str:
        """The whole body: entry block with its stack slots first."""
        return "\n".join(["entry:", *_flat(self.entry), *_flat(self._body)])


def _align(type: Type) -> int:
    """The alignment of an element in bytes; a bit takes a byte at least."""
    return max(1, type.bits // 8)


def _flat(lines: Lines) -> Iterator[str]:
    for line in lines:
        if isinstance(line, str):
            yield line
        else:
            yield from _flat(line)
