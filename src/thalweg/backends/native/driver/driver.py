"""The driver's native code, put together and compiled: what a run and a worker do, and the rest."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from thalweg.backends.native.driver import chain, layouts, stages, waiting
from thalweg.backends.native.llvm.jit import Address, IrSource, Jit
from thalweg.base.record import Record

# The caller's side of a run: begin it, and take part until it is over, whoever closes it.
_RUN = """
define internal void @run(ptr %program) nounwind {{
  %floats = call i64 @flush_to_zero()
  %at_threads = getelementptr i8, ptr %program, i64 {program.THREADS}
  %threads = load i64, ptr %at_threads
  %at_row = getelementptr i8, ptr %program, i64 {program.ROW}
  %first = load [2 x i64], ptr %at_row
  store [2 x i64] zeroinitializer, ptr %at_row
  %together = icmp ugt i64 %threads, 1
  br i1 %together, label %share, label %alone
alone:
  %own_place = alloca [2 x i64]
  store [2 x i64] %first, ptr %own_place
  call ptr @walk(ptr %program, ptr %own_place, i64 0, i1 true)
  br label %done
share:
  call void @run_together(ptr %program, i64 %threads, [2 x i64] %first)
  br label %done
done:
  call void @restore_float_control(i64 %floats)
  ret void
}}

define internal void @run_together(ptr %program, i64 %threads, [2 x i64] %first)
  nounwind noinline {{
entry:
  %at_team = getelementptr i8, ptr %program, i64 {program.TEAM}
  %team = load ptr, ptr %at_team
  %at_program = getelementptr i8, ptr %team, i64 {team.PROGRAM}
  %place = getelementptr i8, ptr %team, i64 {team.ROW}
  %at_cpus = getelementptr i8, ptr %team, i64 {team.CPUS}
  %at_seats = getelementptr i8, ptr %team, i64 {team.SEATS}
  %at_seated = getelementptr i8, ptr %team, i64 {team.SEATED}
  %at_patience = getelementptr i8, ptr %team, i64 {team.PATIENCE}
  %at_yields = getelementptr i8, ptr %team, i64 {team.YIELDS}
  %cpus = load i64, ptr %at_cpus
  %seat = load ptr, ptr %at_seats
  %seated = load i64, ptr %at_seated
  %crowded = icmp ugt i64 %threads, %cpus
  %patience = select i1 %crowded, i64 {YIELDS}, i64 {PAUSES}
  %yields = zext i1 %crowded to i64
  store atomic i64 %patience, ptr %at_patience monotonic, align 8
  store atomic i64 %yields, ptr %at_yields monotonic, align 8
  store ptr %program, ptr %at_program
  store [2 x i64] %first, ptr %place
  %before = load atomic i64, ptr %team monotonic, align 8
  call void @go_on(ptr %team, i64 0, i64 %threads, i64 %seated)
  br label %wait
wait:
  %seen = phi i64 [ %before, %entry ], [ %stage, %work ]
  %stage = call i64 @next_stage(ptr %team, ptr %seat, i64 0, i64 %seen)
  %open = trunc i64 %stage to i1
  br i1 %open, label %work, label %done
work:
  call void @take_part(ptr %team, i64 0, i64 %stage)
  br label %wait
done:
  ret void
}}
"""

# A worker's life, and its end.
_WORK = """
define internal ptr @work(ptr %seat) nounwind {{
entry:
  %floats = call i64 @flush_to_zero()
  %at_team = getelementptr i8, ptr %seat, i64 {seat.TEAM}
  %at_thread = getelementptr i8, ptr %seat, i64 {seat.THREAD}
  %team = load ptr, ptr %at_team
  %thread = load i64, ptr %at_thread
  br label %wait
wait:
  %seen = phi i64 [ 0, %entry ], [ %stage, %work ]
  %stage = call i64 @next_stage(ptr %team, ptr %seat, i64 %thread, i64 %seen)
  %ended = icmp eq i64 %stage, {ENDED}
  br i1 %ended, label %end, label %work
work:
  call void @take_part(ptr %team, i64 %thread, i64 %stage)
  br label %wait
end:
  ret ptr null
}}

define internal void @end(ptr %team) nounwind {{
  %at_seated = getelementptr i8, ptr %team, i64 {team.SEATED}
  %seated = load i64, ptr %at_seated
  store atomic i64 {ENDED}, ptr %team seq_cst, align 8
  call void @wake(ptr %team, i64 %seated)
  ret void
}}
"""


class Driver(Record):
    """The driver's native code.

    `run(program)` runs what is described at an address, on the calling thread and, with more than
    one thread, the team's workers, or resumes it where it has paused; it does not hold Python's
    lock. `work` is the address of a worker's main function, `ptr work(ptr seat)`, and `chain` that
    of a kernel; see `ChainLayout`. `end(team)` ends the workers. They live as long as `table`,
    their address.
    """

    run: Callable[[int], None]
    end: Callable[[int], None]
    work: int
    chain: int
    table: Address


def begin_driver(jit: Jit) -> None:
    """Have the driver compiled meanwhile."""
    jit.begin([_source(jit.target.architecture)])


def load_driver(jit: Jit) -> Driver:
    """Compile the driver, or find it compiled."""
    (table,) = jit.compile([_source(jit.target.architecture)])
    run, end, work, chain = (ctypes.c_int64 * 4).from_address(table)
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64)
    return Driver(function(run), function(end), work, chain, table)


_TABLE = """
@kernel = constant [4 x ptr] [ptr @run, ptr @end, ptr @work, ptr @chain]
"""


@cache
def _source(architecture: str) -> IrSource:
    wait = (waiting.FLUSH_TO_ZERO[architecture], waiting.REST, waiting.WAKE, waiting.NEXT_STAGE)
    share = (stages.ADVANCE, stages.WALK, stages.GO_ON, stages.TAKE_PART)
    parts = (_TABLE, *wait, *share, _RUN, _WORK)
    text = "".join(parts).format(
        program=layouts.ProgramLayout,
        team=layouts.TeamLayout,
        seat=layouts.SeatLayout,
        SERIAL=layouts.SERIAL,
        MOVES=layouts.MOVES,
        BRANCH=layouts.BRANCH,
        REPEAT=layouts.REPEAT,
        CONTROL=layouts.CONTROL,
        MOVE_WORDS=layouts.MOVE_WORDS,
        CLAIMS_BIT=layouts.CLAIMS_BIT,
        ENDED=layouts.ENDED,
        PAUSE=waiting.PAUSE[architecture],
        PAUSES=waiting.PAUSES,
        LEAST_PAUSES=waiting.LEAST_PAUSES,
        MORE_PAUSES=waiting.MORE_PAUSES,
        YIELDS=waiting.YIELDS,
    )
    return IrSource.of(text + chain.chain_kernel("chain"))
