"""The verifier of kernel passes: what it lets pass, and what it must not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from thalweg.base.dtypes import float32, int64
from thalweg.base.errors import CompilerError
from thalweg.formula import (
    Axis,
    Expr,
    Index,
    Read,
    affine,
    apply,
    axes,
    inside,
    sum_over,
    where,
)
from thalweg.kernels.nests.nest import Nest, make_nest
from thalweg.kernels.values import Definition, FeedMemory, FetchMemory, Value, VariableMemory
from thalweg.kernels.verify import Verifier, verify_nest, verify_updates

N = 6
X = Value("x", (N,), float32, FeedMemory(0))


def read(source: Value, *index: Index) -> Read:
    return Read(source, tuple(map(affine, index)), float32)


def defined(name: str, body: Callable[[Axis], Expr], extent: int = N, order: int = 0) -> Definition:
    (i,) = axes(extent)
    value = Value(name, (extent,), float32)
    return Definition(value, (i,), body(i), (affine(i),), order, (name,))


def check(*definitions: Definition) -> None:
    Verifier({definitions[-1].value}).check(definitions, "the pass")


def padded(i: Axis) -> Expr:
    return where(inside(i - 1, N), read(X, i - 1), 0)


RIGHT: dict[str, Callable[[Axis], Expr]] = {
    "in place": lambda i: read(X, i),
    "backwards": lambda i: read(X, i * -1 + (N - 1)),
    "tested": padded,
    "what is left of a test": lambda i: where(inside(i, N - 1), read(X, i + 1), read(X, i)),
    "tested twice": lambda i: where(
        apply("and", inside(i - 2, N), inside(i + 2, N)), read(X, i - 2) + read(X, i + 2), 0
    ),
    "every second": lambda i: where(inside(i * 2, N), read(X, i * 2), 0),
    "a window": lambda i: _window(i, 3, tested=True),
    "a sum behind a test": lambda i: where(inside(i - 1, N), _window(i, 1, tested=False), 0),
}
WRONG: dict[str, Callable[[Axis], Expr]] = {
    "beyond": lambda i: read(X, i + 1),
    "before": lambda i: read(X, i - 1),
    "a test of another index": lambda i: where(inside(i - 1, N), read(X, i + 1), 0),
    "a test that is too wide": lambda i: where(inside(i - 1, N + 1), read(X, i + 1), 0),
    "the other branch": lambda i: where(inside(i - 1, N), 0.0 + read(X, i), read(X, i - 1)),
    "a test of data": lambda i: where(apply("gt", read(X, i), 0), read(X, i + 1), 0),
    "a window": lambda i: _window(i, 3, tested=False),
    # the loops of a sum run whatever the test around it says
    "a sum behind a test": lambda i: where(inside(i - 1, N), _window(i - 1, 1, tested=False), 0),
    "another rank": lambda i: read(X, i, 0),
}


def _window(i: Index, extent: int, tested: bool) -> Expr:
    (k,) = axes(extent, names="k")
    at = affine(i) + k
    element = read(X, at)
    return sum_over([k], where(inside(at, N), element, 0) if tested else element)


@pytest.mark.parametrize("how", RIGHT)
def test_right_reads(how: str) -> None:
    check(defined("y", RIGHT[how]))


@pytest.mark.parametrize("how", WRONG)
def test_wrong_reads(how: str) -> None:
    with pytest.raises(CompilerError, match="after the pass: y"):
        check(defined("y", WRONG[how]))


def test_many_points_are_tried_at_their_ends() -> None:
    extent = 1 << 20
    large = Value("large", (extent,), float32, FeedMemory(0))
    check(defined("y", lambda i: where(inside(i - 1, extent), read(large, i - 1), 0), extent))
    with pytest.raises(CompilerError, match="reads outside of large"):
        check(defined("y", lambda i: where(inside(i, extent), read(large, i - 1), 0), extent))


def test_what_is_read_is_written_before() -> None:
    made = defined("a", padded)
    user = defined("y", lambda i: read(made.value, i))
    check(made, user)
    with pytest.raises(CompilerError, match=r"reads a.* before it is written"):
        check(user, made)


def test_what_is_wanted_is_written() -> None:
    made, other = defined("a", padded), defined("b", padded)
    with pytest.raises(CompilerError, match="never written"):
        Verifier({other.value}).check([made], "the pass")


def test_each_element_is_written_once() -> None:
    made = defined("a", padded)
    with pytest.raises(CompilerError, match="written twice"):
        check(made, Definition(made.value, made.axes, made.body, made.store, 1, ("a",)))
    i, r = axes(3, 2, names="ir")
    body = read(X, i * 2 + r)
    for store, right in ((i * 2 + r, True), (i + r * 3, True), (i + r, False), (i * 2, False)):
        definition = Definition(Value("y", (N,), float32), (i, r), body, (store,), 0, ("y",))
        if right:
            check(definition)
        else:
            with pytest.raises(CompilerError, match="writes not each element"):
                check(definition)


def test_only_what_has_changed_is_checked_again() -> None:
    definition = defined("y", padded)
    verifier = Verifier({definition.value})
    verifier.check([definition], "one pass")
    definition.body = WRONG["beyond"](definition.axes[0])
    with pytest.raises(CompilerError, match="after another pass"):
        verifier.check([definition], "another pass")


def test_a_variable_is_read_before_it_is_overwritten() -> None:
    old = Value("w", (N,), float32, VariableMemory("w"))
    new = defined("new", lambda i: read(old, i) * 2.0)
    new.value.storage = VariableMemory("w")
    user = defined("y", lambda i: read(old, i), order=1)
    verifier = Verifier(set())
    verifier.check_order([[user], [new]], "fuse")
    with pytest.raises(CompilerError, match=r"reads w.* too late"):
        verifier.check_order([[new], [user]], "fuse")
    user.after.add(new)
    with pytest.raises(CompilerError, match="before what it waits for"):
        verifier.check_order([[user], [new]], "fuse")


def _nest(body: Callable[[Axis], Expr]) -> Nest:
    definition = defined("y", body)
    definition.value.storage = FetchMemory(0)
    return make_nest([definition], lambda value: True)


def test_nests() -> None:
    verify_nest(_nest(padded))
    with pytest.raises(CompilerError, match="reads outside of x"):
        verify_nest(_nest(WRONG["before"]))


@pytest.mark.parametrize(
    ("index", "is_right"), [(lambda i: i, True), (lambda i: i * -1 + (N - 1), False)]
)
def test_an_update_reads_only_the_element_that_it_replaces(
    index: Callable[[Axis], Index], is_right: bool
) -> None:
    variable = VariableMemory("v")
    before = Value("v", (N,), float32, variable)
    update = defined("update", lambda i: read(before, index(i)) * 0.5)
    update.value.storage = variable
    if is_right:
        check(update)
    else:
        with pytest.raises(CompilerError, match="elements of a variable that it has overwritten"):
            check(update)


def test_a_kernel_reads_only_the_elements_that_it_replaces() -> None:
    variable = VariableMemory("v")
    before = Value("v", (N,), float32, variable)
    other = defined("other", lambda i: read(before, i * -1 + (N - 1)))
    update = defined("update", lambda i: read(before, i) * 0.5, order=1)
    update.value.storage = variable
    update.after.add(other)
    verifier = Verifier({update.value, other.value})
    verifier.check_order([[other], [update]], "the pass")
    with pytest.raises(CompilerError, match="elements of a variable that it has overwritten"):
        verifier.check_order([[other, update]], "the pass")


def test_rows_that_are_replaced_are_read_at_the_place_alone() -> None:
    """What another row holds may have been replaced by then, or not yet."""
    old, new = (Value("w", (N, 2), float32, VariableMemory("w")) for _ in range(2))
    rows = Value("r", (4,), int64, FeedMemory(1))
    i, j = axes(4, 2)
    place = (affine(Read(rows, (affine(i),), int64)), affine(j))
    for at, right in ((place, True), ((affine(i), affine(j)), False)):
        body = Read(old, at, float32) * 2.0
        made = Definition(new, (i, j), body, place, 0, ("w",), replaces=True)
        if right:
            verify_updates([made], "the pass")
        else:
            with pytest.raises(CompilerError, match="elements of a variable that it has overwr"):
                verify_updates([made], "the pass")
