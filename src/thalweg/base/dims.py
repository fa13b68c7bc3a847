"""Extents that vary from run to run, and what a plan makes of them.

A plan is made for the extents of one run. What is computed from those that may differ in the next
one is noted in a trace, and so is what is asked of them:

    n = 50:    n * 784 = 39200,   n + 2 - 3 = 49,   n > 1: yes,   n == 10: no

For other extents the trace is replayed. If each question has the same answer then, the plan would
be the same but for its numbers, which the replay gives. If one has not, another plan is needed.

A trace is also given arrays: the values of feeds that decide about shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar, cast

import numpy as np

from thalweg.base.record import Record

Array = np.ndarray[Any, Any]
Given = int | Array
Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


# Functions by name that a trace which outlives the process may hold, beside records.
REPLAYED: dict[str, Function] = {
    f"int.{name}": getattr(int, f"__{name}__")
    for name in ("add", "sub", "mul", "floordiv", "mod", "eq", "ne", "lt", "le", "gt", "ge")
} | {"array_equal": np.array_equal}


def replayed(function: F) -> F:
    """Let plans that compute or ask this be kept on disk: a pure function of a module."""
    REPLAYED[f"{function.__module__}.{function.__qualname__}"] = function
    return function


class Node(Record, eq=False):
    """A number or an array that a plan has computed from varying extents.

    Attributes:
        trace: where that is noted.
        place: of its value among those of the trace.
    """

    trace: Trace
    place: int


class Trace:
    """What a plan computes from varying extents and what it asks of them, until it is closed."""

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._nodes: dict[object, Node] = {}
        self._given: list[int] = []  # the places of extents, arrays and so on
        self._computed: list[tuple[int, Function, tuple[int, ...]]] = []
        self._asked: dict[tuple[Function, tuple[int, ...]], bool] = {}
        self.is_open = True

    def give(self, number: int, kind: str = "extent") -> Dim:
        """A varying extent, or a number of another kind; equal ones of a kind count as one."""
        node = self._node((kind, number), number)
        self._given.append(node.place)
        return Dim(number, node)

    def give_array(self, array: Array) -> Node:
        """An array whose contents may vary, but not its type and rank; extents are given apart."""
        node = self._node(("array", len(self._given)), array.copy())
        self._given.append(node.place)
        return node

    def literal(self, value: Any) -> Node:
        """A number, array or other argument that is the same for all extents."""
        key = id(value) if isinstance(value, np.ndarray) else value
        return self._node((type(value), key), value)

    def compute(self, function: Function, *arguments: object) -> Node:
        """What a function makes of numbers and arrays; it must be pure, and hashable."""
        places = tuple([self._place(a) for a in arguments])
        key = (function, places)
        node = self._nodes.get(key)
        if node is None:
            node = self._node(key, function(*[self._values[place] for place in places]))
            self._computed.append((node.place, function, places))
        return node

    def value(self, node: Node) -> Any:
        """The number or array for the plan's own extents."""
        return self._values[node.place]

    def ask(self, function: Function, answer: bool, *arguments: object) -> None:
        """Note that a predicate had this answer."""
        places = tuple([self._place(a) for a in arguments])
        if len(places) != 2 or places[0] != places[1]:  # what holds of one number always holds
            self._asked[function, places] = answer

    def parts(self) -> tuple[tuple[Any, ...], ...]:
        """What a replay needs, which computes the values of nodes anew: four tuples."""
        computed = {place for place, _, _ in self._computed}
        values = [None if n in computed else value for n, value in enumerate(self._values)]
        asked = [(function, places, answer) for (function, places), answer in self._asked.items()]
        return tuple(values), tuple(self._given), tuple(self._computed), tuple(asked)

    @staticmethod
    def of_parts(values: Any, given: Any, computed: Any, asked: Any) -> Trace:
        """A closed trace of the parts of another.

        Raises:
            LookupError, TypeError, ValueError: these are not the parts of a trace.
        """
        made = Trace()
        made.is_open = False
        made._values = list(values)
        made._given = [made._checked(place) for place in given]
        for place, function, arguments in computed:
            places = made._all_checked(arguments)
            made._computed.append((made._checked(place), _callable(function), places))
        for function, arguments, answer in asked:
            made._asked[_callable(function), made._all_checked(arguments)] = bool(answer)
        return made

    def node(self, place: int) -> Node:
        """The node of a value.

        Raises:
            LookupError: there is none at this place.
        """
        return Node(self, self._checked(place))

    def _checked(self, place: int) -> int:
        if not 0 <= place < len(self._values):
            raise IndexError(f"no value {place} among {len(self._values)}")
        return place

    def _all_checked(self, places: tuple[int, ...]) -> tuple[int, ...]:
        if places:
            self._checked(min(places))
            self._checked(max(places))
        return places

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Note nothing inside."""
        before, self.is_open = self.is_open, False
        try:
            yield
        finally:
            self.is_open = before

    def close(self) -> Sizes:
        """Note nothing from now on; what the numbers are for the plan's own extents."""
        self.is_open = False
        self._nodes.clear()
        return Sizes(self, self._values)

    def replay(self, given: Sequence[Given]) -> Sizes | None:
        """What the numbers are for other extents and arrays; None if they need another plan.

        Args:
            given: as many as were given, in the same order.
        """
        values = list(self._values)
        if not self._set_given(values, given):
            return None
        try:
            for place, function, arguments in self._computed:
                values[place] = function(*[values[a] for a in arguments])
            for (function, arguments), answer in self._asked.items():
                if function(*[values[a] for a in arguments]) is not answer:
                    return None
        except (ValueError, TypeError, IndexError, ArithmeticError, AttributeError):
            return None  # planning will say what is wrong
        return Sizes(self, values)

    def _set_given(self, values: list[Any], given: Sequence[Given]) -> bool:
        """Put what is given into the values, if extents that count as one are equal again."""
        found: dict[int, int] = {}
        for place, new in zip(self._given, given, strict=True):
            if _kind(new) != _kind(values[place]):
                return False
            if isinstance(new, np.ndarray):
                values[place] = new.copy()  # the caller may change it
            elif found.setdefault(place, new) != new:
                return False
            else:
                values[place] = new
        return True

    def _node(self, key: object, value: Any) -> Node:
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(self, len(self._values))
            self._values.append(value)
        return node

    def _place(self, argument: object) -> int:
        if type(argument) is Dim and argument.node is not None and argument.node.trace is self:
            return argument.node.place
        if isinstance(argument, Node) and argument.trace is self:
            return argument.place
        return self.literal(_value(argument)).place


class Sizes:
    """What the numbers of a plan are for some extents.

    Args:
        trace: of the plan.
        values: of its nodes.
    """

    def __init__(self, trace: Trace, values: Sequence[Any]) -> None:
        self._trace = trace
        self._values = values

    def __call__(self, number: int) -> int:
        """What a number of the plan is: one that it holds, not one made of such afterwards."""
        node = number.node if isinstance(number, Dim) else None
        if node is None or node.trace is not self._trace:
            return plain(number)
        value: int = self._values[node.place]
        return value

    def shape(self, extents: Iterable[int]) -> tuple[int, ...]:
        """What the extents are."""
        return tuple(map(self, extents))

    def array(self, node: Node) -> Array:
        """What an array of the plan is."""
        value: Array = self._values[node.place]
        return value


class Dim(int):
    """An extent that was unknown when the graph was built: it may differ from run to run.

    Arithmetic on it gives a `Dim` again, so the compiler can tell which numbers must stay arguments
    of a kernel rather than become part of its code. A random operation's seed is one of these too.

    While the plan is made that it belongs to, comparisons and conversions to plain numbers are
    noted, so that it is known for which other extents the plan holds. What Python itself takes as
    an integer (`range`, say, or NumPy) goes unnoted and must not be given one of these.

    Args:
        value: for the extents of the plan.
        node: what it is for other extents; None if it is the same for all.
    """

    node: Node | None

    def __new__(cls, value: int, node: Node | None = None) -> Dim:  # noqa: D102
        made = super().__new__(cls, value)
        made.node = node
        return made

    def __add__(self, other: int) -> Dim:
        return _computed(int.__add__, self, other)

    def __radd__(self, other: int) -> Dim:
        return _computed(int.__add__, other, self)

    def __sub__(self, other: int) -> Dim:
        return _computed(int.__sub__, self, other)

    def __rsub__(self, other: int) -> Dim:
        return _computed(int.__sub__, other, self)

    def __mul__(self, other: int) -> Dim:
        return _computed(int.__mul__, self, other)

    def __rmul__(self, other: int) -> Dim:
        return _computed(int.__mul__, other, self)

    def __floordiv__(self, other: int) -> Dim:
        return _computed(int.__floordiv__, self, other)

    def __rfloordiv__(self, other: int) -> Dim:
        return _computed(int.__floordiv__, other, self)

    def __mod__(self, other: int) -> Dim:
        return _computed(int.__mod__, self, other)

    def __rmod__(self, other: int) -> Dim:
        return _computed(int.__mod__, other, self)

    def __divmod__(self, other: int) -> tuple[Dim, Dim]:
        return self // other, self % other

    def __neg__(self) -> Dim:
        return _computed(int.__sub__, 0, self)

    def __abs__(self) -> Dim:
        return -self if self < 0 else self

    def __truediv__(self, other: float) -> float:
        return int(self) / other

    def __rtruediv__(self, other: float) -> float:
        return other / int(self)

    def __eq__(self, other: object) -> bool:
        return _asked(int.__eq__, self, other)

    def __ne__(self, other: object) -> bool:
        return _asked(int.__ne__, self, other)

    def __lt__(self, other: int) -> bool:
        return _asked(int.__lt__, self, other)

    def __le__(self, other: int) -> bool:
        return _asked(int.__le__, self, other)

    def __gt__(self, other: int) -> bool:
        return _asked(int.__gt__, self, other)

    def __ge__(self, other: int) -> bool:
        return _asked(int.__ge__, self, other)

    def __bool__(self) -> bool:
        return self != 0

    # Two that are equal now, and had different hashes, are not merged; that is a loss at most.
    __hash__ = int.__hash__

    def __int__(self) -> int:
        value = plain(self)
        _asked(int.__eq__, self, value)
        return value

    def __index__(self) -> int:
        return int(self)

    def __float__(self) -> float:
        return float(int(self))

    def __repr__(self) -> str:
        return f"{plain(self)}?"


def lift_array(function: Callable[..., Array], *arguments: Any) -> tuple[Array, Node | None]:
    """The array that a pure function makes of numbers and arrays, and its node if it may vary.

    Args:
        function: hashable, as its results are noted.
        arguments: numbers, arrays, and nodes of arrays.
    """
    if not any(isinstance(a, Dim | Node) for a in arguments):
        return function(*arguments), None
    trace = _open_trace(arguments) or Trace()
    node = trace.compute(function, *arguments)
    return trace.value(node), node


def _kind(given: object) -> object:
    """What must not change of something that is given."""
    return (given.dtype, given.ndim) if isinstance(given, np.ndarray) else None


def _callable(function: Function) -> Function:
    if not callable(function):
        raise TypeError(f"{function!r} is no function")
    return function


@replayed
def _has_shape(array: Array, shape: tuple[int, ...]) -> bool:
    return bool(array.shape == shape)


def lift(function: Callable[..., int], *arguments: Any) -> int:
    """What a pure function makes of numbers: a `Dim` if any of them is one.

    For what plain arithmetic cannot say; the other arguments must be hashable, or nodes.
    """
    if not any(isinstance(a, Dim | Node) for a in arguments):
        return function(*arguments)
    trace = _open_trace(arguments)
    if trace is None:
        return Dim(function(*map(_value, arguments)))
    node = trace.compute(function, *arguments)
    return Dim(trace.value(node), node)


def pin(array: Node) -> None:
    """Note that the plan depends on all of an array, and not only on some of its numbers."""
    _ask_of(array, np.array_equal, array.trace.value(array))


def pin_shape(array: Node) -> None:
    """Note that the plan depends on an array's shape."""
    _ask_of(array, _has_shape, array.trace.value(array).shape)


def _ask_of(array: Node, predicate: Callable[[Array, Any], bool], other: object) -> None:
    if array.trace.is_open:
        array.trace.ask(predicate, True, array, other)


@contextmanager
def off_the_record(numbers: Iterable[int]) -> Iterator[None]:
    """What is asked of these inside may have another answer in another run: any would do."""
    traces = {n.node.trace for n in numbers if isinstance(n, Dim) and n.node is not None}
    with ExitStack() as stack:
        for trace in traces:
            stack.enter_context(trace.paused())
        yield


def _value(argument: Any) -> Any:
    """What stands behind an argument."""
    if isinstance(argument, Node):
        return argument.trace.value(argument)
    return plain(argument) if isinstance(argument, Dim) else argument


def plain(number: int) -> int:
    """The same as a plain integer; nothing is noted, so it must not decide about the plan."""
    return int.__int__(number)


def _open_trace(numbers: Iterable[object]) -> Trace | None:
    for number in numbers:
        node = number.node if type(number) is Dim else number
        if type(node) is Node and node.trace.is_open:
            return node.trace
    return None


def _computed(function: Callable[[int, int], int], a: int, b: int) -> Dim:
    if not isinstance(a if isinstance(b, Dim) else b, int):
        return cast("Dim", NotImplemented)
    trace = _open_trace((a, b))
    if trace is None:
        return Dim(function(a, b))
    node = trace.compute(function, a, b)
    return Dim(trace.value(node), node)


def _asked(predicate: Callable[[Any, Any], bool], a: Dim, b: object) -> bool:
    answer = predicate(a, b)
    trace = _open_trace((a, b))
    if trace is not None and answer is not NotImplemented:
        trace.ask(predicate, answer, a, b)
    return answer
