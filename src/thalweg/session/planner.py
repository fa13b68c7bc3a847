"""From what a user fetches and feeds to a compiled plan, which is made once and found again."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from thalweg.backends.constants import ConstantProgram
from thalweg.backends.protocol import Feed, MiniBatches, Program
from thalweg.base import forks
from thalweg.base.bounded_dict import BoundedDict
from thalweg.base.dims import Given
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import FeedError, SessionClosedError
from thalweg.base.forks import ForkSafe
from thalweg.base.garbage import collection_paused
from thalweg.base.record import replace
from thalweg.base.shapes import known
from thalweg.graph import Operation, Origin, Tensor
from thalweg.ops.control.ragged import irregular, is_ragged
from thalweg.passes.bodies import ShapesChangeError
from thalweg.passes.check_numbers import check_numbers
from thalweg.passes.costs import OpCost, costs
from thalweg.passes.interface import interface
from thalweg.passes.make_plan import make_plan
from thalweg.passes.place import Places, has_place, place, show_places
from thalweg.passes.plan import Plan
from thalweg.passes.prune import NOTHING, prune
from thalweg.passes.signature import signature, with_inner
from thalweg.passes.specialise import given, seeds, specialise, static_feeds
from thalweg.passes.stages import Stage, Stages, cut_into_stages, takes_elements
from thalweg.session.devices import SessionDevices
from thalweg.session.entry import Choice, Entry, Request
from thalweg.session.feeds import check_shape, describe, missing
from thalweg.session.fetches import Fetches
from thalweg.session.staged import StagedProgram
from thalweg.session.variables import SessionVariables
from thalweg.session.why_recompiled import WhyRecompiled

Array = np.ndarray[Any, Any]

TRIED = 8  # plans for other shapes that are kept, and tried before another one is made
SAME_PLAN, CACHED = " (the plan holds)", " (the plan was cached)"
MIN_CACHED_OPERATIONS = 50  # for fewer, to plan anew is quicker than to read a file


class Planner(ForkSafe):
    """Finds the compiled plan of a run, or makes it: one thread at a time, while others run.

    Args:
        devices: what plans are compiled for.
        store: the variables, which are allocated as plans need them.
        checks_numbers: whether a run fails where a number becomes infinite or NaN.
        logs_places: whether each new request prints where its operations run.

    Attributes:
        why: what was new about the runs that plans were made for.
        is_closed: whether it makes no plans any more.
    """

    fork_order = 0

    def __init__(
        self,
        devices: SessionDevices,
        store: SessionVariables,
        checks_numbers: bool = False,
        logs_places: bool = False,
    ) -> None:
        super().__init__()
        self._checks_numbers, self._logs_places = checks_numbers, logs_places
        self.why = WhyRecompiled()
        self.is_closed = False
        self._devices, self._store = devices, store
        self._recent: dict[Any, Choice] = BoundedDict()
        self._choices: dict[Any, Choice] = BoundedDict()
        self._requests: dict[Any, Request] = BoundedDict()
        # By a choice, with the values that decide about shapes.
        self._entries: dict[tuple[Choice, tuple[bytes, ...]], Entry] = BoundedDict()
        self._planned: dict[Request, list[Entry]] = BoundedDict()
        self._staged_entries: dict[Request, Entry] = BoundedDict()
        self._costs: dict[tuple[Choice, tuple[bytes, ...]], dict[str, OpCost]] = BoundedDict()

    def chosen(self, fetched: Fetches, feeds: Mapping[Tensor, Array]) -> Choice:
        """`choice` for what a user fetches and feeds, found again in a microsecond."""
        key: Any = fetched
        if feeds:
            key = (fetched, *feeds, *[array.shape for array in feeds.values()])
        choice = self._recent.get(key)
        if choice is None:
            wanted = fetched.tensors
            if not feeds.keys().isdisjoint(wanted):
                wanted = tuple(tensor for tensor in wanted if tensor not in feeds)
            choice = self._recent[key] = self.choice(wanted, fetched.targets, feeds)
        return choice

    def choice(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Operation, ...],
        feeds: Mapping[Tensor, Feed],
        stage: Stage | None = None,
    ) -> Choice:
        """What to compute for fetches, none of which is fed, with feeds of these shapes.

        Args:
            fetches: the tensors.
            targets: the operations.
            feeds: arrays by tensor.
            stage: if it is a segment of a run; else it is a run.

        Raises:
            FeedError: a feed has not the shape of its tensor.
        """
        fed = frozenset([(t, feed.shape, _source_dtype(feed)) for t, feed in feeds.items()])
        key = (fetches, targets, fed, stage)
        choice = self._choices.get(key)
        if choice is None:
            for tensor, feed in feeds.items():
                if not is_ragged(tensor, feed):
                    check_shape(tensor, feed.shape)
            with self._planning():
                choice = self._choices.get(key)
                if choice is None:  # nor has another thread just made it
                    request = self._request(fetches, targets, feeds, stage)
                    choice = self._choices[key] = Choice(request, request.fetches)
        return choice

    def entry(self, choice: Choice, feeds: Mapping[Tensor, Feed]) -> Entry:
        """The compiled plan for these feeds, made if there is none yet.

        Raises:
            FeedError: a placeholder is not fed.
        """
        request = choice.request
        known = {tensor: _known(tensor, feeds[tensor]) for tensor in request.static}
        values = tuple([array.tobytes() for array in known.values()])
        entry = self._entries.get((choice, values))
        if entry is None:
            with self._planning():
                entry = self._entries.get((choice, values))
                if entry is None:
                    with collection_paused():
                        entry = self._entries[choice, values] = self._new(request, feeds, known)
        if not request.static:
            choice.only = entry
        return entry

    def plan(
        self, choice: Choice, feeds: Mapping[Tensor, Feed]
    ) -> tuple[list[Operation], Plan] | None:
        """The user's operations that a run needs, and what they become; None for several stages.

        The plan is made anew, to be looked at.
        """
        request = choice.request
        if request.stages:
            return None
        ops = prune(request.fetches, request.targets, feeds, request.done)
        read = {tensor for op in ops for tensor in op.inputs} | set(request.fetches)
        shapes = {tensor: feed.shape for tensor, feed in feeds.items() if tensor in read}
        values = {tensor: _known(tensor, feeds[tensor]) for tensor in request.static}
        return ops, make_plan(request.fetches, request.targets, shapes, values, request.done)

    def forget_plans(self) -> None:
        """Let everything be planned anew, with what is known by now."""
        with self._lock:
            for table in (
                self._recent,
                self._choices,
                self._entries,
                self._planned,
                self._staged_entries,
                self._costs,
            ):
                table.clear()

    def close(self) -> None:
        """Free all programs, and make no others."""
        with self._lock:
            self.is_closed = True
            self.forget_plans()
            self._requests.clear()
            self.why.clear()
            self._devices.clear()

    @contextmanager
    def _planning(self) -> Iterator[None]:
        """Let no other thread plan."""
        forks.give_way()
        with self._lock:
            if self.is_closed:
                raise SessionClosedError("the session is closed")
            yield

    def _request(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Operation, ...],
        feeds: Mapping[Tensor, Feed],
        stage: Stage | None,
    ) -> Request:
        kinds = frozenset([(t, len(feed.shape), _source_dtype(feed)) for t, feed in feeds.items()])
        key = (fetches, targets, kinds, stage)
        if key not in self._requests:
            self._requests[key] = self._new_request(fetches, targets, feeds, stage)
        return self._requests[key]

    def _new_request(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Operation, ...],
        feeds: Mapping[Tensor, Feed],
        stage: Stage | None,
    ) -> Request:
        done = stage.done if stage else None
        ops = prune(fetches, targets, feeds, done or NOTHING)
        places = dict.fromkeys(ops, stage.device) if stage else self._places(ops)
        if done is None and (stages := cut_into_stages(ops, places, fetches, targets, feeds)):
            return Request(fetches, targets, (), (), stages=stages)
        device = stage.device if stage else self._devices.find("")
        device = next((places[op] for op in ops if has_place(op)), device)
        static, words = static_feeds(ops, feeds), seeds(ops)
        return Request(fetches, targets, tuple(static), tuple(words), device, done or NOTHING)

    def _places(self, ops: list[Operation]) -> Places:
        """The devices of the operations of a run."""
        places = place(ops, self._devices.find)
        if self._logs_places:
            print(show_places(places), file=sys.stderr)
        return places

    def _new(
        self, request: Request, feeds: Mapping[Tensor, Feed], static: Mapping[Tensor, Array]
    ) -> Entry:
        """An entry for feeds that have none yet."""
        if request.stages:
            return self._staged(request, request.stages, feeds)
        if ragged := {tensor: feed for tensor, feed in feeds.items() if is_ragged(tensor, feed)}:
            return self._with_ragged(request, feeds, ragged)
        try:
            return self._fitting(request, feeds, static)
        except ShapesChangeError as error:  # which only the plan has found out
            made = self._on_host(request, feeds, [] if error.op is None else [error.op])
            if made is None:
                raise
            return made

    def _with_ragged(
        self, request: Request, feeds: Mapping[Tensor, Feed], ragged: Mapping[Tensor, Any]
    ) -> Entry:
        """An entry in which Python runs the loops over values that no compiled code can take."""
        ops = prune(request.fetches, request.targets, feeds, request.done)
        loops = [op for op in ops if takes_elements(op, ragged)]
        made = self._on_host(request, feeds, loops) if loops else None
        if made is None:
            raise irregular(*next(iter(ragged.items())))
        return made

    def _on_host(
        self, request: Request, feeds: Mapping[Tensor, Feed], ops: Sequence[Operation]
    ) -> Entry | None:
        """An entry in which Python runs some operations; None if it cannot be cut at them."""
        fetches, targets, done = request.fetches, request.targets, request.done
        needed = prune(fetches, targets, feeds, done)
        places = dict.fromkeys(needed, request.device)
        request.stages = cut_into_stages(needed, places, fetches, targets, feeds, done, ops)
        return self._staged(request, request.stages, feeds) if request.stages else None

    def _fitting(
        self, request: Request, feeds: Mapping[Tensor, Feed], static: Mapping[Tensor, Array]
    ) -> Entry:
        """An entry from a plan for other feeds that holds for these, or else with its own."""
        planned = self._planned.get(request, [])
        replayed = _replayed(planned, feeds, request.seeds)
        entry = replayed or self._made(request, feeds, static)
        if replayed is None:
            self._planned[request] = [*planned, entry][-TRIED:]
        if entry.program is not None:
            self.why.note(request, feeds, static, SAME_PLAN if replayed else entry.remark)
        return entry

    def _staged(self, request: Request, stages: Stages, feeds: Mapping[Tensor, Feed]) -> Entry:
        """An entry that runs stage by stage; each segment is planned when it first runs."""
        if request not in self._staged_entries:
            _check_fed(prune(request.fetches, request.targets, feeds, request.done), feeds)
            remark = f" ({len(stages.stages)} stages, one after the other)"
            self.why.note(request, feeds, {}, remark)
            program = StagedProgram(stages, self, self._store)
            entry = Entry(program, stages.feeds, stages.needs, stages.writes)
            self._staged_entries[request] = entry
        return self._staged_entries[request]

    def segment(self, stage: Stage, feeds: Mapping[Tensor, Array]) -> Entry:
        """The compiled plan of a segment."""
        key: Any = (stage, *[array.shape for array in feeds.values()])
        choice = self._recent.get(key)
        if choice is None:
            choice = self.choice(stage.tensors, stage.targets, feeds, stage)
            self._recent[key] = choice
        return choice.only or self.entry(choice, feeds)

    def segment_costs(self, stage: Stage, feeds: Mapping[Tensor, Array]) -> dict[str, OpCost]:
        """What the operations of a segment cost, each by itself."""
        return self.costs(self.choice(stage.tensors, stage.targets, feeds, stage), feeds)

    def costs(self, choice: Choice, feeds: Mapping[Tensor, Array]) -> dict[str, OpCost]:
        """What the operations of a run cost, each by itself, before any is fused or simplified.

        Nothing is known of a run of several stages as a whole: see `segment_costs`.
        """
        request = choice.request
        if request.stages:
            return {}
        static = {tensor: np.asarray(feeds[tensor]) for tensor in request.static}
        key = choice, tuple([array.tobytes() for array in static.values()])
        if key not in self._costs:
            shapes = {tensor: feed.shape for tensor, feed in feeds.items()}
            with self._planning():
                ops = request.fetches, request.targets
                self._costs[key] = costs(specialise(*ops, shapes, static, request.done))
        return dict(self._costs[key])

    def _made(
        self, request: Request, feeds: Mapping[Tensor, Feed], static: Mapping[Tensor, Array]
    ) -> Entry:
        """An entry from a plan that another process has cached, or from a new one."""
        ops = prune(request.fetches, request.targets, feeds, request.done)
        _check_fed(ops, feeds)
        read = {tensor for op in ops for tensor in op.inputs}
        fed = {tensor: feed for tensor, feed in feeds.items() if tensor in read}
        # In the order of this signature, as those who find the plan under it will have them.
        values = {tensor: static[tensor] for tensor in fed if tensor in static}
        text = None
        large = sum(1 for _ in with_inner(ops)) >= MIN_CACHED_OPERATIONS
        if large and not self._checks_numbers:
            kinds = {
                tensor: (len(feed.shape), _source_dtype(feed), tensor in values)
                for tensor, feed in fed.items()
            }
            text = signature(ops, request.fetches, request.targets, kinds)
        recalled = None if text is None else self._recalled(request, fed, values, text)
        return recalled or self._compiled(request, fed, values, text)

    def _recalled(
        self,
        request: Request,
        fed: Mapping[Tensor, Feed],
        values: Mapping[Tensor, Array],
        text: str,
    ) -> Entry | None:
        """An entry from a plan that is cached under this signature, if there is one."""
        entry = Entry(None, _taken(fed, values), static=tuple(values), remark=CACHED)
        device, args = request.device, _given(entry, fed, request.seeds)
        found = self._devices.backend(device).recall(text, args, self._store.on(device))
        if found is None:
            return None
        entry.program, plan = found
        entry.needs, entry.writes = plan.needs, plan.writes
        return entry

    def _compiled(
        self,
        request: Request,
        fed: Mapping[Tensor, Feed],
        values: Mapping[Tensor, Array],
        text: str | None,
    ) -> Entry:
        """An entry from a new plan."""
        shapes = {tensor: feed.shape for tensor, feed in fed.items()}
        plan = make_plan(request.fetches, request.targets, shapes, values, request.done)
        if self._checks_numbers:
            plan = check_numbers(plan)
        if not plan.fetches and not plan.targets:
            return Entry(None, ())
        for op in plan.graph.operations:
            if op.record.origin is Origin.RESOURCE:
                (handle,) = op.outputs
                self._store.allocate(op.name, known(handle.static_shape), handle.dtype.numpy)
        taken = _taken(fed, values)
        sources = {n: _source_dtype(fed[tensor]) for n, tensor in enumerate(taken)}
        batched_feeds = {n: as_dtype(source) for n, source in sources.items() if source}
        program: Program | None = ConstantProgram.of(plan)
        seen = interface(plan)
        if program is None:
            device = request.device
            program = self._devices.backend(device).compile(
                plan, seen, self._store.on(device), batched_feeds, text
            )
        return Entry(program, taken, seen.needs, seen.writes, static=tuple(values))


def _check_fed(ops: Iterable[Operation], feeds: Mapping[Tensor, Feed]) -> None:
    for op in ops:
        if op.record.origin is Origin.FEED and op.outputs[0] not in feeds:
            raise missing(op.outputs[0])


def _source_dtype(feed: Feed) -> np.dtype[Any] | None:
    """The element type of the array of which each step takes other rows, if the feed is one."""
    return feed.source.dtype if isinstance(feed, MiniBatches) else None


def _taken(fed: Iterable[Tensor], values: Container[Tensor]) -> tuple[Tensor, ...]:
    """The feeds whose arrays a program takes."""
    return tuple(tensor for tensor in fed if tensor not in values)


def _replayed(
    planned: list[Entry], feeds: Mapping[Tensor, Feed], words: Sequence[int]
) -> Entry | None:
    """An entry that a plan made for other feeds serves too.

    Args:
        planned: the latest plans; that which holds becomes the last one, to be tried first.
        feeds: what is fed.
        words: of the seeds.
    """
    for number in reversed(range(len(planned))):
        entry = planned[number]
        if entry.program is not None:
            program = entry.program.at(_given(entry, feeds, words))
            if program is not None:
                planned.append(planned.pop(number))
                return replace(entry, program=program, ready=False, remark="", others={})
    return None


def _given(entry: Entry, feeds: Mapping[Tensor, Feed], words: Sequence[int]) -> list[Given]:
    """What the trace of an entry's plan is given."""
    values = {tensor: _known(tensor, feeds[tensor]) for tensor in entry.static}
    return given(values, {tensor: feeds[tensor].shape for tensor in entry.feeds}, words)


def _known(tensor: Tensor, feed: Feed) -> Array:
    """The value of a feed that decides about shapes."""
    if isinstance(feed, MiniBatches):
        raise FeedError(
            f"batches: the value of {describe(tensor)} decides about shapes, so it cannot be "
            f"another one in each step\n  it was made at {tensor.op.source}"
        )
    return np.asarray(feed)  # it may be on another device
