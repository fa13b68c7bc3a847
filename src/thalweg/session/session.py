"""Sessions: what users run graphs with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import numpy as np

from thalweg.backends.protocol import Feed, Program
from thalweg.backends.trace import RunTrace
from thalweg.base.errors import SessionClosedError
from thalweg.graph import Graph, Operation, Tensor, default_graph
from thalweg.graph.node import Hooks
from thalweg.ops.control.ragged import regular
from thalweg.ops.state.variable import Variable
from thalweg.passes.plan import Plan
from thalweg.session.batches import Batches, batch_random, common_rows
from thalweg.session.config import ConfigProto
from thalweg.session.devices import DeviceAttributes, SessionDevices
from thalweg.session.entry import Entry
from thalweg.session.executor import Executor
from thalweg.session.feeds import Feeds, check_shape, feed_array
from thalweg.session.fetches import Structures, exhausted
from thalweg.session.planner import Planner
from thalweg.session.progress import Loops, Progress, Snapshot
from thalweg.session.steps import StepLoop, check_counts
from thalweg.session.variables import SessionVariables
from thalweg.session.why_recompiled import RecompilationLog

Array = np.ndarray[Any, Any]
T = TypeVar("T")


class Session:
    """Runs parts of a graph, and owns the values of its variables.

    A session may be used by several threads. Their runs overlap, but for those that write a
    variable: while such a run lasts, no other reads or writes that variable. A signal handler may
    use the session as well, and so may the child of a fork: a fork waits until the runs of other
    threads are over.

    Args:
        target: accepted for TensorFlow 1; there are no remote sessions.
        graph: the default graph if not given.
        config: see `ConfigProto`.
    """

    def __init__(
        self, target: str = "", graph: Graph | None = None, config: ConfigProto | None = None
    ) -> None:
        self._graph = _of_kind("graph", graph, Graph) or default_graph()
        self._config = _of_kind("config", config, ConfigProto) or ConfigProto()
        self._devices = SessionDevices(self._config)
        self._structures = Structures(self._graph)
        self._feeds = Feeds(self._graph)
        self._store = SessionVariables(
            self._device_of, lambda device: self._devices.backend(device).new_state()
        )
        self._planner = Planner(
            self._devices,
            self._store,
            self._config.check_numerics,
            self._config.log_device_placement,
        )
        self._executor = Executor(self._graph, self._planner, self._store)
        self._loops = Loops()
        self._entered: list[ExitStack] = []

    @property
    def graph(self) -> Graph:
        """The graph that it runs parts of."""
        return self._graph

    def list_devices(self) -> list[DeviceAttributes]:
        """The devices that the session can use, by their full names."""
        return self._devices.present()

    @property
    def why_recompiled(self) -> RecompilationLog:
        """A line for every program that was made: the latest 1,000, in a list.

        It says what was new about the run, and whether a plan made for other shapes served. If so
        the program took a few milliseconds. How many older lines were dropped is its `dropped`.
        """
        return self._planner.why.lines

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
            options: a `RunOptions`; with a `trace_level` the run is traced.
            run_metadata: a `RunMetadata`, to which a traced run writes when each operation ran.

        Raises:
            FetchError: for a fetch that is not of the session's graph.
            FeedError: if a placeholder is not fed, or with something that does not fit.
            InvalidArgumentError: if an operation cannot take the values that it is given, such as
                indices out of range. Nothing has been written but what it had to wait for.
            ResourceExhaustedError: if there is not enough memory.
            SessionClosedError: after `close`.
        """
        if self._planner.is_closed:
            self._check_open()
        fetched = self._structures.of(fetches)
        feeds = self._feeds.arrays(feed_dict) if feed_dict is not None else {}
        choice = self._planner.chosen(fetched, feeds)
        try:
            entry = choice.only or self._planner.entry(choice, feeds)
            if options is None or run_metadata is None or not options.trace_level:
                values = self._executor.run(entry, feeds)
            else:
                run_metadata.trace = trace = RunTrace(costs=self._planner.costs(choice, feeds))
                values = self._executor.trace(entry, feeds, trace)
        except MemoryError as error:
            raise exhausted(fetched.tensors, fetched.targets, error) from error
        if choice.request.stages:
            values = [regular(*one) for one in zip(choice.fetches, values, strict=True)]
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
                about the order as it does about a random operation's numbers. A session that was
                restored in the middle of a loop goes on with the rows that were to come.
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
        check_counts(steps, every)
        self._check_open()
        fetched = self._structures.of(fetches)
        feeds = self._feeds.arrays({} if feed_dict is None else feed_dict)
        arrays = self._feeds.rows({} if batches is None else batches, feeds)
        start = self._loops.begin(self._executor.runs, common_rows(arrays), batch_size, shuffle)
        random = batch_random(self._graph, seed, start.run) if shuffle else None
        mini_batches = Batches(arrays, batch_size, random)
        mini_batches.skip(start.batches)
        loop = StepLoop(self._run_slice, fetched, feeds, mini_batches)
        with self._loops.running(start, mini_batches):
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
        self._check_open()
        fetched = self._structures.of(fetches)
        feeds = self._feeds.arrays(feed_dict) if feed_dict is not None else {}
        names = [t.name for t in fetched.tensors] + [op.name for op in fetched.targets]
        entry = self._planner.entry(self._planner.chosen(fetched, feeds), feeds)
        return ", ".join(names), entry.program

    def plan(
        self, fetches: Any, feed_dict: Mapping[Any, Any] | None = None
    ) -> tuple[list[Operation], Plan] | None:
        """The operations that a run would need, and the simplified graph that is made of them.

        Returns:
            None if the run is cut into stages, which have a plan each.

        Raises:
            FetchError, FeedError, SessionClosedError: as `run` does.
        """
        self._check_open()
        feeds = self._feeds.arrays(feed_dict) if feed_dict is not None else {}
        choice = self._planner.chosen(self._structures.of(fetches), feeds)
        return self._planner.plan(choice, feeds)

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
        _, program = self.program(fetches, feed_dict)
        with self._executor.alone():  # others would disturb what is measured
            gains = program.tune() if program is not None else {}
        self._planner.forget_plans()
        return gains

    def make_callable(
        self, fetches: Any, feed_list: Sequence[Any] | None = None, accept_options: bool = False
    ) -> Callable[..., Any]:
        """A function that runs the fetches, with its arguments as the feeds in order."""
        keys = list(feed_list or ())

        def call(*args: Any) -> Any:
            return self.run(fetches, dict(zip(keys, args, strict=True)))

        return call

    # -- state

    @property
    def progress(self) -> Progress:
        """How far it has come: with its variables, all that a later session needs to go on."""
        return Progress(self._executor.runs, self._loops.position())

    @contextmanager
    def reading(self, variables: Iterable[Variable]) -> Iterator[Snapshot]:
        """Inside the block, the values of variables at one moment: no run that writes them begins.

        The arrays are read-only, and may be the session's own memory: what is to outlive the block
        must be copied. Variables without a value are given their initial ones.

        Args:
            variables: of the session's graph.
        """
        self._check_open()
        names = frozenset(variable.op.name for variable in variables)
        with self._executor.reading(names):
            values = {name: _read_only(self._store.get(name)) for name in sorted(names)}
            yield Snapshot(values, self.progress)

    def restore(self, values: Mapping[Variable, Any], progress: Progress | None = None) -> None:
        """Set variables' values, all of them or, if one does not fit, none.

        Args:
            values: by variable.
            progress: of the session whose values they are, if this one is to go on where that was.

        Raises:
            FeedError: if a value has not the variable's shape, or cannot have its dtype.
        """
        self._check_open()
        arrays = {}
        for variable, value in values.items():
            array = arrays[variable.op.name] = feed_array(variable.handle, value)
            check_shape(variable.handle, array.shape)
        with self._executor.alone(Entry(None, (), writes=frozenset(arrays))):
            for name, array in arrays.items():
                self._store.allocate(name, array.shape, array.dtype)
                self._store.set(name, array)
            self._store.initialised.update(arrays)
            if progress is not None:
                self._executor.runs, self._loops.interrupted = progress.runs, progress.loop

    def load(self, variable: Variable, value: Any) -> None:
        """Set a variable's value.

        Raises:
            FeedError: if the value has not the variable's shape, or cannot have its dtype.
        """
        self.restore({variable: value})

    def _run_slice(
        self,
        fetches: tuple[Tensor, ...],
        targets: tuple[Operation, ...],
        feeds: Mapping[Tensor, Feed],
        steps: int,
    ) -> list[Array]:
        """The values of some steps of a loop, along a new first axis."""
        self._check_open()
        try:
            entry = self._planner.entry(self._planner.choice(fetches, targets, feeds), feeds)
            return self._executor.run_steps(entry, feeds, steps)
        except MemoryError as error:
            raise exhausted(fetches, targets, error) from error

    def _device_of(self, variable: str) -> str:
        """The device that a variable of the graph is on."""
        return self._devices.find(self._graph.root.get_operation_by_name(variable).device)

    # -- life

    def _check_open(self) -> None:
        if self._executor.is_lost:
            raise SessionClosedError(
                "another thread ran this session when the process was forked, and did not come to "
                "an end: make another session in the child"
            )
        if self._planner.is_closed:
            raise SessionClosedError("the session is closed")

    def close(self) -> None:
        """Free the programs and the variables. The session cannot run any more."""
        with self._executor.alone():
            self._planner.close()
            self._structures.clear()
            self._feeds.clear()
            self._store.clear()

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

    def _repr_html_(self) -> str | None:
        return Hooks.html(self)

    def __repr__(self) -> str:
        state = "closed" if self._planner.is_closed else self._config.backend
        plans = len(self.why_recompiled) + self.why_recompiled.dropped
        return f"<tf.Session {state}, {self._executor.runs} runs, {plans} plans>"


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


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view
