"""The text of definitions, groups and nests."""

from __future__ import annotations

import pytest

from thalweg.base.dtypes import DType, float32, int64
from thalweg.formula import (
    Axis,
    Combination,
    Expr,
    Index,
    Position,
    Read,
    affine,
    apply,
    axes,
    cast,
    inside,
    reduce,
    sum_over,
    where,
)
from thalweg.kernels.nests.nest import make_nest
from thalweg.kernels.printer import show_definition, show_groups, show_nest
from thalweg.kernels.values import (
    Definition,
    FeedMemory,
    FetchMemory,
    PartMemory,
    Storage,
    Value,
    VariableMemory,
)

i, j = axes(4, 6)
k, m = Axis(3, "k"), Axis(2, "k")


def element(name: str, *index: Index, dtype: DType = float32) -> Read:
    value = Value(name, (9,) * len(index), dtype, FeedMemory(ord(name[0])))
    return Read(value, tuple(map(affine, index)), dtype)


def defined(body: Expr, *index: Axis, storage: Storage | None = None) -> Definition:
    value = Value("y", tuple(axis.extent for axis in index), body.dtype, storage)
    return Definition(value, index, body, tuple(map(affine, index)), 0, ("y",))


a, b, c = (element(name, i) for name in "abc")
EXPRESSIONS: dict[str, Expr] = {
    "a[i] + b[i] * c[i]": a + b * c,
    "(a[i] + b[i]) * c[i]": (a + b) * c,
    "a[i] + (b[i] + c[i])": a + (b + c),  # another order of additions than the next
    "a[i] + b[i] + c[i]": a + b + c,
    "a[i] - (b[i] - c[i])": a - (b - c),
    "-(a[i] + b[i])": -(a + b),
    "max(exp(a[i]), 0.5)": apply("max", apply("exp", a), 0.5),
    "int64(a[i]) == 2*i + 1": apply("eq", cast(a, int64), Position(i * 2 + 1)),
    "a[i] > 0 ? b[i] : 0": where(apply("gt", a, 0), b, 0),
    "0 <= i - 1 < 4 ? a[3 - i] : 0": where(inside(i - 1, 4), element("a", i * -1 + 3), 0),
    "not (a[i] < b[i] and b[i] <= c[i] or a[i] != c[i])": apply(
        "not",
        apply(
            "or",
            apply("and", apply("lt", a, b), apply("le", b, c)),
            apply("ne", a, c),
        ),
    ),
    "x[r[i], i]": element("x", element("r", i, dtype=int64), i),
    "x[2*r[i] + 3 - i]": element("x", affine(element("r", i, dtype=int64)) * 2 - i + 3),
    "sum[k<3](a[k] * b[i])": sum_over([k], element("a", k) * b),
    "max[k'<3](sum[k<2](x[k', k]))": reduce("max", [k], sum_over([m], element("x", k, m))),
    "combine[i](a[i], ..., d[i])": Combination(
        affine(i), ((1.0,) * 4,) * 4, tuple(element(name, i) for name in "abcd"), float32
    ),
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions(text: str) -> None:
    assert show_definition(defined(EXPRESSIONS[text], i)) == f"y[i] = {text}  for i<4"


def test_axes_of_one_name_are_told_apart() -> None:
    inner = Axis(2, "i")
    body = element("x", i * 2 + inner)
    made = Definition(Value("y", (8,), float32), (i, inner), body, (i * 2 + inner,), 0, ("y",))
    assert show_definition(made) == "y[2*i + i'] = x[2*i + i']  for i<4, i'<2"


def test_what_is_not_the_rule_is_shown() -> None:
    first = defined(a, i, storage=VariableMemory("w"))
    assert show_definition(first) == "y[i] = a[i]  for i<4  in variable w"
    word = element("word", 0)
    second = defined(a, i, storage=PartMemory(Value("z", (8,), float32), 4))
    second.when, second.after = (word,), {first}
    shown = "y[i] = a[i]  for i<4  if word[0]  in z from 4  after y"
    assert show_definition(second) == shown
    rows = element("r", i, dtype=int64)
    scattered = Definition(Value("y", (9,), float32), (i,), a, (affine(rows),), 0, ("y",))
    assert show_definition(scattered) == "y[r[i]] += a[i]  for i<4"


def test_another_shape_of_a_value_is_read_as_such() -> None:
    whole = Value("x", (4, 6), float32, FeedMemory(0))
    flat = Value("flat", (24,), float32, base=whole)
    body = Read(flat, (i * 6 + j,), float32)
    assert show_definition(defined(body, i, j)) == "y[i, j] = (x as 24)[6*i + j]  for i<4, j<6"


def test_groups_and_nests() -> None:
    members = [defined(a, i, storage=FetchMemory(0)), defined(sum_over([j], element("x", i, j)), i)]
    assert show_groups([members, members[:1]]) == (
        "kernel 0:\n"
        "    y[i] = a[i]  for i<4  in fetch 0\n"
        "    y[i] = sum[j<6](x[i, j])  for i<4\n"
        "kernel 1:\n"
        "    y[i] = a[i]  for i<4  in fetch 0"
    )
    nest = make_nest(members, lambda value: True)
    assert show_nest(nest) == "for i<4:\n    y[i] = a[i]\n    y[i] = sum[j<6](x[9*i + j])"
