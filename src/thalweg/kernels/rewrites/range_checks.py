"""Whether images are in range for an algorithm that spreads what is out of it.

    m[n, i, c] = sum over j of |x[n, i, j, c]|
    top[n]     = max over i, c of m[n, i, c]
    out[n, 0]  = not (top[n] <= LARGEST and
                      top[n] ** (1/4) <= ROOTS * mean over i, c of m[n, i, c] ** (1/4))

Winograd's algorithm adds and subtracts values of a tile that a plain sum keeps apart. So the error
of a result is relative to the largest values of its tile, and not to those that the result is made
of; and what is not finite reaches the whole tile. Where an image is out of range, its results are
summed plainly.

An image is in range if all of it is finite, and if the fourth root of its largest row is at most
`ROOTS` times the mean of the fourth roots of the rows that are not 0, where a row belongs to one
channel and counts as the sum of its magnitudes. A mean of roots hardly notices large values: one
among more than `ROOTS` is found, and so are several, as long as they are less than a third of all.
Nor does it notice small ones. So the sparse activations and gradients of a network are in range. A
filter is measured in the same way, with the taps of a channel in place of a row.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.formula import (
    Affine,
    Axis,
    Expr,
    Read,
    affine,
    apply,
    axes,
    cast,
    reduce,
    sum_over,
)
from thalweg.kernels.values import Definition, Value, is_padding

# So the largest row is at most 81 times the typical one. While a network learns, the largest is 5
# to 13 times the typical one in activations and gradients, and twice the typical one in filters.
ROOTS = 3
LARGEST = 1e15  # sums of products of two such numbers are far from infinity


class RangeChecks:
    """Makes the definitions that tell which arrays are in range; each array is measured once.

    Args:
        definitions: of the arrays.
        operands: arrays that are to be measured in any case.
    """

    def __init__(self, definitions: Sequence[Definition], operands: set[Value]) -> None:
        self._made = {d.value: d for d in definitions}
        self._operands = operands
        self._words: dict[tuple[Value, tuple[int, ...]], Value] = {}
        self._new: list[Definition] = []

    def take(self) -> list[Definition]:
        """The definitions made since the last time."""
        new, self._new = self._new, []
        return new

    def of_images(self, value: Value, places: Sequence[int], user: Definition) -> Value:
        """For each of the first dimension's images, a word that says whether it is out of range.

        Of a padded copy, what it is a copy of is measured, if that is used as well.

        Args:
            value: whose images they are.
            places: its rows and columns among the dimensions.
            user: what needs the word.
        """
        made = self._made.get(value)
        if made is not None and is_padding(made.body):
            inside = made.body.reads[-1].source if made.body.reads else None
            value = inside if inside in self._operands else value
        kept = tuple(n for n in range(len(value.shape)) if n != places[-1])
        return self._word(value, kept, Axis(value.shape[0], "n"), user)

    def of_filter(self, value: Value, channels: Sequence[int], user: Definition) -> Value:
        """A word that says whether all of a filter is out of range; taps are added up."""
        return self._word(value, tuple(channels), None, user)

    def any_image(self, words: Sequence[Value], user: Definition) -> Value:
        """A word that says whether another one does so of any image."""
        image = Axis(words[0].shape[0], "n")
        body = reduce("any", (image,), any_of([read_word(word, image) for word in words]))
        return self._define(f"{user.value.name} out of range", (), body, user).value

    def copy(self, value: Value, words: Sequence[Value], user: Definition) -> Value:
        """What a value holds of the images of which a word says something."""
        index = axes(*value.shape)
        body = Read(value, tuple(map(affine, index)), value.dtype)
        made = self._define(f"{value.name} kept", index, body, user)
        made.when = tuple([read_word(word, index[0]) for word in words])
        return made.value

    def _word(
        self, value: Value, kept: tuple[int, ...], image: Axis | None, user: Definition
    ) -> Value:
        key = value, kept
        if key not in self._words:
            sizes = self._sizes(value, kept, user)
            index = () if image is None else (image, Axis(1, "u"))
            made = self._define(
                f"{value.name} out of range", index, _out_of_range(sizes, index[:1]), user
            )
            self._words[key] = made.value
        return self._words[key]

    def _sizes(self, value: Value, kept: Sequence[int], user: Definition) -> Value:
        """The sums of magnitudes over all dimensions but some."""
        index = axes(*value.shape)
        own = tuple(index[n] for n in kept)
        rest = [axis for axis in index if axis not in own]
        element = apply("abs", Read(value, tuple(map(affine, index)), value.dtype))
        return self._define(f"{value.name} sizes", own, sum_over(rest, element), user).value

    def _define(self, name: str, index: Sequence[Axis], body: Expr, user: Definition) -> Definition:
        value = Value(name, tuple(axis.extent for axis in index), body.dtype)
        store, after = tuple(map(affine, index)), set(user.after)
        made = Definition(value, tuple(index), body, store, user.order, user.ops, after)
        self._new.append(made)
        return made


def read_word(word: Value, image: Axis | Affine) -> Read:
    """What a range check says of an image, or of all."""
    return Read(word, (affine(image), affine(0))[: len(word.shape)], word.dtype)


def any_of(words: Sequence[Read]) -> Expr:
    """Whether any of the words holds."""
    first, *others = words
    found: Expr = first
    for word in others:
        found = apply("or", found, word)
    return found


def _out_of_range(sizes: Value, image: Sequence[Axis]) -> Expr:
    """Whether sums of magnitudes, or those of one image, are out of range; NaN is, too."""
    index = axes(*sizes.shape[len(image) :])
    one = Read(sizes, tuple(map(affine, (*image, *index))), sizes.dtype)
    largest = reduce("max", index, one)
    total = sum_over(index, _fourth_root(one))
    count = sum_over(index, cast(apply("gt", one, 0), one.dtype))
    near = apply("le", count * _fourth_root(largest), total * float(ROOTS))
    return apply("not", apply("and", near, apply("le", largest, LARGEST)))


def _fourth_root(x: Expr) -> Expr:
    return apply("sqrt", apply("sqrt", x))
