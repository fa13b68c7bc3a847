"""The choice of a number of threads: it finds the fastest, and notices when that changes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest

from thalweg.backends.native.thread_count import LoopTuner, ThreadCountTuner, options


class Machine:
    """Does work in a time of its own.

    Args:
        seconds: of a unit of work, by the number of threads; may be changed.
    """

    def __init__(self, seconds: Mapping[int, float]) -> None:
        self.seconds = seconds
        self.spent, self.made = 0.0, Counter[int]()

    def __call__(self, units: int, threads: int) -> float:
        took = self.seconds[threads] * units
        self.made[threads] += units
        self.spent += took
        return took

    def loss(self) -> float:
        """How much longer it took than with the best number of threads, as a share."""
        return self.spent / (min(self.seconds.values()) * self.made.total()) - 1.0

    def forget(self) -> None:
        """Count anew."""
        self.spent, self.made = 0.0, Counter()


def use(tuner: ThreadCountTuner, machine: Machine, seconds: float) -> None:
    """Work for so long, and until a piece of work is done."""
    end = machine.spent + seconds
    while machine.spent < end:
        tuner.took(machine(1, tuner.choose()))


def best(machine: Machine) -> int:
    """The number of threads that is fastest."""
    return min(machine.seconds, key=machine.seconds.__getitem__)


STEPS = [3e-5, 1e-3, 1e-2, 1e-1]  # seconds


def test_what_is_worth_trying() -> None:
    assert [options(n) for n in (1, 2, 3, 4, 16)] == [
        (1,),
        (2, 1),
        (3, 2, 1),
        (4, 3, 2, 1),
        (16, 15, 8, 1),
    ]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("ratios", [{1: 1.8, 2: 1}, {1: 1, 2: 1.3}, {1: 1, 2: 10}, {1: 1, 2: 1.01}])
def test_the_fastest_is_found_and_trying_costs_little(
    step: float, ratios: dict[int, float]
) -> None:
    tuner, machine = ThreadCountTuner(2), Machine({n: step * ratio for n, ratio in ratios.items()})
    use(tuner, machine, max(0.03, 50 * step * max(ratios.values())))
    assert machine.made.keys() == {1, 2}
    machine.forget()
    use(tuner, machine, 100.0 if step > 1e-4 else 5.0)
    assert machine.loss() < (0.003 if best(machine) == 2 else 0.06)


@pytest.mark.parametrize("step", STEPS)
def test_a_machine_that_becomes_busy_and_free_again(step: float) -> None:
    free, busy = {1: 1.8 * step, 2: step}, {1: 1.8 * step, 2: 6 * step}
    tuner, machine = ThreadCountTuner(2), Machine(free)
    use(tuner, machine, max(2.0, 20 * step))
    machine.seconds = busy
    use(tuner, machine, max(0.1, 30 * step))
    machine.forget()
    use(tuner, machine, 5.0)
    assert machine.loss() < 0.06
    machine.seconds = free
    use(tuner, machine, 1.0 if step < 0.05 else 40.0)
    machine.forget()
    use(tuner, machine, 5.0)
    assert machine.loss() < (0.005 if step < 0.05 else 0.02)  # one step on one thread


def test_a_machine_that_was_busy_at_first() -> None:
    machine = Machine({1: 1.2e-3, 2: 14e-3})
    tuner = ThreadCountTuner(2)
    use(tuner, machine, 0.2)
    machine.forget()
    use(tuner, machine, 2.0)
    assert machine.loss() < 0.06
    machine.seconds = {1: 1.2e-3, 2: 0.7e-3}
    use(tuner, machine, 1.0)
    assert tuner.choose() == 2


def test_what_counts_is_the_mean_and_not_the_usual() -> None:
    """Two steps of three are fast, and then another process has the CPU for a while."""
    turns = itertools.cycle((1.0, 1.0, 10.0))
    machine = Machine({1: 0.0, 2: 7e-4})
    tuner = ThreadCountTuner(2)
    for _ in range(2000):
        threads = tuner.choose()
        tuner.took(1.2e-3 if threads == 1 else 7e-4 * next(turns))
        machine.made[threads] += 1
    assert machine.made[1] > 0.95 * 2000


def test_on_a_busy_machine_an_unlucky_try_is_soon_repeated() -> None:
    """The one thread had no CPU while it was tried, and more have one only at times."""
    turns = itertools.cycle(
        (1.0, 2.0, 1.0, 7.0, 1.0, 1.0, 15.0, 3.0, 1.0, 1.0, 1.0, 1.0, 5.0, 1.0, 9.0)
    )
    tuner = ThreadCountTuner(2)
    spent, made = 0.0, Counter[int]()
    while spent < 4.0:
        threads = tuner.choose()
        seconds = 1e-3 if threads == 1 else 7e-4 * next(turns) * 2
        if threads == 1 and made[1] < 6:
            seconds = 2.5e-2
        tuner.took(seconds)
        spent += seconds
        made[threads] += 1
    assert made[1] > 0.8 * made.total()


def test_single_long_steps_change_no_minds() -> None:
    rng = np.random.default_rng(0)
    for step in STEPS[:3]:
        machine = Machine({1: 1.8 * step, 2: step})
        tuner = ThreadCountTuner(2)
        use(tuner, machine, 1.0)
        machine.forget()
        for _ in range(50):
            tuner.took(step + rng.uniform(5e-3, 3e-2))  # an interrupt
            use(tuner, machine, max(0.2, 20 * step))
        assert machine.made[2] > 0.95 * machine.made.total()


def test_what_is_dear_to_try_is_not_tried_soon() -> None:
    """With one thread instead of 16 a step of a tenth of a second takes more than a second."""
    tuner, machine = ThreadCountTuner(16), Machine({16: 0.1, 15: 0.11, 8: 0.2, 1: 1.6})
    use(tuner, machine, 20.0)
    assert machine.made[1] == 0
    assert machine.made[16] > 0.95 * machine.made.total()


def test_one_of_many_cpus_is_busy() -> None:
    tuner, machine = ThreadCountTuner(16), Machine({16: 1e-3, 15: 1.1e-3, 8: 2e-3, 1: 16e-3})
    use(tuner, machine, 2.0)
    machine.seconds = {16: 3e-3, 15: 1.1e-3, 8: 2e-3, 1: 16e-3}
    use(tuner, machine, 0.2)
    assert tuner.choose() == 15


def test_the_first_run_says_nothing() -> None:
    tuner = ThreadCountTuner(2)
    tuner.took(30.0)
    machine = Machine({1: 1.8e-3, 2: 1e-3})
    use(tuner, machine, 1.0)
    machine.forget()
    use(tuner, machine, 4.0)
    assert machine.made[2] > 0.99 * machine.made.total()


def test_one_thread_is_no_choice() -> None:
    tuner, machine = ThreadCountTuner(1), Machine({1: 1e-3})
    use(tuner, machine, 1.0)
    assert tuner.choose() == 1


def repeat(tuner: LoopTuner, machine: Machine, seconds: float) -> None:
    """Slices of a loop, of about 50 ms each, as `thalweg.session.steps` makes them."""
    end, slice = machine.spent + seconds, 1
    while machine.spent < end:
        start = machine.spent
        tuner.run(slice, machine)
        took = machine.spent - start
        slice = max(1, min(8 * slice, int(slice * 0.05 / took)))


@pytest.mark.parametrize("step", STEPS)
def test_a_loop_finds_the_fastest_and_follows_the_machine(step: float) -> None:
    tuner, machine = LoopTuner(2), Machine({1: 1.8 * step, 2: step})
    repeat(tuner, machine, max(0.2, 5 * step))
    for seconds in ({1: 1.8 * step, 2: step}, {1: 1.8 * step, 2: 6 * step}) * 2:
        machine.seconds = seconds
        repeat(tuner, machine, 1.0 if step < 0.05 else 40.0)
        machine.forget()
        repeat(tuner, machine, 5.0)
        assert machine.loss() < 0.05


def test_a_loop_makes_all_its_steps() -> None:
    tuner, machine = LoopTuner(2), Machine({1: 1e-4, 2: 1e-4})
    for steps in (1, 0, 7, 500, 3, 10_000):
        tuner.run(steps, machine)
    assert machine.made.total() == 10_511
