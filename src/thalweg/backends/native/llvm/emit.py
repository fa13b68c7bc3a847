"""A scheduled loop nest as LLVM IR.

    void kernel(ptr args, i64 begin, i64 end, i64 thread)      runs the tasks [begin, end)

`args` holds the slots' pointers and then the numbers that may differ from run to run (extents and
strides that come from a `Dim`), so that the same code serves every batch size.

One writer does it, in layers of which each knows only those before it:

    scopes.py             where code goes: the loops that are open, and what is known in them
    addresses.py          where elements lie
    expressions.py        what expressions are worth at a point of a tile
    reduction_loops.py    the loops of sums
    tiles.py              a tile: its sums, then its results
    emit.py               tasks, K blocks, and the loops over tiles
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from thalweg.backends.native.llvm.functions import memory_type
from thalweg.backends.native.llvm.long_sums import KBlock
from thalweg.backends.native.llvm.ssa import I64, SsaValue
from thalweg.backends.native.llvm.target import Target
from thalweg.backends.native.llvm.tiles import Tiles
from thalweg.base import dtypes
from thalweg.base.dims import Dim
from thalweg.formula import Axis
from thalweg.kernels.nests.nest import Nest, Store
from thalweg.kernels.schedules.schedule import Schedule


def emit(nest: Nest, schedule: Schedule, target: Target) -> str:
    """A module of IR that defines `@kernel` for a nest; its numbers follow the pointers."""
    writer, attributes = _Kernel(nest, schedule, target), target.attributes
    body = writer.write()
    declarations = "\n".join(dict.fromkeys(writer.b.declarations.values()))
    out_of_line = [function.text(attributes) for function in writer.b.functions.values()]
    return (
        f"{declarations}\n"
        f"{''.join(out_of_line)}"
        "define void @kernel(ptr noalias %args, i64 %begin, i64 %end, i64 %thread) "
        f"{attributes} {{\n"
        f"{body}\n}}\n"
    )


class _Kernel(Tiles):
    """Writes the loops around the tiles."""

    def write(self) -> str:
        if self.nest.when:
            with self.opened(), self.b.when(self._is_asked()), self.scope():
                self._all_tasks()
        else:
            self._all_tasks()
        self.b.line("ret void")
        return self.b.body_text()

    def _is_asked(self) -> SsaValue:
        """Whether one of the words holds that ask for the kernel."""
        b, kind = self.b, memory_type(dtypes.bool_)
        found = b.local(kind)
        b.store(b.constant(kind, 0), found)
        for slot, count in zip(self.nest.when, self.nest.words, strict=True):
            words = self.slot(slot)
            with b.loop(b.index(0), self.number(count)) as word:
                held = b.load(kind, b.address(words, word.index, kind.element))
                b.store(b.load(kind, found) | held, found)
        return b.load(kind, found).differs(0)

    def _all_tasks(self) -> None:
        if self.s.k_block:
            self._k_blocks()
        else:
            self._empty_stages()
            self._task_loop()

    def _task_loop(self) -> None:
        begin, end = SsaValue(self.b, I64, "%begin"), SsaValue(self.b, I64, "%end")
        prefix = self.s.order[: self.s.parallel]
        with self.opened(), self.b.loop(begin, end) as task, self.scope():
            blocks = self._decode(task.index, prefix)
            self._block_loops(list(self.s.order), blocks)

    def _k_blocks(self) -> None:
        """All tasks again and again, each time with the next K block of the first reduced axis."""
        axis, size = self.nest.reductions[0].axes[0], self.s.k_block
        extent = self.number(axis.extent)
        with self.opened(), self.b.loop(self.b.index(0), extent, size) as block:
            after = block.index + size
            is_last = after >= extent
            stop = is_last.select(extent, after)
            self.k_block = KBlock(block.index, stop, block.index.equals(0), is_last)
            self._empty_stages()
            with self.scope():
                self.k_block_depth = len(self.scopes) - 1
                self._task_loop()

    def _decode(self, task: SsaValue, prefix: Sequence[Axis]) -> dict[Axis, SsaValue]:
        """The block number of every parallel axis, from the number of the task."""
        blocks: dict[Axis, SsaValue] = {}
        rest = task
        for axis in reversed(prefix[1:]):
            count = self._block_count(axis)
            blocks[axis] = rest.urem(count)
            rest = rest.udiv(count)
        if prefix:
            blocks[prefix[0]] = rest
        return blocks

    def _block_count(self, axis: Axis) -> SsaValue:
        size = self.s.tile_of(axis)
        extent = self.number(axis.extent)
        if not isinstance(axis.extent, Dim):
            return self.b.index(-(-int(axis.extent) // size))
        return extent if size == 1 else (extent + (size - 1)).udiv(size)

    def _block_loops(self, axes: list[Axis], blocks: dict[Axis, SsaValue]) -> None:
        if len(axes) == len(self.nest.sequential):
            self._clear()
        if not axes:
            self.tile()
            return
        axis, rest = axes[0], axes[1:]

        def inner() -> None:
            with self.scope(axis):
                if axis is self.s.vector:
                    self._fill_stages(axis)
                self._block_loops(rest, blocks)

        if axis in blocks:
            self._task_block(axis, blocks[axis], inner)
        else:
            self._serial_blocks(axis, inner)

    def _task_block(self, axis: Axis, block: SsaValue, inner: Callable[[], None]) -> None:
        """One block of a parallel axis: a full one, or the rest at the end."""
        size, extent = self.s.tile_of(axis), axis.extent
        start = block * size if size > 1 else block

        def full() -> None:
            self._full_block(axis, start, inner)

        def rest() -> None:
            self._rest_block(axis, start, inner)

        if size == 1 or (not isinstance(extent, Dim) and extent % size == 0):
            full()
        elif not isinstance(extent, Dim) and extent < size:
            rest()
        else:
            whole = start + size <= self.number(extent)
            with self.opened():
                self.b.either(whole, full, rest)

    def _serial_blocks(self, axis: Axis, inner: Callable[[], None]) -> None:
        """All blocks of an axis, one after the other."""
        size, extent = self.s.tile_of(axis), axis.extent
        dynamic = isinstance(extent, Dim)
        if dynamic:
            whole = self.number(extent) if size == 1 else self.number(extent).udiv(size) * size
        else:
            whole = self.b.index(extent // size * size)
        if dynamic or extent // size > 1:
            with self.opened(), self.b.loop(self.b.index(0), whole, size) as loop:
                self._full_block(axis, loop.index, inner)
        elif extent >= size:
            self._full_block(axis, self.b.index(0), inner)
        if size > 1 and (dynamic or extent % size):
            self._rest_block(axis, whole, inner)

    def _full_block(self, axis: Axis, start: SsaValue, inner: Callable[[], None]) -> None:
        self._block(axis, start, range(0, self.s.tile_of(axis), self.step_of(axis)), inner)

    def _block(
        self, axis: Axis, start: SsaValue, offsets: Sequence[int], inner: Callable[[], None]
    ) -> None:
        before = self.index.get(axis)
        self.index[axis] = start
        self.offsets[axis] = list(offsets)
        inner()
        if before is not None:
            self.index[axis] = before

    def _rest_block(self, axis: Axis, start: SsaValue, inner: Callable[[], None]) -> None:
        """What is left of an axis after its full tiles."""
        extent, size, step = axis.extent, self.s.tile_of(axis), self.step_of(axis)
        if not isinstance(extent, Dim):
            rest = extent % size
            with self.masked(rest, step):
                self._block(axis, start, range(0, rest, step), inner)
            return
        if step == 1:
            self._dynamic_rest(axis, start, inner)
            return
        with self.opened(), self.b.loop(start, self.number(extent), step) as loop:
            self.masks = {0: self.lane_mask(self.number(extent) - loop.index)}
            self._block(axis, loop.index, [0], inner)
            self.masks = {}

    def _dynamic_rest(self, axis: Axis, start: SsaValue, inner: Callable[[], None]) -> None:
        """A rest whose length is known only at run time, in ever smaller tiles."""
        extent = self.number(axis.extent)
        for size in rest_sizes(self.s.tile_of(axis)):
            stop = start + (extent - start).udiv(size) * size
            with self.opened(), self.b.loop(start, stop, size) as loop:
                self._block(axis, loop.index, range(size), inner)
            start = stop

    # -- staged operands

    def _empty_stages(self) -> None:
        for stage in self.stages:
            stage.empty()

    def _fill_stages(self, vector: Axis) -> None:
        """Copy what the tile of the vector axis needs, unless the task before needed the same."""
        for stage in self.stages:
            held = self.b.load(I64, stage.held)
            with self.opened(), self.b.when(self.index[vector].differs(held)), self.scope():
                stage.fill(vector)

    # -- what is added up in memory

    def _clear(self) -> None:
        """Set to 0 what the sequential loops inside will add to."""
        for store in self.nest.stores:
            if store.cleared is not None:
                self._clear_over(store.cleared, store.clearing)

    def _clear_over(self, axis: Axis, zero: Store) -> None:
        with self.opened(), self.b.loop(self.b.index(0), self.number(axis.extent)) as loop:
            self.index[axis] = loop.index
            with self.scope(axis):
                for point in self.points():
                    self.store(zero, self.value(zero.body, point), point)


def rest_sizes(tile: int) -> list[int]:
    """Tiles for what a tile leaves over: 14 leaves work for tiles of 4 and of 1."""
    size, sizes = 1 << max(0, tile.bit_length() - 2), []
    while size > 1:
        sizes.append(size)
        size //= 4
    return [*sizes, 1]
