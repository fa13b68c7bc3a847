"""The native code that runs a program: every thread walks the steps and takes its share of each.

A program is an array of steps, each four 64-bit words: the address of a kernel, the address of its
arguments, the number of its tasks, and flags. A kernel is a `void kernel(ptr args, i64 begin, i64
end, i64 thread)` that runs the tasks [begin, end). Thread t of T takes the tasks [tasks*t/T,
tasks*(t+1)/T). If the step says so, it takes them in several grabs, and what others have left when
its own are done: a thread whose CPU is slower, or was taken away for a while, holds nobody up.
A step may end the program instead, by a word that steps before it have written: a check failed.

A program may run many times in a row, without a return to Python. What differs between the times
are its *moves*: words in memory, each with what is added to it after every time. A time that a
check ends is the last, and no moves are made after it: they tell how many times went well.

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
from enum import IntEnum
from functools import cache

from thalweg.backends.llvm.jit import Jit, Source
from thalweg.base.record import Record

SERIAL = 1  # flag: thread 0 runs the whole step
BARRIER = 2  # flag: all threads meet before this step
VERDICT = 4  # flag: the program ends here unless the first word of the arguments is 0
STEALS = 8  # flag: threads take tasks of others when their own are done
GRABS_BIT = 8  # from here on: in how many grabs a thread takes its tasks, one byte
COUNTER_BIT = 16  # from here on: the number of the step's counters
COUNTER_BYTES = 64  # a cache line for each thread's
STEP_WORDS = 4
MOVE_WORDS = 2  # the address of a word, and what is added to it

LINE = 128  # bytes: two lines of x86, which are fetched in pairs, and one of Apple's
THREAD_BITS = 16
MAX_THREADS = (1 << THREAD_BITS) - 1


class ProgramLayout(IntEnum):
    """Byte offsets in the words that describe a program and the next call to run it."""

    STEPS = 0  # null tells the workers to end
    COUNT = 8
    MOVES = 16
    MOVE_COUNT = 24
    REPEATS = 32  # how many times it runs, at least one
    THREADS = 40  # how many take part, the one that calls included
    TEAM = 48  # theirs; null for one thread
    COUNTERS = 56  # how many tasks of each thread are taken, for each step that says so
    COUNTERS_BYTES = 64  # of them all; they are 0 before and after a run
    STEP_BYTES = 72  # of one step's
    BYTES = 80


class TeamLayout(IntEnum):
    """Byte offsets in the memory of a team.

    A job is one call to run a program: a serial number, and in the low 16 bits how many threads
    take part, in one word so that no thread can see half of a change.
    """

    ARRIVED = 0 * LINE  # threads that have reached the barrier
    PHASE = 1 * LINE  # barriers passed; a thread at a barrier waits for it to change
    JOB = 2 * LINE
    PROGRAM = 3 * LINE
    CPUS = PROGRAM + 8
    SEATS = PROGRAM + 16  # the first worker's seat
    PATIENCE = PROGRAM + 24  # tries before sleeping, in this job
    YIELDS = PROGRAM + 32  # whether a try is a yield, in this job
    SLEEPERS = PROGRAM + 40  # threads that sleep at the barrier, on the two below
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


class ChainLayout(IntEnum):
    """Byte offsets in the arguments of a chain."""

    COUNT = 0  # of its kernels
    MOST_WORDS = 8  # that any of them takes as arguments
    EXTENT = 16  # how many slices there are
    PARTS = 24  # in how many parts they are cut: the chain's tasks
    MEMBERS = 32


# Of a chain's kernel: its address, its tasks, its arguments, how many they are, for each of them
# what is added by slice, by part and by thread, and whether it runs once for each part.
MEMBER_WORDS = 6

# Some 0.8 ms where a pause takes 27 ns. A thread that sleeps takes 25 us to wake, but much longer
# where its CPU is a guest's, which the host gives to others as soon as nothing runs on it. Programs
# that train step by step in Python come back sooner as a rule, too.
_PAUSES = 30_000
_YIELDS = 20

_PAUSE = {
    "x86_64": "@llvm.x86.sse2.pause()",
    "aarch64": "@llvm.aarch64.isb(i32 15)",  # `yield` does nothing on most of them
}

# Numbers too small for a normal exponent count as zero while a program runs: on x86 each of them
# may cost 150 cycles, and training makes them (a moment that decays, a softmax that is sure).
_FLUSH_TO_ZERO = {
    "x86_64": """
define internal i64 @flush_to_zero() nounwind {{
  %at = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %at)
  %old = load i32, ptr %at
  %new = or i32 %old, 32832  ; FTZ and DAZ
  store i32 %new, ptr %at
  call void @llvm.x86.sse.ldmxcsr(ptr %at)
  %wide = zext i32 %old to i64
  ret i64 %wide
}}
define internal void @restore_float_control(i64 %wide) nounwind {{
  %at = alloca i32
  %old = trunc i64 %wide to i32
  store i32 %old, ptr %at
  call void @llvm.x86.sse.ldmxcsr(ptr %at)
  ret void
}}
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
""",
    "aarch64": """
define internal i64 @flush_to_zero() nounwind {{
  %old = call i64 @llvm.aarch64.get.fpcr()
  %new = or i64 %old, 16777216  ; FZ
  call void @llvm.aarch64.set.fpcr(i64 %new)
  ret i64 %old
}}
define internal void @restore_float_control(i64 %old) nounwind {{
  call void @llvm.aarch64.set.fpcr(i64 %old)
  ret void
}}
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
""",
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

# What differs the next time.
_ADVANCE = """
define internal void @advance(ptr %moves, i64 %count) nounwind {{
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %done
body:
  %at_word = getelementptr [2 x i64], ptr %moves, i64 %i
  %at_stride = getelementptr i8, ptr %at_word, i64 8
  %word = load ptr, ptr %at_word
  %stride = load i64, ptr %at_stride
  %old = load i64, ptr %word
  %new = add i64 %old, %stride
  store i64 %new, ptr %word
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}}
"""

# The last to arrive makes the moves and opens the barrier by changing the phase: what any thread
# wrote before it, all see after it. The phase only counts up, so a thread that is late to leave
# cannot be caught by the next barrier. A sleeper says so and then looks at the phase, the last
# changes the phase and then looks for sleepers: in sequentially consistent order, one of the two
# sees the other.
_BARRIER = """
define internal void @barrier(
    ptr %team, i64 %threads, ptr %moves, i64 %move_count, ptr %counters, i64 %counters_bytes
) nounwind noinline {{
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
  call void @advance(ptr %moves, i64 %move_count)
  call void @llvm.memset.p0.i64(ptr %counters, i8 0, i64 %counters_bytes, i1 false)
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
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""

# A part of a step whose tasks are taken in grabs: a thread's own, then what others have left.
_GRAB = """
define internal void @grab(
    ptr %kernel, ptr %args, i64 %tasks, i64 %grabs, i64 %thread, i64 %threads, ptr %counters
) nounwind noinline {{
entry:
  %all_grabs = mul i64 %threads, %grabs
  %even = udiv i64 %tasks, %all_grabs
  %grain = call i64 @llvm.umax.i64(i64 %even, i64 1)
  br label %victims
victims:
  %v = phi i64 [ 0, %entry ], [ %next_v, %robbed ]
  %more = icmp ult i64 %v, %threads
  br i1 %more, label %victim, label %done
victim:
  %sum = add i64 %thread, %v
  %number = urem i64 %sum, %threads
  %next_number = add i64 %number, 1
  %from = mul i64 %tasks, %number
  %to = mul i64 %tasks, %next_number
  %begin = udiv i64 %from, %threads
  %end = udiv i64 %to, %threads
  %offset = mul i64 %number, {COUNTER_BYTES}
  %at = getelementptr i8, ptr %counters, i64 %offset
  br label %take
take:
  %taken = atomicrmw add ptr %at, i64 %grain monotonic
  %start = add i64 %begin, %taken
  %left = icmp ult i64 %start, %end
  br i1 %left, label %work, label %robbed
work:
  %after = add i64 %start, %grain
  %stop = call i64 @llvm.umin.i64(i64 %after, i64 %end)
  call void %kernel(ptr %args, i64 %start, i64 %stop, i64 %thread)
  br label %take
robbed:
  %next_v = add i64 %v, 1
  br label %victims
done:
  ret void
}}
declare i64 @llvm.umax.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)
"""

# One thread's part of a program. Each time ends in a barrier, also one that a check ends: whoever
# leaves knows that all is done, that the moves are made, and that nobody looks at the check's word
# any more.
_DRIVE = """
define internal void @drive(ptr %program, i64 %thread, i64 %threads, ptr %team) nounwind {{
entry:
  %floats = call i64 @flush_to_zero()
  %at_repeats = getelementptr i8, ptr %program, i64 {program.REPEATS}
  %repeats = load i64, ptr %at_repeats
  %at_count = getelementptr i8, ptr %program, i64 {program.COUNT}
  %at_moves = getelementptr i8, ptr %program, i64 {program.MOVES}
  %at_move_count = getelementptr i8, ptr %program, i64 {program.MOVE_COUNT}
  %steps = load ptr, ptr %program
  %count = load i64, ptr %at_count
  %moves = load ptr, ptr %at_moves
  %move_count = load i64, ptr %at_move_count
  %at_counters = getelementptr i8, ptr %program, i64 {program.COUNTERS}
  %at_counters_bytes = getelementptr i8, ptr %program, i64 {program.COUNTERS_BYTES}
  %at_step_bytes = getelementptr i8, ptr %program, i64 {program.STEP_BYTES}
  %counters = load ptr, ptr %at_counters
  %counters_bytes = load i64, ptr %at_counters_bytes
  %step_bytes = load i64, ptr %at_step_bytes
  %together = icmp ugt i64 %threads, 1
  %next_thread = add i64 %thread, 1
  br label %again
again:
  %time = phi i64 [ 0, %entry ], [ %next_time, %repeat ]
  %left = icmp ult i64 %time, %repeats
  br i1 %left, label %head, label %done
head:
  %i = phi i64 [ 0, %again ], [ %next, %following ]
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
  call void @barrier(ptr %team, i64 %threads, ptr null, i64 0, ptr null, i64 0)
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
  br i1 %whole, label %by_first, label %shared
shared:
  %steals = and i64 %flags, {STEALS}
  %by_grabs = icmp ne i64 %steals, 0
  br i1 %by_grabs, label %in_grabs, label %by_all
in_grabs:
  %grabs_up = lshr i64 %flags, {GRABS_BIT}
  %grabs = and i64 %grabs_up, 255
  %number = lshr i64 %flags, {COUNTER_BIT}
  %counter_offset = mul i64 %number, %step_bytes
  %mine = getelementptr i8, ptr %counters, i64 %counter_offset
  %its_kernel = load ptr, ptr %at_kernel
  %its_args = load ptr, ptr %at_args
  call void @grab(ptr %its_kernel, ptr %its_args, i64 %tasks, i64 %grabs, i64 %thread,
      i64 %threads, ptr %mine)
  br label %following
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
  call void %kernel(ptr %args, i64 %begin, i64 %stop, i64 %thread)
  br label %following
following:
  %next = add i64 %i, 1
  br label %head
end:
  %ended_well = phi i1 [ true, %head ], [ false, %judge ]
  %due = select i1 %ended_well, i64 %move_count, i64 0
  br i1 %together, label %last_barrier, label %single
last_barrier:
  call void @barrier(ptr %team, i64 %threads, ptr %moves, i64 %due, ptr %counters,
      i64 %counters_bytes)
  br label %repeat
single:
  call void @advance(ptr %moves, i64 %due)
  br label %repeat
repeat:
  %next_time = add i64 %time, 1
  br i1 %ended_well, label %again, label %done
done:
  call void @restore_float_control(i64 %floats)
  ret void
}}
"""

# A kernel whose tasks are parts of a number of slices. For each part it runs some kernels once, and
# then others for each slice, one after the other. Each word of their arguments is a base, plus a
# stride times the slice's number, plus others times those of the part and the thread.
_CHAIN = """
define internal void @chain(ptr %args, i64 %begin, i64 %end, i64 %thread) nounwind {{
entry:
  %at_most = getelementptr i8, ptr %args, i64 {chain.MOST_WORDS}
  %at_extent = getelementptr i8, ptr %args, i64 {chain.EXTENT}
  %at_parts = getelementptr i8, ptr %args, i64 {chain.PARTS}
  %members = getelementptr i8, ptr %args, i64 {chain.MEMBERS}
  %count = load i64, ptr %args
  %most = load i64, ptr %at_most
  %extent = load i64, ptr %at_extent
  %parts = load i64, ptr %at_parts
  %words = alloca i64, i64 %most
  br label %all
all:
  %part = phi i64 [ %begin, %entry ], [ %next_part, %ended ]
  %more = icmp slt i64 %part, %end
  br i1 %more, label %bounds, label %done
bounds:
  %next_part = add i64 %part, 1
  %from = mul i64 %extent, %part
  %to = mul i64 %extent, %next_part
  %first = sdiv i64 %from, %parts
  %last = sdiv i64 %to, %parts
  %before = sub i64 %first, 1
  br label %slices
slices:
  %slice = phi i64 [ %before, %bounds ], [ %next_slice, %sliced ]
  %starts = icmp slt i64 %slice, %first
  %inside = icmp slt i64 %slice, %last
  %goes_on = or i1 %starts, %inside
  br i1 %goes_on, label %kernels, label %ended
kernels:
  %i = phi i64 [ 0, %slices ], [ %next, %skip ]
  %left = icmp ult i64 %i, %count
  br i1 %left, label %member, label %sliced
member:
  %at_kernel = getelementptr [{MEMBER_WORDS} x i64], ptr %members, i64 %i
  %at_tasks = getelementptr i8, ptr %at_kernel, i64 8
  %at_bases = getelementptr i8, ptr %at_kernel, i64 16
  %at_size = getelementptr i8, ptr %at_kernel, i64 24
  %at_steps = getelementptr i8, ptr %at_kernel, i64 32
  %at_once = getelementptr i8, ptr %at_kernel, i64 40
  %bases = load ptr, ptr %at_bases
  %size = load i64, ptr %at_size
  %steps = load ptr, ptr %at_steps
  %once = load i64, ptr %at_once
  %is_once = icmp ne i64 %once, 0
  %other = xor i1 %is_once, %starts
  br i1 %other, label %skip, label %copy
copy:
  %w = phi i64 [ 0, %member ], [ %next_w, %word ]
  %missing = icmp ult i64 %w, %size
  br i1 %missing, label %word, label %call
word:
  %at_base = getelementptr i64, ptr %bases, i64 %w
  %by_slice = getelementptr [3 x i64], ptr %steps, i64 %w
  %by_part = getelementptr i8, ptr %by_slice, i64 8
  %by_thread = getelementptr i8, ptr %by_slice, i64 16
  %at_word = getelementptr i64, ptr %words, i64 %w
  %base = load i64, ptr %at_base
  %slice_step = load i64, ptr %by_slice
  %part_step = load i64, ptr %by_part
  %thread_step = load i64, ptr %by_thread
  %for_slice = mul i64 %slice_step, %slice
  %for_part = mul i64 %part_step, %part
  %for_thread = mul i64 %thread_step, %thread
  %one = add i64 %base, %for_slice
  %two = add i64 %one, %for_part
  %three = add i64 %two, %for_thread
  store i64 %three, ptr %at_word
  %next_w = add i64 %w, 1
  br label %copy
call:
  %kernel = load ptr, ptr %at_kernel
  %tasks = load i64, ptr %at_tasks
  call void %kernel(ptr %words, i64 0, i64 %tasks, i64 %thread)
  br label %skip
skip:
  %next = add i64 %i, 1
  br label %kernels
sliced:
  %next_slice = add i64 %slice, 1
  br label %slices
ended:
  br label %all
done:
  ret void
}}
"""

# The caller's side of a run: publish the job, wake the workers that sleep (as at the barrier, each
# side writes before it looks), and take part.
_RUN = """
define internal void @run(ptr %program) nounwind {{
  %at_threads = getelementptr i8, ptr %program, i64 {program.THREADS}
  %at_team = getelementptr i8, ptr %program, i64 {program.TEAM}
  %threads = load i64, ptr %at_threads
  %team = load ptr, ptr %at_team
  %together = icmp ugt i64 %threads, 1
  br i1 %together, label %publish, label %work
publish:
  %at_program = getelementptr i8, ptr %team, i64 {team.PROGRAM}
  %at_yields = getelementptr i8, ptr %team, i64 {team.YIELDS}
  %at_patience = getelementptr i8, ptr %team, i64 {team.PATIENCE}
  %at_cpus = getelementptr i8, ptr %team, i64 {team.CPUS}
  %at_seats = getelementptr i8, ptr %team, i64 {team.SEATS}
  %at_job = getelementptr i8, ptr %team, i64 {team.JOB}
  store ptr %program, ptr %at_program
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
  %steps = load ptr, ptr %program
  %ending = icmp eq ptr %steps, null
  br i1 %ending, label %done, label %work
work:
  call void @drive(ptr %program, i64 0, i64 %threads, ptr %team)
  br label %done
done:
  ret void
}}
"""

# A worker's life. It may miss jobs that it has no part in, but none that it has: such a job cannot
# end without it. So the program it reads after seeing its job is that job's.
_WORK = """
define internal ptr @work(ptr %seat) nounwind {{
entry:
  %at_team = getelementptr i8, ptr %seat, i64 {seat.TEAM}
  %at_thread = getelementptr i8, ptr %seat, i64 {seat.THREAD}
  %team = load ptr, ptr %at_team
  %thread = load i64, ptr %at_thread
  %at_program = getelementptr i8, ptr %team, i64 {team.PROGRAM}
  br label %wait
wait:
  %seen = phi i64 [ 0, %entry ], [ %job, %work ]
  %job = call i64 @next_job(ptr %seat, ptr %team, i64 %thread, i64 %seen)
  %program = load ptr, ptr %at_program
  %threads = and i64 %job, {MAX_THREADS}
  %steps = load ptr, ptr %program
  %ending = icmp eq ptr %steps, null
  br i1 %ending, label %end, label %work
work:
  call void @drive(ptr %program, i64 %thread, i64 %threads, ptr %team)
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


class Driver(Record):
    """The driver's native code.

    `run(program)` runs what is described at an address, on the calling thread and, with more than
    one thread, the team's workers; it does not hold Python's lock. `work` is the address of a
    worker's main function, `ptr work(ptr seat)`, and `chain` that of a kernel; see `ChainLayout`.
    They live as long as `jit`.
    """

    run: Callable[[int], None]
    work: int
    chain: int
    jit: Jit


def begin_driver(jit: Jit) -> None:
    """Have the driver compiled meanwhile."""
    jit.begin([_source(jit.target.architecture)])


def load_driver(jit: Jit) -> Driver:
    """Compile the driver, or find it compiled."""
    (table,) = jit.compile([_source(jit.target.architecture)])
    run, work, chain = (ctypes.c_int64 * 3).from_address(table)
    return Driver(ctypes.CFUNCTYPE(None, ctypes.c_int64)(run), work, chain, jit)


_TABLE = """
@kernel = constant [3 x ptr] [ptr @run, ptr @work, ptr @chain]
"""


@cache
def _source(architecture: str) -> Source:
    parts = (_TABLE, _FLUSH_TO_ZERO[architecture], _REST, _ADVANCE, _BARRIER, _GRAB, _DRIVE)
    text = "".join((*parts, _RUN, _WORK, _CHAIN)).format(
        chain=ChainLayout,
        MEMBER_WORDS=MEMBER_WORDS,
        program=ProgramLayout,
        team=TeamLayout,
        seat=SeatLayout,
        SERIAL=SERIAL,
        BARRIER=BARRIER,
        VERDICT=VERDICT,
        STEALS=STEALS,
        GRABS_BIT=GRABS_BIT,
        COUNTER_BIT=COUNTER_BIT,
        COUNTER_BYTES=COUNTER_BYTES,
        THREAD_BITS=THREAD_BITS,
        MAX_THREADS=MAX_THREADS,
        PAUSE=_PAUSE[architecture],
        PAUSES=_PAUSES,
        YIELDS=_YIELDS,
    )
    return Source.of(text)
