"""The native code that runs a program: every thread walks the steps and takes its share of each.

A program is an array of steps, each four 64-bit words: the address of a kernel, the address of its
arguments, the number of its tasks, and flags. A kernel is a `void kernel(ptr args, i64 begin, i64
end)` that runs the tasks [begin, end). Thread t of T takes the tasks [tasks*t/T, tasks*(t+1)/T).
A step may end the program instead, by a word that steps before it have written: a check failed.

The threads share a few words of memory, the *team*, and each worker has its own, its *seat*. What
different threads write lies on different cache lines.

Waiting goes from quick to kind: a bounded number of tries, then sleep on a condition variable. A
try is the CPU's pause instruction, or `sched_yield` when there are more threads than CPUs. With
CPUs enough it is never `sched_yield`: while other processes keep them busy, each yield may cost a
time slice of milliseconds, where a sleeper is woken at once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from thalweg.backends.llvm.jit import Jit, Source

SERIAL = 1  # flag: thread 0 runs the whole step
BARRIER = 2  # flag: all threads meet before this step
VERDICT = 4  # flag: the program ends here unless the first word of the arguments is 0
STEP_WORDS = 4

LINE = 128  # bytes: two lines of x86, which are fetched in pairs, and one of Apple's
THREAD_BITS = 16
MAX_THREADS = (1 << THREAD_BITS) - 1


class TeamLayout(IntEnum):
    """Byte offsets in the memory of a team.

    A job is one run of a program: a serial number, and in the low 16 bits how many threads take
    part, in one word so that no thread can see half of a change.
    """

    ARRIVED = 0 * LINE  # threads that have reached the barrier
    PHASE = 1 * LINE  # barriers passed; a thread at a barrier waits for it to change
    JOB = 2 * LINE
    STEPS = 3 * LINE  # the program; null tells the workers to end
    COUNT = STEPS + 8
    CPUS = STEPS + 16
    SEATS = STEPS + 24  # the first worker's seat
    PATIENCE = STEPS + 32  # tries before sleeping, in this job
    YIELDS = STEPS + 40  # whether a try is a yield, in this job
    SLEEPERS = STEPS + 48  # threads that sleep at the barrier, on the two below
    MUTEX = 4 * LINE  # at most 64 bytes on all systems, as is a condition variable
    CONDITION = 5 * LINE
    BYTES = 6 * LINE


class SeatLayout(IntEnum):
    """Byte offsets in the memory of a worker."""

    ASLEEP = 0
    TEAM = 8
    THREAD = 16
    NEXT = 24  # the next worker's seat
    MUTEX = 1 * LINE
    CONDITION = 2 * LINE
    BYTES = 3 * LINE


_PAUSES = 500  # some 20 us on current Intel CPUs, 5 to 10 us on others
_YIELDS = 20

_PAUSE = {
    "x86_64": "@llvm.x86.sse2.pause()",
    "aarch64": "@llvm.aarch64.isb(i32 15)",  # `yield` does nothing on most of them
}

# One try of waiting; says whether to go on trying.
_REST = """
define internal i1 @rest(ptr %team, i64 %tries) nounwind noinline {{
  %at_yields = getelementptr i8, ptr %team, i64 {team.YIELDS}
  %at_patience = getelementptr i8, ptr %team, i64 {team.PATIENCE}
  %yields = load atomic i64, ptr %at_yields monotonic, align 8
  %patience = load atomic i64, ptr %at_patience monotonic, align 8
  %patient = icmp ult i64 %tries, %patience
  %crowded = icmp ne i64 %yields, 0
  br i1 %crowded, label %yield, label %pause
pause:
  call void {PAUSE}
  ret i1 %patient
yield:
  call i32 @sched_yield()
  ret i1 %patient
}}
declare i32 @sched_yield() nounwind
declare i32 @pthread_mutex_lock(ptr) nounwind
declare i32 @pthread_mutex_unlock(ptr) nounwind
declare i32 @pthread_cond_wait(ptr, ptr) nounwind
declare i32 @pthread_cond_signal(ptr) nounwind
declare i32 @pthread_cond_broadcast(ptr) nounwind
"""

# The last to arrive opens the barrier by changing the phase: what any thread wrote before it, all
# see after it. The phase only counts up, so a thread that is late to leave cannot be caught by the
# next barrier. A sleeper says so and then looks at the phase, the last changes the phase and then
# looks for sleepers: in sequentially consistent order, one of the two sees the other.
_BARRIER = """
define internal void @barrier(ptr %team, i64 %threads) nounwind noinline {{
  %arrived = getelementptr i8, ptr %team, i64 {team.ARRIVED}
  %phase = getelementptr i8, ptr %team, i64 {team.PHASE}
  %sleepers = getelementptr i8, ptr %team, i64 {team.SLEEPERS}
  %mutex = getelementptr i8, ptr %team, i64 {team.MUTEX}
  %condition = getelementptr i8, ptr %team, i64 {team.CONDITION}
  %closed = load atomic i64, ptr %phase acquire, align 8
  %before = atomicrmw add ptr %arrived, i64 1 acq_rel
  %mine = add i64 %before, 1
  %last = icmp eq i64 %mine, %threads
  br i1 %last, label %open, label %wait
open:
  store atomic i64 0, ptr %arrived monotonic, align 8
  %opened = add i64 %closed, 1
  store atomic i64 %opened, ptr %phase seq_cst, align 8
  %sleeping = load atomic i64, ptr %sleepers seq_cst, align 8
  %any = icmp ne i64 %sleeping, 0
  br i1 %any, label %wake, label %done
wake:
  call i32 @pthread_mutex_lock(ptr %mutex)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  call i32 @pthread_cond_broadcast(ptr %condition)
  br label %done
wait:
  %tries = phi i64 [ 0, %0 ], [ %more, %again ]
  %now = load atomic i64, ptr %phase acquire, align 8
  %still = icmp eq i64 %now, %closed
  br i1 %still, label %again, label %done
again:
  %patient = call i1 @rest(ptr %team, i64 %tries)
  %more = add i64 %tries, 1
  br i1 %patient, label %wait, label %sleep
sleep:
  call i32 @pthread_mutex_lock(ptr %mutex)
  atomicrmw add ptr %sleepers, i64 1 seq_cst
  br label %check
check:
  %later = load atomic i64, ptr %phase seq_cst, align 8
  %shut = icmp eq i64 %later, %closed
  br i1 %shut, label %doze, label %awake
doze:
  call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %check
awake:
  atomicrmw sub ptr %sleepers, i64 1 seq_cst
  call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %done
done:
  ret void
}}
"""

# One thread's part of a program. It ends in a barrier: whoever leaves knows that all is done.
_DRIVE = """
define internal void @drive(
    ptr %steps, i64 %count, i64 %thread, i64 %threads, ptr %team) nounwind {{
entry:
  %together = icmp ugt i64 %threads, 1
  %next_thread = add i64 %thread, 1
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %following ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %end
body:
  %at_kernel = getelementptr [4 x i64], ptr %steps, i64 %i
  %at_args = getelementptr i8, ptr %at_kernel, i64 8
  %at_tasks = getelementptr i8, ptr %at_kernel, i64 16
  %at_flags = getelementptr i8, ptr %at_kernel, i64 24
  %flags = load i64, ptr %at_flags
  %meets = and i64 %flags, {BARRIER}
  %has_barrier = icmp ne i64 %meets, 0
  %must_meet = and i1 %has_barrier, %together
  br i1 %must_meet, label %meet, label %share
meet:
  call void @barrier(ptr %team, i64 %threads)
  br label %share
share:
  %judges = and i64 %flags, {VERDICT}
  %has_verdict = icmp ne i64 %judges, 0
  br i1 %has_verdict, label %judge, label %divide
judge:
  %at_word = load ptr, ptr %at_args
  %word = load i64, ptr %at_word
  %well = icmp eq i64 %word, 0
  br i1 %well, label %divide, label %end
divide:
  %tasks = load i64, ptr %at_tasks
  %alone = and i64 %flags, {SERIAL}
  %serial = icmp ne i64 %alone, 0
  %whole = select i1 %together, i1 %serial, i1 true
  br i1 %whole, label %by_first, label %by_all
by_first:
  %first = icmp eq i64 %thread, 0
  %all_or_none = select i1 %first, i64 %tasks, i64 0
  br label %run
by_all:
  %from = mul i64 %tasks, %thread
  %to = mul i64 %tasks, %next_thread
  %part_begin = udiv i64 %from, %threads
  %part_end = udiv i64 %to, %threads
  br label %run
run:
  %begin = phi i64 [ 0, %by_first ], [ %part_begin, %by_all ]
  %stop = phi i64 [ %all_or_none, %by_first ], [ %part_end, %by_all ]
  %any = icmp slt i64 %begin, %stop
  br i1 %any, label %call, label %following
call:
  %kernel = load ptr, ptr %at_kernel
  %args = load ptr, ptr %at_args
  call void %kernel(ptr %args, i64 %begin, i64 %stop)
  br label %following
following:
  %next = add i64 %i, 1
  br label %head
end:
  br i1 %together, label %last_barrier, label %done
last_barrier:
  call void @barrier(ptr %team, i64 %threads)
  br label %done
done:
  ret void
}}
"""

# The caller's side of a run: publish the job, wake the workers that sleep (as at the barrier, each
# side writes before it looks), and take part.
_RUN = """
define void @kernel(ptr %steps, i64 %count, i64 %threads, ptr %team) nounwind {{
  %together = icmp ugt i64 %threads, 1
  br i1 %together, label %publish, label %work
publish:
  %at_steps = getelementptr i8, ptr %team, i64 {team.STEPS}
  %at_count = getelementptr i8, ptr %team, i64 {team.COUNT}
  %at_yields = getelementptr i8, ptr %team, i64 {team.YIELDS}
  %at_patience = getelementptr i8, ptr %team, i64 {team.PATIENCE}
  %at_cpus = getelementptr i8, ptr %team, i64 {team.CPUS}
  %at_seats = getelementptr i8, ptr %team, i64 {team.SEATS}
  %at_job = getelementptr i8, ptr %team, i64 {team.JOB}
  store ptr %steps, ptr %at_steps
  store i64 %count, ptr %at_count
  %cpus = load i64, ptr %at_cpus
  %crowded = icmp ugt i64 %threads, %cpus
  %patience = select i1 %crowded, i64 {YIELDS}, i64 {PAUSES}
  %yields = zext i1 %crowded to i64
  store atomic i64 %patience, ptr %at_patience monotonic, align 8
  store atomic i64 %yields, ptr %at_yields monotonic, align 8
  %old = load atomic i64, ptr %at_job monotonic, align 8
  %serial = lshr i64 %old, {THREAD_BITS}
  %next_serial = add i64 %serial, 1
  %shifted = shl i64 %next_serial, {THREAD_BITS}
  %job = or i64 %shifted, %threads
  store atomic i64 %job, ptr %at_job seq_cst, align 8
  br label %look
look:
  %thread = phi i64 [ 1, %publish ], [ %next_thread, %looked ]
  %at_seat = phi ptr [ %at_seats, %publish ], [ %at_next, %looked ]
  %seat = load ptr, ptr %at_seat
  %at_next = getelementptr i8, ptr %seat, i64 {seat.NEXT}
  %at_asleep = getelementptr i8, ptr %seat, i64 {seat.ASLEEP}
  %asleep = load atomic i64, ptr %at_asleep seq_cst, align 8
  %sleeps = icmp ne i64 %asleep, 0
  br i1 %sleeps, label %wake, label %looked
wake:
  %mutex = getelementptr i8, ptr %seat, i64 {seat.MUTEX}
  %condition = getelementptr i8, ptr %seat, i64 {seat.CONDITION}
  call i32 @pthread_mutex_lock(ptr %mutex)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  call i32 @pthread_cond_signal(ptr %condition)
  br label %looked
looked:
  %next_thread = add i64 %thread, 1
  %others = icmp ult i64 %next_thread, %threads
  br i1 %others, label %look, label %check
check:
  %ending = icmp eq ptr %steps, null
  br i1 %ending, label %done, label %work
work:
  call void @drive(ptr %steps, i64 %count, i64 0, i64 %threads, ptr %team)
  br label %done
done:
  ret void
}}
"""

# A worker's life. It may miss jobs that it has no part in, but none that it has: such a job cannot
# end without it. So the program it reads after seeing its job is that job's.
_WORK = """
define ptr @kernel(ptr %seat) nounwind {{
entry:
  %at_team = getelementptr i8, ptr %seat, i64 {seat.TEAM}
  %at_thread = getelementptr i8, ptr %seat, i64 {seat.THREAD}
  %team = load ptr, ptr %at_team
  %thread = load i64, ptr %at_thread
  %at_steps = getelementptr i8, ptr %team, i64 {team.STEPS}
  %at_count = getelementptr i8, ptr %team, i64 {team.COUNT}
  br label %wait
wait:
  %seen = phi i64 [ 0, %entry ], [ %job, %work ]
  %job = call i64 @next_job(ptr %seat, ptr %team, i64 %thread, i64 %seen)
  %steps = load ptr, ptr %at_steps
  %count = load i64, ptr %at_count
  %threads = and i64 %job, {MAX_THREADS}
  %ending = icmp eq ptr %steps, null
  br i1 %ending, label %end, label %work
work:
  call void @drive(ptr %steps, i64 %count, i64 %thread, i64 %threads, ptr %team)
  br label %wait
end:
  ret ptr null
}}

define internal i1 @is_mine(i64 %job, i64 %thread, i64 %seen) nounwind {{
  %threads = and i64 %job, {MAX_THREADS}
  %joins = icmp ult i64 %thread, %threads
  %new = icmp ne i64 %job, %seen
  %mine = and i1 %joins, %new
  ret i1 %mine
}}

define internal i64 @next_job(ptr %seat, ptr %team, i64 %thread, i64 %seen) nounwind noinline {{
entry:
  %at_job = getelementptr i8, ptr %team, i64 {team.JOB}
  br label %look
look:
  %tries = phi i64 [ 0, %entry ], [ %more, %again ]
  %job = load atomic i64, ptr %at_job acquire, align 8
  %mine = call i1 @is_mine(i64 %job, i64 %thread, i64 %seen)
  br i1 %mine, label %found, label %again
again:
  %patient = call i1 @rest(ptr %team, i64 %tries)
  %more = add i64 %tries, 1
  br i1 %patient, label %look, label %sleep
found:
  ret i64 %job
sleep:
  %at_asleep = getelementptr i8, ptr %seat, i64 {seat.ASLEEP}
  %mutex = getelementptr i8, ptr %seat, i64 {seat.MUTEX}
  %condition = getelementptr i8, ptr %seat, i64 {seat.CONDITION}
  call i32 @pthread_mutex_lock(ptr %mutex)
  store atomic i64 1, ptr %at_asleep seq_cst, align 8
  br label %check
check:
  %late_job = load atomic i64, ptr %at_job seq_cst, align 8
  %late = call i1 @is_mine(i64 %late_job, i64 %thread, i64 %seen)
  br i1 %late, label %wake, label %doze
doze:
  call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %check
wake:
  store atomic i64 0, ptr %at_asleep monotonic, align 8
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret i64 %late_job
}}
"""


@dataclass(frozen=True)
class Driver:
    """The driver's native code.

    `run(steps, count, threads, team)` runs a program on the calling thread and, with more than one
    thread, the team's workers; it does not hold Python's lock. `work` is the address of a worker's
    main function, `ptr work(ptr seat)`. Both live as long as `jit`.
    """

    run: Callable[[int, int, int, int], None]
    work: int
    jit: Jit


def load_driver(jit: Jit) -> Driver:
    """Compile the driver, or find it compiled."""
    common = (_REST, _BARRIER, _DRIVE)
    architecture = jit.target.architecture
    texts = [_text(architecture, *common, main) for main in (_RUN, _WORK)]
    run, work = jit.compile([Source.of(text) for text in texts])
    signature = ctypes.CFUNCTYPE(
        None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64
    )
    return Driver(signature(run), work, jit)


def _text(architecture: str, *parts: str) -> str:
    return "".join(parts).format(
        team=TeamLayout,
        seat=SeatLayout,
        SERIAL=SERIAL,
        BARRIER=BARRIER,
        VERDICT=VERDICT,
        THREAD_BITS=THREAD_BITS,
        MAX_THREADS=MAX_THREADS,
        PAUSE=_PAUSE[architecture],
        PAUSES=_PAUSES,
        YIELDS=_YIELDS,
    )
