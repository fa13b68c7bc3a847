"""The choice of a number of threads: it finds the fastest, and notices when that changes."""

from __future__ import annotations

from collections import Counter

from thalweg.runtime.trial import BURST, BurstTrial, LoopTrial, Trial


def use(trial: Trial, seconds: dict[int, float], times: int) -> Counter[int]:
    """How often each number of threads was chosen, if the work takes so long with it."""
    chosen: Counter[int] = Counter()
    for _ in range(times):
        threads = trial.choose()
        trial.took(threads, seconds[threads])
        chosen[threads] += 1
    return chosen


def test_everything_is_tried_and_the_fastest_stays() -> None:
    chosen = use(Trial([4, 2, 1]), {1: 1.0, 2: 0.6, 4: 0.8}, 300)
    assert set(chosen) == {1, 2, 4}
    assert chosen[2] > 270


def test_the_cost_of_trying_is_some_per_cent() -> None:
    for slower in (1.05, 2.0, 10.0):
        seconds = {1: slower, 2: 1.0}
        chosen = use(Trial([2, 1]), seconds, 1000)
        spent = sum(seconds[threads] * count for threads, count in chosen.items())
        assert spent < 1.05 * 1000


def test_a_machine_that_is_busy_for_a_while() -> None:
    trial = Trial([2, 1])
    use(trial, {1: 1.0, 2: 0.6}, 50)
    assert use(trial, {1: 1.0, 2: 4.0}, 50)[1] > 40
    assert use(trial, {1: 1.0, 2: 0.6}, 400)[2] > 200


def test_the_first_time_and_a_single_long_one_are_not_believed() -> None:
    trial = Trial([2, 1])
    trial.took(2, 30.0)
    use(trial, {1: 1.0, 2: 0.6}, 20)
    assert trial.choose() == 2
    trial.took(2, 100.0)
    assert use(trial, {1: 1.0, 2: 0.6}, 10)[2] == 10


def test_a_bad_beginning_is_not_believed_for_long() -> None:
    """Another process had the second CPU when it was measured for the first time."""
    trial = Trial([2, 1])
    for threads, seconds in ((2, 1.0), (2, 50.0), (1, 1.0), (1, 1.0)):
        assert trial.choose() == threads
        trial.took(threads, seconds)
    assert use(trial, {1: 1.0, 2: 0.6}, 400)[2] > 200


def test_a_single_long_time_early_on_is_not_believed_either() -> None:
    trial = Trial([2, 1])
    for threads, seconds in ((2, 1.0), (2, 0.6), (1, 1.0), (1, 1.0), (2, 30.0)):
        assert trial.choose() == threads
        trial.took(threads, seconds)
    assert use(trial, {1: 1.0, 2: 0.6}, 20)[2] == 20


def test_short_work_keeps_a_choice_for_a_burst() -> None:
    trial = BurstTrial([2, 1])
    chosen: list[int] = []
    for _ in range(100 * BURST):
        threads = trial.choose()
        changed = bool(chosen) and threads != chosen[-1]
        chosen.append(threads)
        trial.took({1: 1.0, 2: 0.6}[threads] + 5.0 * changed)  # caches follow
    bursts = [chosen[n : n + BURST] for n in range(0, len(chosen), BURST)]
    assert all(len(set(burst)) == 1 for burst in bursts)
    assert chosen.count(2) > 0.9 * len(chosen)


class Machine:
    """Makes steps in a time of its own; after a pause of the second thread the first are long.

    Args:
        seconds: of a step, by the number of threads.
        long: seconds of a step with two threads in the first milliseconds after a pause.
    """

    def __init__(self, seconds: dict[int, float], long: float = 0.0) -> None:
        self.seconds, self.long = seconds, long
        self.spent, self.made = 0.0, Counter[int]()
        self._awake = 0.0

    def pause(self) -> None:
        """The second thread falls asleep."""
        self._awake = 0.0

    def __call__(self, steps: int, threads: int) -> float:
        took = 0.0
        for _ in range(steps):
            step = self.seconds[threads]
            if threads > 1:
                step = self.long if self._awake < 0.01 and self.long else step
                self._awake += step
            else:
                self._awake = 0.0
            took += step
        self.made[threads] += steps
        self.spent += took
        return took


def repeat(trial: LoopTrial, machine: Machine, times: int, steps: int = 500) -> None:
    """As many slices of a loop."""
    for _ in range(times):
        trial.run(steps, machine)


def test_a_loop_finds_the_fastest_and_pays_little_for_trying() -> None:
    for slower in (1.05, 2.0, 10.0):
        for seconds in ({2: 1e-4, 1: slower * 1e-4}, {2: slower * 1e-4, 1: 1e-4}):
            machine = Machine(seconds)
            repeat(LoopTrial([2, 1]), machine, 500)
            assert sum(machine.made.values()) == 500 * 500
            assert machine.spent < 1.05 * 500 * 500 * 1e-4


def test_a_loop_gives_threads_time_to_wake() -> None:
    machine = Machine({2: 6e-5, 1: 1e-4}, long=1.2e-3)
    repeat(LoopTrial([2, 1]), machine, 100)
    assert machine.made[2] > 0.95 * 100 * 500


def test_a_loop_that_began_badly_recovers_in_seconds() -> None:
    """The second CPU was away when it was tried first."""
    machine, trial = Machine({2: 1.2e-3, 1: 1e-4}), LoopTrial([2, 1])
    repeat(trial, machine, 5, steps=100)
    machine.seconds[2] = 6e-5
    machine.made.clear()
    repeat(trial, machine, 100)  # each takes some 50 ms
    assert machine.made[2] > 0.5 * 100 * 500


def test_the_first_moments_of_a_loop_change_no_minds() -> None:
    """The second thread slept while the program did something else."""
    machine, trial = Machine({2: 6e-5, 1: 9e-5}, long=1.6e-3), LoopTrial([2, 1])
    repeat(trial, machine, 50)
    for _ in range(10):
        machine.pause()
        machine.made.clear()
        for steps in (1, 8, 30, 64, 512):
            trial.run(steps, machine)
        # A slice in which one thread is tried gives it an eighth of its steps.
        assert machine.made[2] > 0.85 * 512 + 0.75 * (1 + 8 + 30 + 64)


def test_a_loop_of_few_long_steps_is_tried_too() -> None:
    """Steps take so long on a busy machine that a slice has only some of them."""
    machine = Machine({2: 3.6e-3, 1: 1e-4})
    repeat(LoopTrial([2, 1]), machine, 100, steps=13)
    assert machine.made[2] < 0.1 * 100 * 13


def test_a_loop_too_short_to_tell_goes_on_with_what_is_best() -> None:
    machine = Machine({2: 1e-6, 1: 2e-6})
    repeat(LoopTrial([2, 1]), machine, 1000, steps=3)
    assert machine.made == {2: 3000}
