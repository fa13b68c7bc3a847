"""The driver: plans what a run needs, has it compiled once, runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import numpy as np

from thalweg.backends.constants import ConstantProgram
from thalweg.backends.protocol import Backend, Feed, Program, Rows
from thalweg.backends.reference.backend import NumpyBackend
from thalweg.backends.state import VariableStore
from thalweg.base import forks, settings
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import (
    FailedPreconditionError,
    FeedError,
    FetchError,
    InvalidArgumentError,
    ResourceExhaustedError,
    SessionClosedError,
)
from thalweg.base.forks import Shared
from thalweg.base.garbage import collection_paused
from thalweg.base.recent import Recent
from thalweg.base.record import Record, field
from thalweg.base.shapes import known, show
from thalweg.graph import Graph, Operation, Origin, Tensor, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.graph.node import Hooks
from thalweg.ops.state.variable import Variable
from thalweg.passes.interface import interface
from thalweg.passes.make_plan import make_plan
from thalweg.passes.prune import prune
from thalweg.passes.signature import signature
from thalweg.passes.specialise import open_extents, seeds, static_feeds
from thalweg.session.batches import Batches, batch_random, is_whole
from thalweg.session.config import ConfigProto
from thalweg.session.feeds import (
    check_mapping,
    check_shape,
    describe,
    feed_array,
    feedable,
    missing,
    rows_array,
)
from thalweg.session.fetches import Fetches, structure_key
from thalweg.session.loop import Loop

Array = np.ndarray[Any, Any]
T = TypeVar("T")

TRIED = 8  # plans for other shapes that are kept, and tried before another one is made
SAME_PLAN, REMEMBERED = " (the plan holds)", " (the plan was remembered)"
WORTH_REMEMBERING = 50  # operations; for fewer, to plan anew is quicker than to read a file


class _Entry(Record, frozen=False):
    """A compiled plan.

    Attributes:
        program: None if there is nothing to compute.
        feeds: the user's tensors whose arrays the program takes, in order.
        needs: variables that must have a value before it runs.
        writes: variables that have a value afterwards.
        ready: whether it has run, so that all these variables have values.
        remark: where the plan came from, for the log.
    """

    program: Program | None
    feeds: tuple[Tensor, ...]
    needs: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    ready: bool = False
    remark: str = ""


class _Request(Record, frozen=False):
    """What to compute with what is fed, whatever the shapes.

    Attributes:
        fetches: the tensors, none of them fed.
        targets: the operations.
        static: the feeds whose values decide about shapes.
        seeds: of the random operations.
        planned: entries with a plan of their own, by those values; the latest comes last.
    """

    fetches: tuple[Tensor, ...]
    targets: tuple[Operation, ...]
    static: tuple[Tensor, ...]
    seeds: tuple[int, ...]
    planned: dict[object, list[_Entry]] = field(default_factory=Recent)


class _Choice(Record, frozen=False):
    """What to compute with feeds of known shapes.

    Attributes:
        request: what to compute.
        fetches: the request's.
        entries: one for each value of the feeds that decide about shapes.
        only: the entry, if there are no such feeds.
    """

    request: _Request
    fetches: tuple[Tensor, ...]
    entries: dict[tuple[bytes, ...], _Entry] = field(default_factory=Recent)
    only: _Entry | None = None


class Session(Shared):
    """Runs parts of a graph, and owns the values of its variables.

    A session may be used by several threads; it does one run at a time. A signal handler may use it
    as well, and so may the child of a fork: a fork waits until a run of another thread is over.

    Args:
        target: accepted for TensorFlow 1; there are no remote sessions.
        graph: the default graph if not given.
        config: see `ConfigProto`.

    Attributes:
        why_recompiled: a line for every program that was made: what was new about the run, and
            whether a plan made for other shapes served. If so it took a few milliseconds.
    """

    fork_order = 0

    def __init__(
        self, target: str = "", graph: Graph | None = None, config: ConfigProto | None = None
    ) -> None:
        super().__init__()
        self._graph = _of_kind("graph", graph, Graph) or default_graph()
        self._config = _of_kind("config", config, ConfigProto) or ConfigProto()
        self._fetches: dict[Any, Fetches] = Recent()
        self._feedable: dict[Any, Tensor] = Recent()
        self._requests: dict[Any, _Request] = Recent()
        self._choices: dict[Any, _Choice] = Recent()
        self._recent: dict[Any, _Choice] = Recent()
        self._last: dict[Any, dict[Tensor, Array]] = Recent()
        self._store = VariableStore()
        self._backend: Backend | None = None
        self._runs = 0
        self._work = threading.RLock()  # held while a program runs
        self._is_working = False  # if it is, a signal handler's run needs memory of its own
        self._closed = False
        self._entered: list[ExitStack] = []
        self.why_recompiled: list[str] = []
        _check_backend(self._config.backend)

    @property
    def graph(self) -> Graph:
        """The graph that it runs parts of."""
        return self._graph

    # -- running

    def run(
        self,
        fetches: Any,
        feed_dict: Mapping[Any, Any] | None = None,
        options: Any = None,
        run_metadata: Any = None,
    ) -> Any:
        """Compute the fetches and return their values in the same structure.

        Args:
            fetches: a tensor, operation, variable or name ("y:0", "train"), or any nesting of
                lists, tuples and dicts of them. Operations give None.
            feed_dict: values for tensors of the graph, placeholders as a rule.
            options: accepted for TensorFlow 1.
            run_metadata: accepted for TensorFlow 1.

        Raises:
            FetchError: for a fetch that is not of the session's graph.
            FeedError: if a placeholder is not fed, or with something that does not fit.
            InvalidArgumentError: if an operation cannot take the values that it is given, such as
                indices out of range. Nothing has been written but what it had to wait for.
            ResourceExhaustedError: if there is not enough memory.
            SessionClosedError: after `close`.
        """
        if forks.waiting:
            forks.give_way()
        with self._lock:
            self._check_open()
            fetched = self._fetched(fetches)
            feeds = self._fed(feed_dict) if feed_dict is not None else {}
            choice = self._chosen(fetched, feeds)
            try:
                values = self._execute(choice.only or self._entry(choice, feeds), feeds, self._runs)
                self._runs += 1
            except MemoryError as error:
                raise _exhausted(fetched.tensors, fetched.targets, error) from error
        if choice.fetches is not fetched.tensors:
            made = dict(zip(choice.fetches, values, strict=True))
            values = [made[t] if t in made else feeds[t].copy() for t in fetched.tensors]
        return fetched.pack(values)

    def run_steps(
        self,
        fetches: Any,
        steps: int,
        feed_dict: Mapping[Any, Any] | None = None,
        *,
        batches: Mapping[Any, Any] | None = None,
        batch_size: int | None = None,
        shuffle: bool = True,
        seed: int | None = None,
        every: int = 1,
        callback: Callable[[int, Any], object] | None = None,
    ) -> Any:
        """Run the fetches `steps` times, each on another mini-batch, without Python in between.

        The state and the random numbers are those of as many calls of `run`. Tensors that are
        fetched are computed in every `every`-th step; the steps in between run for their effects
        only. Ctrl-C and errors of the callback end the loop after a whole step, and leave what the
        steps so far have done. A step that fails leaves what those before it have done.

        Args:
            fetches: as for `run`.
            steps: how many.
            feed_dict: as for `run`; fed whole in each step.
            batches: arrays by tensor. The first axis of each is the rows, of which there are as
                many in all of them; a step is fed `batch_size` rows. Each epoch takes every row
                once; a batch may begin with the last rows of one epoch and end with the first
                of the next. What is of a narrower type than its tensor, such as images in bytes,
                is converted batch by batch, and takes less memory and time than if it were not.
            batch_size: rows of a batch; it may be more than there are.
            shuffle: takes the rows of each epoch in another random order, and not as they lie.
            seed: of the order; together with the graph's seed and the number of the run it decides
                about the order as it does about a random operation's numbers.
            every: how many steps make a report.
            callback: called after every report as `callback(step, values)`, with how many steps
                have been made, from 1, and with what `run` would return.

        Returns:
            what `run` would return, but each tensor's values of all reports along a new first axis:
            `steps // every` of them. Operations give None.

        Raises:
            FetchError, FeedError, InvalidArgumentError, SessionClosedError: as `run` does;
                FeedError also for batches that do not fit together.
            ValueError: `steps` is negative, or `every` less than 1.
        """
        _check_counts(steps, every)
        with self._lock:
            self._check_open()
            fetched = self._fetched(fetches)
            feeds = self._fed({} if feed_dict is None else feed_dict)
            arrays = self._batch_arrays({} if batches is None else batches, feeds)
            random = batch_random(self._graph, seed, self._runs) if shuffle else None
        loop = Loop(self._run_slice, fetched, feeds, Batches(arrays, batch_size, random))
        return fetched.pack(loop.run(steps, every, callback))

    def program(
        self, fetches: Any, feed_dict: Mapping[Any, Any] | None = None
    ) -> tuple[str, Program | None]:
        """The program that `run` would run for these fetches and feeds; it is not run.

        Returns:
            The fetches' names, and the program, which is compiled if there is none yet; None if
            there is nothing to compute.

        Raises:
            FetchError, FeedError, SessionClosedError: as `run` does.
        """
        with self._lock:
            self._check_open()
            fetched = self._fetched(fetches)
            feeds = self._fed(feed_dict) if feed_dict is not None else {}
            names = [t.name for t in fetched.tensors] + [op.name for op in fetched.targets]
            entry = self._entry(self._chosen(fetched, feeds), feeds)
            return ", ".join(names), entry.program

    def tune(self, fetches: Any, feed_dict: Mapping[Any, Any] | None = None) -> dict[str, float]:
        """Measure how each kernel of a run is fastest on this machine, and remember it.

        Takes some seconds. Nothing is run that anyone could see: kernels are tried on memory of
        their own, and only in ways that give the same bits. What is found is used from the next
        run on, by later processes too, and for every batch size.

        Returns:
            for each kernel that was tried, by the operations that it computes, how many times
            faster it is now.

        Raises:
            FetchError, FeedError, SessionClosedError: as `run` does.
        """
        with self._lock:
            _, program = self.program(fetches, feed_dict)
            gains = program.tune() if program is not None else {}
            for choice in self._choices.values():
                choice.entries.clear()  # they are planned anew, with what is known now
                choice.only = None
            for request in self._requests.values():
                request.planned.clear()
            return gains

    def make_callable(
        self, fetches: Any, feed_list: Sequence[Any] | None = None, accept_options: bool = False
    ) -> Callable[..., Any]:
        """A function that runs the fetches, with its arguments as the feeds in order."""
        keys = list(feed_list or ())

        def call(*args: Any) -> Any:
            return self.run(fetches, dict(zip(keys, args, strict=True)))

        return call

    def load(self, variable: Variable, value: Any) -> None:
        """Set a variable's value.

        Raises:
            FeedError: if the value has not the variable's shape, or cannot have its dtype.
        """
        with self._lock:
            self._check_open()
            array = feed_array(variable.handle, value)
            check_shape(variable.handle, array.shape)
            np.copyto(self._allocate(variable.handle), array)
            self._store.initialised.add(variable.op.name)

    def _fetched(self, fetches: Any) -> Fetches:
        # most are one tensor or operation, and a call takes a tenth of a microsecond
        key = fetches if type(fetches) in (Tensor, Operation) else _structure(fetches)
        found = self._fetches.get(key)
        if found is None:
            found = self._fetches[key] = Fetches(self._graph, fetches)
        return found

    def _fed(self, feed_dict: Mapping[Any, Any]) -> dict[Tensor, Array]:
        check_mapping("feed_dict", feed_dict)
        feeds = {}
        for key, value in feed_dict.items():
            tensor = self._feedable.get(key)
            if tensor is None:
                tensor = self._feedable_tensor(key)
            feeds[tensor] = feed_array(tensor, value)
        return feeds

    def _batch_arrays(
        self, batches: Mapping[Any, Any], feeds: Mapping[Tensor, Array]
    ) -> dict[Tensor, Array]:
        check_mapping("batches", batches)
        arrays = {}
        for key, value in batches.items():
            tensor = self._feedable_tensor(key)
            if tensor in feeds:
                raise FeedError(f"{describe(tensor)} is in both feed_dict and batches")
            arrays[tensor] = rows_array(tensor, value)
        return arrays

    def _run_slice(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Operation, ...],
        feeds: Mapping[Tensor, Feed],
        steps: int,
    ) -> list[Array]:
        """The values of some steps of a loop, along a new first axis."""
        if forks.waiting:
            forks.give_way()
        with self._lock:
            self._check_open()
            try:
                entry = self._entry(self._choice(fetches, targets, feeds), feeds)
                return self._execute_steps(entry, feeds, steps)
            except MemoryError as error:
                raise _exhausted(fetches, targets, error) from error

    def _feedable_tensor(self, key: Any) -> Tensor:
        tensor = self._feedable[key] = feedable(self._graph, key)
        return tensor

    def _execute(self, entry: _Entry, feeds: Mapping[Tensor, Array], number: int) -> list[Array]:
        """The values of what the entry computes, in the run of a number."""
        if entry.program is None:
            return []
        arrays = [feeds[tensor] for tensor in entry.feeds] if feeds else []
        if not entry.ready:
            self._prepare(entry, number)
        with self._work:
            program = entry.program.apart() if self._is_working else entry.program
            before, self._is_working = self._is_working, True
            try:
                made = program.run(arrays, number)
            finally:
                self._is_working = before
        if not entry.ready:
            self._done(entry)
        return made

    def _execute_steps(
        self, entry: _Entry, feeds: Mapping[Tensor, Feed], steps: int
    ) -> list[Array]:
        """The values of what the entry computes in some steps."""
        if not entry.ready:
            self._prepare(entry, self._runs)
        if entry.program is None:
            self._runs += steps
            return []
        fed = [feeds[tensor] for tensor in entry.feeds]
        with self._work:
            program = entry.program.apart() if self._is_working else entry.program
            before, self._is_working = self._is_working, True
            try:
                return program.run_steps(fed, self._runs, steps)
            finally:  # also when a step fails, or Ctrl-C was raised as the native code returned
                self._is_working = before
                self._runs += program.finished
                if program.finished and not entry.ready:
                    self._done(entry)

    def _prepare(self, entry: _Entry, number: int) -> None:
        """Give the variables that it needs their initial values, if they have none."""
        if lacking := entry.needs - self._store.initialised:
            self._initialise(lacking, number)

    def _done(self, entry: _Entry) -> None:
        """Note which variables have a value now that it has run."""
        self._store.initialised |= entry.writes
        entry.ready = True

    # -- planning

    def _chosen(self, fetched: Fetches, feeds: Mapping[Tensor, Array]) -> _Choice:
        """`_choice` for what a user fetches and feeds, found again in a microsecond."""
        key: Any = fetched
        if feeds:
            key = (fetched, *feeds, *[array.shape for array in feeds.values()])
        choice = self._recent.get(key)
        if choice is None:
            wanted = fetched.tensors
            if not feeds.keys().isdisjoint(wanted):
                wanted = tuple(tensor for tensor in wanted if tensor not in feeds)
            choice = self._recent[key] = self._choice(wanted, fetched.targets, feeds)
        return choice

    def _choice(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Operation, ...],
        feeds: Mapping[Tensor, Feed],
    ) -> _Choice:
        fed = frozenset([(t, feed.shape, _source_dtype(feed)) for t, feed in feeds.items()])
        key = (fetches, targets, fed)
        choice = self._choices.get(key)
        if choice is None:
            for tensor, feed in feeds.items():
                check_shape(tensor, feed.shape)
            request = self._request(fetches, targets, feeds)
            choice = self._choices[key] = _Choice(request, request.fetches)
        return choice

    def _request(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Operation, ...],
        feeds: Mapping[Tensor, Feed],
    ) -> _Request:
        kinds = frozenset([(t, len(feed.shape), _source_dtype(feed)) for t, feed in feeds.items()])
        key = (fetches, targets, kinds)
        if key not in self._requests:
            ops = prune(fetches, targets, feeds)
            static, words = static_feeds(ops, feeds), seeds(ops)
            self._requests[key] = _Request(fetches, targets, tuple(static), tuple(words))
        return self._requests[key]

    def _entry(self, choice: _Choice, feeds: Mapping[Tensor, Feed]) -> _Entry:
        """The compiled plan for these feeds, made if there is none yet."""
        request = choice.request
        known = {tensor: _known(tensor, feeds[tensor]) for tensor in request.static}
        values = tuple([array.tobytes() for array in known.values()])
        entry = choice.entries.get(values)
        if entry is None:
            key = (values, *[array.shape for array in known.values()])
            planned = request.planned.get(key, [])
            adapted = _adapted(planned, feeds, request.seeds)
            with collection_paused():
                entry = adapted or self._made(request, feeds, known)
            if adapted is None:
                request.planned[key] = [*planned, entry][-TRIED:]
            if entry.program is not None:
                self._note(request, feeds, known, SAME_PLAN if adapted else entry.remark)
            choice.entries[values] = entry
        if not request.static:
            choice.only = entry
        return entry

    def _made(
        self, request: _Request, feeds: Mapping[Tensor, Feed], static: Mapping[Tensor, Array]
    ) -> _Entry:
        """An entry from a plan that is remembered from another process, or from a new one."""
        ops = prune(request.fetches, request.targets, feeds)
        for op in ops:
            if op.record.origin is Origin.FEED and op.outputs[0] not in feeds:
                raise missing(op.outputs[0])
        read = {tensor for op in ops for tensor in op.inputs}
        fed = {tensor: feed for tensor, feed in feeds.items() if tensor in read}
        values = {tensor: value for tensor, value in static.items() if tensor in fed}
        taken = tuple(tensor for tensor in fed if tensor not in values)
        text = None
        if len(ops) >= WORTH_REMEMBERING:
            kinds = {t: (len(feed.shape), _source_dtype(feed)) for t, feed in fed.items()}
            text = signature(ops, request.fetches, request.targets, kinds, values)
        if text is not None:
            numbers = [*_open_extents(taken, feeds), *request.seeds]
            found = self._get_backend().recall(text, numbers, self._store)
            if found is not None:
                program, plan = found
                return _Entry(program, taken, plan.needs, plan.writes, remark=REMEMBERED)
        return self._compile(request, fed, values, taken, text)

    def _compile(
        self,
        request: _Request,
        fed: Mapping[Tensor, Feed],
        values: Mapping[Tensor, Array],
        taken: tuple[Tensor, ...],
        text: str | None,
    ) -> _Entry:
        shapes = {tensor: feed.shape for tensor, feed in fed.items()}
        plan = make_plan(request.fetches, request.targets, shapes, values)
        if not plan.fetches and not plan.targets:
            return _Entry(None, ())
        for op in plan.graph.operations:
            if op.record.origin is Origin.RESOURCE:
                self._allocate(op.outputs[0])
        sources = {n: _source_dtype(fed[tensor]) for n, tensor in enumerate(taken)}
        picked = {n: as_dtype(source) for n, source in sources.items() if source}
        program: Program | None = ConstantProgram.of(plan)
        seen = interface(plan)
        if program is None:
            program = self._get_backend().compile(plan, seen, self._store, picked, text)
        return _Entry(program, taken, seen.needs, seen.writes)

    def _allocate(self, handle: Tensor) -> Array:
        shape, dtype = known(handle.static_shape), handle.dtype.numpy
        return self._store.allocate(handle.op.name, shape, dtype)

    def _get_backend(self) -> Backend:
        if self._backend is None:
            self._backend = _make_backend(self._config)
        return self._backend

    def _note(
        self,
        request: _Request,
        feeds: Mapping[Tensor, Feed],
        static: Mapping[Tensor, Array],
        remark: str,
    ) -> None:
        """Log why a program was made."""
        key = (request.fetches, request.targets)
        reason = self._reason(self._last.get(key), feeds, static)
        names = ", ".join([t.name for t in request.fetches] + [op.name for op in request.targets])
        self.why_recompiled.append(f"{names or 'nothing'}: {reason}{remark}")
        shapes_only = {t: np.broadcast_to(np.zeros((), a.dtype), a.shape) for t, a in feeds.items()}
        self._last[key] = {**shapes_only, **{t: a.copy() for t, a in static.items()}}

    def _reason(
        self,
        last: Mapping[Tensor, Array] | None,
        feeds: Mapping[Tensor, Feed],
        static: Mapping[Tensor, Array],
    ) -> str:
        if last is None:
            return "new fetches" if self.why_recompiled else "first run"
        if last.keys() != feeds.keys():
            return f"other tensors are fed: {', '.join(t.name for t in feeds) or 'none'}"
        changed = [
            f"new shape of {t.op.name!r}: {show(last[t].shape)} -> {show(a.shape)}"
            for t, a in feeds.items()
            if last[t].shape != a.shape
        ]
        values = [f"new value of {t.op.name!r}, which decides about shapes" for t in static]
        return "; ".join(changed or values) or "same as before"

    # -- variables

    def _initialise(self, names: frozenset[str], number: int) -> None:
        """Give variables their initial values, those first that others' initial values need.

        The number of the run is that of the run which needs them, so that an initialiser that runs
        in it draws the same random numbers.
        """
        variables = self._variables_named(names)
        left = names
        while left:
            targets = tuple(v.initializer for name, v in variables.items() if name in left)
            entry = self._entry(self._choice((), targets, {}), {})
            first = entry.needs - self._store.initialised
            if first:
                self._initialise(first, number)
            else:
                self._execute(entry, {}, number)
            left = left - self._store.initialised

    def _variables_named(self, names: frozenset[str]) -> dict[str, Variable]:
        every: list[Variable] = self._graph.get_collection(GraphKeys.ALL_VARIABLES)
        found = {v.op.name: v for v in every if v.op.name in names}
        if lost := names - found.keys():
            raise FailedPreconditionError(
                f"variable {min(lost)!r} has no value yet, and no initial value is known for it"
            )
        return found

    # -- life

    def rest(self, seconds: float) -> bool:
        """Wait until no other thread runs a program; see `Shared`."""
        return self._work.acquire(timeout=seconds)

    def go_on(self) -> None:
        """Let threads run programs again."""
        self._work.release()

    def _check_open(self) -> None:
        if self.is_lost:
            raise SessionClosedError(
                "another thread ran this session when the process was forked, and did not come to "
                "an end: make another session in the child"
            )
        if self._closed:
            raise SessionClosedError("the session is closed")

    def close(self) -> None:
        """Free the programs and the variables. The session cannot run any more."""
        with self._lock:
            self._closed = True
            self._requests.clear()
            self._choices.clear()
            self._recent.clear()
            self._fetches.clear()
            self._feedable.clear()
            self._last.clear()
            self._store.clear()
            self._backend = None

    @contextmanager
    def as_default(self) -> Iterator[Session]:
        """Make this the default session inside the block; it stays open afterwards."""
        _sessions.stack.append(self)
        try:
            yield self
        finally:
            _sessions.remove(self)

    def __enter__(self) -> Session:
        stack = ExitStack()
        stack.enter_context(self._graph.as_default())
        stack.enter_context(self.as_default())
        self._entered.append(stack)
        return self

    def __exit__(self, *error: object) -> None:
        self._entered.pop().close()
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else self._config.backend
        return f"<tf.Session {state}, {self._runs} runs, {len(self.why_recompiled)} plans>"


class InteractiveSession(Session):
    """A session that is the default one until it is closed, for shells and notebooks."""

    def __init__(
        self, target: str = "", graph: Graph | None = None, config: ConfigProto | None = None
    ) -> None:
        super().__init__(target, graph, config)
        self._defaults = ExitStack()
        if graph is not None:
            self._defaults.enter_context(graph.as_default())
        self._defaults.enter_context(self.as_default())

    def close(self) -> None:
        """Free everything; the session is the default one no longer."""
        self._defaults.close()
        super().close()


class _Sessions(threading.local):
    """A stack of default sessions for each thread."""

    def __init__(self) -> None:
        self.stack: list[Session] = []

    def remove(self, session: Session) -> None:
        """Take the innermost occurrence off; it may lie under others if blocks were not nested."""
        for place in reversed(range(len(self.stack))):
            if self.stack[place] is session:
                del self.stack[place]
                return


_sessions = _Sessions()


def get_default_session() -> Session | None:
    """The innermost session made default in this thread, if any."""
    return _sessions.stack[-1] if _sessions.stack else None


Hooks.default_session = get_default_session


def _of_kind(name: str, value: T | None, kind: type[T]) -> T | None:
    """An argument, which may be left out."""
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name} must be a tf.{kind.__name__}, not {value!r}")
    return value


def _check_backend(name: str) -> None:
    if name not in ("llvm", "numpy"):
        raise ValueError(f"there is no backend {name!r}; there are 'llvm' and 'numpy'")


def _make_backend(config: ConfigProto) -> Backend:
    if config.backend == "numpy":
        return NumpyBackend()
    from thalweg.backends.native.backend import LlvmBackend  # takes 10 ms: only when needed

    threads = config.intra_op_parallelism_threads or settings.num_threads()
    return LlvmBackend(threads=threads, use_winograd=config.use_winograd)


def _exhausted(
    fetches: Sequence[Tensor], targets: Sequence[Operation], error: MemoryError
) -> ResourceExhaustedError:
    """The error for a run that there is not enough memory for."""
    names = ", ".join([repr(t.name) for t in fetches] + [repr(op.name) for op in targets])
    made = [op.source for op in (*(tensor.op for tensor in fetches), *targets)]
    where = f"\n  at {made[0]}" if made else ""
    return ResourceExhaustedError(f"there is no memory to run {names}: {error}{where}")


def _structure(fetches: Any) -> Hashable:
    try:
        key = structure_key(fetches)
        hash(key)
    except RecursionError:
        raise FetchError("the fetches are nested too deeply, or hold themselves") from None
    except TypeError:  # a part of it only seemed to have a hash
        return id(fetches)
    return key


def _source_dtype(feed: Feed) -> np.dtype[Any] | None:
    """The element type of the array of which each step takes other rows, if the feed is one."""
    return feed.source.dtype if isinstance(feed, Rows) else None


def _adapted(
    planned: Sequence[_Entry], feeds: Mapping[Tensor, Feed], words: Sequence[int]
) -> _Entry | None:
    """An entry that a plan made for other shapes serves too; the latest plans are tried."""
    for entry in reversed(planned):
        if entry.program is not None:
            program = entry.program.at([*_open_extents(entry.feeds, feeds), *words])
            if program is not None:
                return _Entry(program, entry.feeds, entry.needs, entry.writes)
    return None


def _open_extents(fed: Iterable[Tensor], feeds: Mapping[Tensor, Feed]) -> list[int]:
    """The extents of feeds that the graph leaves open."""
    shapes = [open_extents(tensor.static_shape, feeds[tensor].shape) for tensor in fed]
    return [extent for shape in shapes for is_open, extent in shape if is_open]


def _known(tensor: Tensor, feed: Feed) -> Array:
    """The value of a feed that decides about shapes."""
    if isinstance(feed, Rows):
        raise FeedError(
            f"batches: the value of {describe(tensor)} decides about shapes, so it cannot be "
            f"another one in each step\n  it was made at {tensor.op.source}"
        )
    return feed


def _check_counts(steps: int, every: int) -> None:
    for name, count in (("steps", steps), ("every", every)):
        if not is_whole(count):
            raise InvalidArgumentError(f"run_steps: {name} must be an integer, not {count!r}")
    if steps < 0:
        raise InvalidArgumentError(f"run_steps: steps must be at least 0, not {steps}")
    if every < 1:
        raise InvalidArgumentError(f"run_steps: every must be at least 1, not {every}")
