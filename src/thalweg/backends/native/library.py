"""The library of kernels: how nests of each structure run, and their machine code.

Both are remembered by the structure, in memory and on disk. So a kernel that was ever needed on
this machine, by any program, needs neither a choice of schedule nor any code to be written again,
and what chooses and writes is imported only when it is used.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cache

from thalweg.backends.native.cache.encoding import EncodingError, decode, encode
from thalweg.backends.native.llvm.jit import Address, IrSource, Jit, ObjectCache
from thalweg.base.bounded_dict import BoundedDict
from thalweg.base.dims import off_the_record
from thalweg.base.errors import CompilerError
from thalweg.base.record import replace
from thalweg.base.source import PACKAGE
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import AbstractSchedule, Machine, Schedule, plain

# The files that a structure and the choice of its schedule follow from, with this one, which says
# how it is kept, and those that its text follows from.
_CHOICE = (
    "backends/native/library",
    "formula/functions",
    *("kernels/nests/nest", "kernels/nests/blocks"),
    *("kernels/schedules/schedule", "kernels/schedules/model", "kernels/schedules/choose"),
    *("kernels/schedules/k_blocking", "kernels/schedules/staging"),
)
_LOOPS = ("emit", "tiles", "reduction_loops", "reductions", "long_sums", "target")
_PARTS_OF_LOOPS = ("transpose", "epilogue", "stages", "prefetch")
_POINTS = ("expressions", "addresses", "scopes", "builder", "ssa", "functions")
_ELEMENTARY = ("vector_math", "elementary", "trigonometry", "special", "polynomials")
_MATHEMATICS = (*_ELEMENTARY, "philox", "halves")
_TEXT = (
    *("kernels/nests/dependence", "kernels/schedules/prefetch"),
    *(f"backends/native/llvm/{name}" for name in _LOOPS + _PARTS_OF_LOOPS + _POINTS + _MATHEMATICS),
)


MOST_SCHEDULES = 10_000  # in memory; one that is forgotten is looked up on disk or chosen anew


class Library:
    """Schedules and code by structure.

    Args:
        jit: makes the code.
        cache: where schedules outlive the process, if anywhere.
    """

    def __init__(self, jit: Jit, cache: ObjectCache | None = None) -> None:
        self.machine = Machine(jit.target.vector_bits, jit.target.vector_registers)
        self._jit = jit
        self._cache = cache
        self._schedules: BoundedDict[str, AbstractSchedule] = BoundedDict(MOST_SCHEDULES)

    def schedule(self, nest: Nest) -> Schedule:
        """How a nest runs: as every nest of its structure does."""
        key = nest.structure
        known = self._schedules.renewed(key)
        if known is None:
            with off_the_record(nest.sizes):  # any schedule would do
                known = self._schedules[key] = self._first(nest)
        return known.on(nest)

    def agrees(self, kernels: Sequence[tuple[Nest, Schedule]]) -> bool:
        """Whether nests would run so; those of structures not seen before will."""
        for nest, schedule in kernels:
            bare = without_scratch(nest)
            key, how = bare.structure, AbstractSchedule.of(schedule, bare)
            known = self._schedules.renewed(key) or self._remembered(bare) or how
            self._schedules[key] = known
            if known != how:
                return False
        return True

    def _first(self, nest: Nest) -> AbstractSchedule:
        """The schedule for a structure that the process has not seen yet."""
        known = self._remembered(nest)
        if known is None:
            from thalweg.kernels.schedules.choose import choose  # only when something is chosen

            known = AbstractSchedule.of(choose(nest, self.machine), nest)
            self._remember(nest, known)
        return known

    def remember(self, nest: Nest, schedule: Schedule) -> None:
        """Let nests of this structure run so from the next plan on, in later processes too.

        Later processes only if they would get the same bits without it: which schedule the model
        chooses for a structure depends on the first batch size that a process sees.
        """
        from thalweg.kernels.schedules.choose import choose, splits_sums

        nest = without_scratch(nest)
        known = AbstractSchedule.of(schedule, nest)
        self._schedules[nest.structure] = known
        if splits_sums(nest, schedule) is splits_sums(nest, choose(nest, self.machine)):
            self._remember(nest, known)

    def begin(self, nest: Nest, schedule: Schedule) -> None:
        """Let a kernel be compiled while others are planned."""
        with off_the_record(nest.sizes):  # the code serves whatever extents the plan holds for
            try:
                self._jit.begin([self._source(nest, schedule)])
            except Exception:
                self._give_up(nest)
                raise

    def code(self, kernels: Sequence[tuple[Nest, Schedule]]) -> list[Address]:
        """The addresses of kernels; what a kernel takes is said at `emit`.

        The code stays in memory for as long as its address lives.

        Raises:
            CompilerError: LLVM rejects the code of some. From now on their structures run plainly.
        """
        try:
            return self._jit.compile([self._source(*kernel) for kernel in kernels])
        except CompilerError:
            for nest, schedule in kernels:
                if not self._is_compiled(nest, schedule):
                    self._give_up(nest)
            raise

    def assembly(self, nest: Nest, schedule: Schedule) -> str:
        """The machine code of a kernel, for people to read.

        Raises:
            CompilerError: LLVM rejects the code.
        """
        return self._jit.assembly(self.llvm(nest, schedule))

    def llvm(self, nest: Nest, schedule: Schedule) -> str:
        """The LLVM IR of a kernel, as it is given to LLVM."""
        return self._source(nest, schedule).write()

    def _is_compiled(self, nest: Nest, schedule: Schedule) -> bool:
        try:
            return bool(self._jit.compile([self._source(nest, schedule)]))
        except CompilerError:
            return False

    def _give_up(self, nest: Nest) -> None:
        """Let nests of this structure run plainly for the rest of the process."""
        bare = without_scratch(nest)
        self._schedules[bare.structure] = AbstractSchedule.of(plain(bare), bare)

    def _source(self, nest: Nest, schedule: Schedule) -> IrSource:
        how = AbstractSchedule.of(schedule, nest)
        target = self._jit.target
        key = f"{_stamp(_CHOICE + _TEXT)};{nest.structure};{how}"

        def write() -> str:
            from thalweg.backends.native.llvm.emit import emit

            return emit(nest, schedule, target)

        return IrSource(key, write)

    def _remembered(self, nest: Nest) -> AbstractSchedule | None:
        found = self._cache.get(self._place(nest)) if self._cache else None
        if found is None:
            return None
        try:
            known = decode(found, AbstractSchedule)
        except EncodingError:
            return None
        return known if known.fits(nest) else None

    def _remember(self, nest: Nest, schedule: AbstractSchedule) -> None:
        if self._cache:
            self._cache.put(self._place(nest), encode(schedule))

    def _place(self, nest: Nest) -> str:
        """Where the schedule lies on disk that is chosen if this is the first of its structure."""
        parts = (_stamp(_CHOICE), self._jit.target, nest.structure, tuple(map(int, nest.sizes)))
        return f"schedule_{hashlib.sha256(repr(parts).encode()).hexdigest()}"


def without_scratch(nest: Nest) -> Nest:
    """The nest as it was when its schedule was chosen, before it had memory for sums."""
    if not nest.scratch:
        return nest
    return replace(nest, slots=nest.slots[: -len(nest.scratch)], scratch=())


@cache
def _stamp(files: Sequence[str]) -> str:
    """A digest of source files: what was made by other ones must not be used."""
    digest = hashlib.sha256()
    for name in files:
        with open(os.path.join(PACKAGE, f"{name}.py"), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()
