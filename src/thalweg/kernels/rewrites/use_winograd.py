"""Convolve with fewer multiplications: Winograd's minimal filtering, in two dimensions.

    before:  y[i, j, o] = sum[p, q, c](x[i + p, j + q, c] * w[p, q, c, o])

    after:   v[k, l, s, t, c] = (B' x[m*s.., m*t.., c] B)[k, l]      n = m + r - 1 values each way
             u[k, l, c, o]    = (G w[.., .., c, o] G')[k, l]         of r taps each way
             z[k, l, s, t, o] = sum[c](v[k, l, s, t, c] * u[k, l, c, o])
             y[m*s + i, m*t + j, o] = (A' z[.., .., s, t, o] A)[i, j]

So `n * n` multiplications make `m * m` results, where `m * m * r * r` did: 36 in place of 100 for a
filter of 5 x 5 and two results each way, 36 in place of 144 for 3 x 3 and four. The matrices are in
`toom_cook.py`.

What a plain sum keeps apart is mixed in a tile. Images that are out of range (`range_checks.py`)
are summed plainly, by kernels that do nothing as a rule:

             y = out[n] ? sum[p, q, c](x[n, ...] * w) : A' z A

The rule looks at what the formula says, not at which operation it belongs to, so it covers the
gradient by the image; and that by the filter, where places are few and taps are cut into tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from thalweg.base import dtypes
from thalweg.base.dims import Dim
from thalweg.base.record import Record
from thalweg.base.shapes import typical_size
from thalweg.formula import (
    Affine,
    Apply,
    Axis,
    Combination,
    Expr,
    Read,
    Reduce,
    Replace,
    Rewrite,
    affine,
    apply,
    sum_over,
    where,
)
from thalweg.kernels.rewrites.range_checks import RangeChecks, any_of, read_word
from thalweg.kernels.rewrites.toom_cook import Filtering, Matrix, filtering
from thalweg.kernels.values import Definition, Value

# For a number of taps, how many results to compute together; or of results, how many taps.
TOGETHER = {3: (4, 2), 5: (2,)}
MIN_CHANNELS = 16  # channels that there must be on both sides
MIN_TILES = 64  # tiles without which the transforms do not pay


def use_winograd(definitions: list[Definition]) -> list[Definition]:
    """Replace the convolutions that it suits; bodies are changed in place."""
    found = {d: _Convolution.of(d) for d in definitions}
    chosen = [convolution for convolution in found.values() if convolution is not None]
    checks = RangeChecks(definitions, {r.source for c in chosen for r in (c.image, c.filter)})
    result: list[Definition] = []
    for definition in definitions:
        convolution = found[definition]
        if convolution is not None:
            result += convolution.replace(checks)
        result.append(definition)
    return result


class _Slide(Record):
    """A dimension of the image along which the filter slides: read at `place + tap + constant`.

    One of the two axes is short and taken whole; the other is cut into tiles.

    Attributes:
        place: an axis of the result.
        tap: an axis of the sum.
        results: how many places are computed together.
        taps: how many taps are.
    """

    place: Axis
    tap: Axis
    results: int
    taps: int

    @property
    def cuts_taps(self) -> bool:
        """Whether it is the taps that are cut, as in the gradient by a filter."""
        return self.tap.extent != self.taps

    @property
    def step(self) -> int:
        """From one tile to the next."""
        return self.taps if self.cuts_taps else self.results

    @property
    def tiles(self) -> int:
        return int((self.tap if self.cuts_taps else self.place).extent) // self.step

    @property
    def points(self) -> int:
        return self.results + self.taps - 1

    @property
    def matrices(self) -> Filtering:
        return filtering(self.results, self.taps)


class _Convolution(Record):
    """A definition that convolves, and what takes which part in it.

    Attributes:
        reduce: the sum.
        image: what is read at places and taps, with taps walked forwards.
        filter: what is read at taps.
        slides: the two dimensions.
    """

    definition: Definition
    reduce: Reduce
    image: Read
    filter: Read
    slides: tuple[_Slide, ...]

    @staticmethod
    def of(definition: Definition) -> _Convolution | None:
        """The convolution that a definition computes, if it is worth replacing."""
        if len(definition.body.reductions) != 1:
            return None
        (reduce,) = definition.body.reductions
        body = reduce.body
        if reduce.combiner != "sum" or reduce.dtype != dtypes.float32 or len(reduce.axes) < 3:
            return None
        if not isinstance(body, Apply) or body.function != "mul":
            return None
        for image, filter in (body.args, body.args[::-1]):
            if not isinstance(image, Read) or not isinstance(filter, Read):
                return None
            slides = tuple(_slides(definition, reduce, image, filter))
            if len(slides) == 2 and slides[0].cuts_taps is slides[1].cuts_taps:
                ahead = Rewrite(axes=dict(_forwards(image, slides)))
                one, other = (
                    Read(r.source, tuple(map(ahead.index, r.index)), r.dtype)
                    for r in (image, filter)
                )
                found = _Convolution(definition, reduce, one, other, slides)
                suits = found.is_plain and found.is_by_image and found.is_worthwhile
                return found if suits else None
        return None

    @property
    def is_plain(self) -> bool:
        """Whether the result's axes belong to the image or to the filter, none to both.

        Those of groups that are convolved side by side do, and what a read index walks is unknown.
        """
        places = {slide.place for slide in self.slides}
        parts = [*places, *self.rows, *self.columns]
        read = [a for r in (self.image, self.filter) for at in r.index for a, _ in at.terms]
        once = len(parts) == len(set(parts)) and set(parts) == set(self.definition.axes)
        return once and all(read.count(a) == 1 for a in (*self.rows, *self.columns))

    @property
    def is_by_image(self) -> bool:
        """Whether images are the first dimension of what is read at places, and of the result."""
        images = self.depth if self.cuts_taps else self.rows
        reads = (self.image, self.filter) if self.cuts_taps else (self.image,)
        if len(images) != 1 or not all(r.index[0].is_axis(images[0]) for r in reads):
            return False
        return self.cuts_taps or self.definition.axes[0] is images[0]

    @property
    def is_worthwhile(self) -> bool:
        tiles = typical_size(slide.tiles for slide in self.slides)
        rows, columns, depth = (_usual_size(part) for part in (self.rows, self.columns, self.depth))
        inner = min(rows, columns) if self.cuts_taps else min(depth, columns)
        return inner >= MIN_CHANNELS and rows * depth * tiles >= MIN_TILES * inner

    @property
    def cuts_taps(self) -> bool:
        return self.slides[0].cuts_taps

    @property
    def rows(self) -> list[Axis]:
        """Axes of the result that the image alone is read along, places left out."""
        places = [slide.place for slide in self.slides]
        return [a for a in self.definition.axes if a not in places and _uses(self.image, a)]

    @property
    def columns(self) -> list[Axis]:
        """Axes of the result that the filter is read along."""
        return [a for a in self.definition.axes if _uses(self.filter, a)]

    @property
    def depth(self) -> list[Axis]:
        """Summed axes that are no taps."""
        taps = [slide.tap for slide in self.slides]
        return [a for a in self.reduce.axes if a not in taps]

    def replace(self, checks: RangeChecks) -> list[Definition]:
        """The transforms and products; the definition is changed to combine these.

        And the plain sums of images that are out of range.
        """
        bad = self._out_of_range(checks)
        keep = bad if self.cuts_taps else []
        tables = [slide.matrices for slide in self.slides]
        image = self._transform("tiles", self.image, [t.b for t in tables], True, keep)
        filter = self._transform("taps", self.filter, [t.g for t in tables], self.cuts_taps, keep)
        products = self._products(image, filter)
        plain = self._sum_of_images(checks, bad) if self.cuts_taps else self._sums_by_image(bad)
        self._combine(products, plain)
        return [*checks.take(), filter, image, products, plain]

    def _out_of_range(self, checks: RangeChecks) -> list[Value]:
        """Words that say for which images the products are to be summed plainly."""
        taps = [slide.tap for slide in self.slides]
        image, filter = (
            (read.source, [n for n, at in enumerate(read.index) if _any(at, taps)])
            for read in (self.image, self.filter)
        )
        words = [checks.of_images(*image, self.definition)]
        if self.cuts_taps:
            return [*words, checks.of_images(*filter, self.definition)]
        source, places = filter
        channels = [n for n in range(len(source.shape)) if n not in places]
        return [*words, checks.of_filter(source, channels, self.definition)]

    def _sums_by_image(self, bad: Sequence[Value]) -> Definition:
        """The plain sums, of which each belongs to an image."""
        new = {a: Axis(a.extent, a.name) for a in self.definition.axes}
        words = [read_word(word, new[self.definition.axes[0]]) for word in bad]
        return self._define_plain(new, Rewrite(axes=dict(new))(self.reduce), words)

    def _sum_of_images(self, checks: RangeChecks, bad: Sequence[Value]) -> Definition:
        """The plain sum over the images that are out of range.

        They are copied for it, so that images which are not need not be kept till then.
        """
        new = {a: Axis(a.extent, a.name) for a in self.definition.axes}
        sources = dict.fromkeys(read.source for read in (self.image, self.filter))
        copies = {source: checks.copy(source, bad, self.definition) for source in sources}
        rewrite = Rewrite(axes=dict(new), read=lambda r: Read(copies[r.source], r.index, r.dtype))
        chosen = any_of([read_word(word, self.depth[0]) for word in bad])
        product = where(chosen, rewrite(self.reduce.body), 0.0)
        asked = checks.any_image(bad, self.definition)
        body = sum_over(self.reduce.axes, product)
        return self._define_plain(new, body, [Read(asked, (), asked.dtype)])

    def _define_plain(
        self, new: Mapping[Axis, Axis], body: Expr, words: Sequence[Read]
    ) -> Definition:
        index = tuple(new.values())
        value = Value(f"{self.definition.value.name} plain", _extents(index), body.dtype)
        made = self._define(value, index, body)
        made.when = tuple(words)
        return made

    def _transform(
        self, what: str, read: Read, tables: Sequence[Matrix], cut: bool, bad: Sequence[Value]
    ) -> Definition:
        """What is read at all points: two dimensions become as many of points, and of tiles if cut.

        Every definition has axes of its own, made anew from those of the one that is replaced.
        It is 0 for the images of which one of the words `bad` says something.
        """
        new = self._new_axes()

        def element(offsets: Sequence[int]) -> Expr:
            at = {a: affine(n) for a, n in new.items() if isinstance(a, Axis)}
            for slide, offset in zip(self.slides, offsets, strict=True):
                moved = (new[slide] * slide.step if cut else affine(0)) + offset
                places = read is self.image
                at |= {slide.place: moved, slide.tap: affine(0)} if places else {slide.tap: moved}
            return Rewrite(axes=dict(at))(read)

        points = [Axis(s.points, name) for s, name in zip(self.slides, "kl", strict=True)]
        layout = self._layout(read, new, points, cut)
        value = Value(f"{self.definition.value.name} {what}", _extents(layout), read.dtype)
        body = _combined(points, tables, element)
        if bad:
            body = where(any_of([read_word(word, layout[0]) for word in bad]), 0.0, body)
        return self._define(value, layout, body)

    def _new_axes(self) -> dict[Axis | _Slide, Axis]:
        """An axis for each that is no place and no tap, and one over the tiles of each slide."""
        old = (*self.rows, *self.columns, *self.depth)
        new: dict[Axis | _Slide, Axis] = {a: Axis(a.extent, a.name) for a in old}
        return new | {s: Axis(s.tiles, s.place.name) for s in self.slides}

    def _layout(
        self, read: Read, new: Mapping[Axis | _Slide, Axis], points: Sequence[Axis], cut: bool
    ) -> list[Axis]:
        """The axes of what a read is transformed to, in the order of its own dimensions."""
        taps = [slide.tap for slide in self.slides]
        own = [[a for a, _ in at.terms if isinstance(a, Axis)] for at in read.index]
        first = next(n for n, atoms in enumerate(own) if any(a in taps for a in atoms))
        before, after = (
            [new[a] for atoms in part for a in atoms if a in new]
            for part in (own[:first], own[first:])
        )
        return [*before, *points, *(new[s] for s in self.slides if cut), *after]

    def _products(self, image: Definition, filter: Definition) -> Definition:
        """The product of both, summed over everything but the result's axes."""
        new = self._new_axes()
        points = [Axis(s.points, name) for s, name in zip(self.slides, "kl", strict=True)]
        u = self._layout(self.filter, new, points, self.cuts_taps)
        v = self._layout(self.image, new, points, cut=True)
        tiles = [new[s] for s in self.slides]
        summed = [new[a] for a in self.depth] + (tiles if self.cuts_taps else [])
        index = [a for a in v if a not in summed] + [new[a] for a in self.columns]
        body = sum_over(summed, apply("mul", _read(image.value, v), _read(filter.value, u)))
        name = f"{self.definition.value.name} products"
        return self._define(Value(name, _extents(index), body.dtype), index, body)

    def _combine(self, products: Definition, plain: Definition) -> None:
        """Let the definition compute its sums from the products, a tile of results together."""
        definition = self.definition
        inner = {s: Axis(s.results, s.place.name) for s in self.slides}
        new: dict[Axis | _Slide, Axis] = {a: a for a in (*self.rows, *self.columns)}
        new |= {s: Axis(s.tiles, s.place.name) for s in self.slides}
        points = [Axis(s.points, name) for s, name in zip(self.slides, "kl", strict=True)]
        layout = self._layout(self.image, new, points, cut=not self.cuts_taps)
        index = [*layout, *self.columns]

        def element(offsets: Sequence[int]) -> Expr:
            at = dict(zip(points, offsets, strict=True))
            return _read(products.value, [affine(at[a]) if a in at else a for a in index])

        tables = [slide.matrices.a for slide in self.slides]
        total = _combined([inner[s] for s in self.slides], tables, element)
        parts = {
            s.place: (inner[s],) if self.cuts_taps else (new[s], inner[s]) for s in self.slides
        }
        rewrite = Rewrite(
            axes={
                s.place: affine(inner[s]) if self.cuts_taps else new[s] * s.results + inner[s]
                for s in self.slides
            }
        )
        asked = any_of([read_word(word.source, definition.axes[0]) for word in plain.when])
        plainly = _read(plain.value, definition.axes)
        if self.cuts_taps:
            total = total + where(asked, plainly, 0.0)
        else:
            total = where(asked, plainly, total)
        definition.body = rewrite(Replace(self.reduce, total)(definition.body))
        definition.store = tuple(map(rewrite.index, definition.store))
        definition.axes = tuple(made for a in definition.axes for made in parts.get(a, (a,)))

    def _define(self, value: Value, index: Sequence[Axis], body: Expr) -> Definition:
        old, store = self.definition, tuple(map(affine, index))
        return Definition(value, tuple(index), body, store, old.order, old.ops, set(old.after))


def _slides(definition: Definition, reduce: Reduce, image: Read, filter: Read) -> Iterator[_Slide]:
    """The dimensions of the image along which the filter slides, one element at a time."""
    every = [dict(at.terms) for at in (*image.index, *filter.index)]
    for at in image.index:
        atoms = dict(at.terms)
        places = [a for a in definition.axes if atoms.get(a) == 1]
        taps = [a for a in reduce.axes if atoms.get(a) in (1, -1)]
        if len(atoms) != 2 or len(places) != 1 or len(taps) != 1:
            continue
        (place,), (tap,) = places, taps
        apart = sum(tap in at for at in every) == 2 and sum(place in at for at in every) == 1
        if apart and (together := _together(place.extent, tap.extent)):
            yield _Slide(place, tap, *together)


def _together(places: int, taps: int) -> tuple[int, int] | None:
    """Places and taps to take together, if there are few of one and whole tiles of the other."""
    if isinstance(places, Dim) or isinstance(taps, Dim):
        return None
    for results in TOGETHER.get(taps, ()):
        if places % results == 0:
            return results, taps
    for few in TOGETHER.get(places, ()):
        if taps % few == 0:
            return places, few
    return None


def _forwards(image: Read, slides: Sequence[_Slide]) -> Iterator[tuple[Axis, Affine]]:
    """Taps that the image is walked back along, from the other end."""
    for slide in slides:
        if any(at.coefficient(slide.tap) < 0 for at in image.index):
            yield slide.tap, slide.tap * -1 + (slide.tap.extent - 1)


def _any(index: Affine, axes: Sequence[Axis]) -> bool:
    """Whether the index has one of the axes in it."""
    return any(index.coefficient(axis) for axis in axes)


def _uses(read: Read, axis: Axis) -> bool:
    return any(at.coefficient(axis) for at in read.index)


def _combined(
    rows: Sequence[Axis], tables: Sequence[Matrix], element: Callable[[Sequence[int]], Expr]
) -> Expr:
    """The two-dimensional transform of elements by their offsets."""
    (row, column), (outer, inner) = rows, tables
    columns = [
        Combination(
            affine(row), outer, tuple(element((a, b)) for a in range(len(outer[0]))), dtypes.float32
        )
        for b in range(len(inner[0]))
    ]
    return Combination(affine(column), inner, tuple(columns), dtypes.float32)


def _usual_size(axes: Sequence[Axis]) -> int:
    """How many points there are for a typical batch; a batch of one has code of its own anyway."""
    return typical_size(1 if axis.extent == 1 else axis.extent for axis in axes)


def _extents(index: Sequence[Axis]) -> tuple[int, ...]:
    return tuple(axis.extent for axis in index)


def _read(value: Value, index: Sequence[Axis | Affine]) -> Read:
    return Read(value, tuple(map(affine, index)), value.dtype)
