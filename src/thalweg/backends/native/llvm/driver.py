"""The native code that runs a program: threads take its tasks, and whoever is last goes on.

A program is an array of rows, each four 64-bit words: the address of a kernel, the address of its
arguments, the number of its tasks, less than 2^32, and flags. A kernel is a `void kernel(ptr args,
i64 begin, i64 end, i64 thread)` that runs the tasks [begin, end). A row may be shared by all
threads, or be for one. A row may end the program instead, by a word that rows before it have
written: a check failed.

A program may run many times in a row, without a return to Python. What differs between the times
are its *moves*: words in memory, each with what is added to it after every time. A time that a
check ends is the last, and no moves are made after it: they tell how many times went well.

Nobody waits for a thread, only for tasks. While threads share a row, a *stage* is open. Each thread
has its share of the tasks, claims some of them at a time, and what others have left when its own
are done. The one that does the last task is the only one at work: it walks on alone through rows
for one thread, checks and moves, and opens the next stage, or closes the run. So a thread that has
lost its CPU holds up the others only by tasks that it has claimed, and the smaller these are the
less. One that is late finds whatever stage is open then.

A late thread may come when the stage that it saw is over, or even the run, and the program's memory
is freed. It may look at the team's memory at any time, which lives as long as the threads, but at
the program's only while it holds a task. A claim is a compare-and-swap on a *ticket* that has the
stage's number in its upper half, so it fails unless the stage is open. What is read before a claim
belongs to that stage, too: a new stage first renews all tickets, then describes itself, each word
with release order, then takes its number. A thread reads the number, then the description with
acquire order, then claims: if a word of the description is newer than the number, so is the ticket.

Waiting goes from quick to kind: a bounded number of tries, then sleep on a condition variable. A
try is the CPU's pause instruction, or `sched_yield` when there are more threads than CPUs. With
CPUs enough it is never `sched_yield`: while other processes keep them busy, each yield may cost a
time slice of milliseconds, where a sleeper is woken at once. A thread that waits for tasks of
another learns to be sooner asleep if it often waits in vain: the other has lost its CPU, perhaps to
the one that waits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum
from functools import cache

from thalweg.backends.native.llvm.jit import Address, Jit, Source
from thalweg.base.record import Record

SERIAL = 1  # flag: one thread runs the whole row
VERDICT = 4  # flag: the program ends here unless the first word of the arguments is 0
CLAIMS_BIT = 8  # from here on: in how many claims at most a thread takes its share, one byte
STEP_WORDS = 4
MOVE_WORDS = 2  # the address of a word, and what is added to it

LINE = 128  # bytes: two lines of x86, which are fetched in pairs, and one of Apple's
MAX_THREADS = 4096
ENDED = -1  # the stage that tells the workers to end


class ProgramLayout(IntEnum):
    """Byte offsets in the words that describe a program and the next call to run it."""

    STEPS = 0  # the rows
    COUNT = 8
    MOVES = 16
    MOVE_COUNT = 24
    REPEATS = 32  # how many times it runs, at least one
    THREADS = 40  # how many take part, the one that calls included
    TEAM = 48  # theirs; null for one thread
    BYTES = 56


class TeamLayout(IntEnum):
    """Byte offsets in the memory of a team. What different threads write has lines of its own."""

    STAGE = 0  # its number: even if none is open, else odd; only the low 32 bits are in tickets
    KERNEL = 8  # from here on: what is shared in it
    ARGS = 16
    TASKS = 24
    CLAIMS = 32
    THREADS = 40  # in this run
    DONE = 1 * LINE  # tasks of the stage
    PROGRAM = 2 * LINE  # from here on: for the one thread that opens the next stage
    ROW = PROGRAM + 8
    TIME = PROGRAM + 16
    CPUS = 3 * LINE  # from here on: what does not change while a program runs
    SEATS = CPUS + 8  # one after the other, by the threads' numbers
    SEATED = CPUS + 16  # how many threads there are
    PATIENCE = CPUS + 24  # the most tries before sleeping
    YIELDS = CPUS + 32  # whether a try is a yield
    BYTES = 4 * LINE


class SeatLayout(IntEnum):
    """Byte offsets in the memory of a thread: the one that calls is number 0."""

    TICKET = 0  # the stage's number, and in the lower half how many of the share are claimed
    ASLEEP = 1 * LINE
    TEAM = ASLEEP + 8
    THREAD = ASLEEP + 16
    PATIENCE = ASLEEP + 24  # tries before sleeping while a stage is open
    MUTEX = 2 * LINE  # at most 64 bytes on all systems, as is a condition variable
    CONDITION = MUTEX + 64
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
PAUSES = 30_000
_YIELDS = 20

# While a stage is open: half as many after each time that a thread has tried in vain, but no fewer
# than the first number, and the second more after each time that was not in vain.
_LEAST_PAUSES, _MORE_PAUSES = 1_000, 64

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

# One try of waiting, while a stage is open or none; says whether to go on trying. And what a thread
# learns from its tries.
_REST = """
define internal i1 @rest(ptr %team, ptr %seat, i64 %tries, i64 %stage) nounwind {{
  %at_yields = getelementptr i8, ptr %team, i64 {team.YIELDS}
  %at_most = getelementptr i8, ptr %team, i64 {team.PATIENCE}
  %at_own = getelementptr i8, ptr %seat, i64 {seat.PATIENCE}
  %yields = load atomic i64, ptr %at_yields monotonic, align 8
  %most = load atomic i64, ptr %at_most monotonic, align 8
  %own = load i64, ptr %at_own
  %less = call i64 @llvm.umin.i64(i64 %own, i64 %most)
  %open = trunc i64 %stage to i1
  %patience = select i1 %open, i64 %less, i64 %most
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
define internal void @learn(ptr %seat, i64 %stage, i1 %in_vain) nounwind {{
  %at_own = getelementptr i8, ptr %seat, i64 {seat.PATIENCE}
  %own = load i64, ptr %at_own
  %sum = add i64 %own, {MORE_PAUSES}
  %more = call i64 @llvm.umin.i64(i64 %sum, i64 {PAUSES})
  %half = lshr i64 %own, 1
  %enough = call i64 @llvm.umax.i64(i64 %half, i64 {LEAST_PAUSES})
  %open = trunc i64 %stage to i1
  %less = select i1 %open, i64 %enough, i64 %own
  %new = select i1 %in_vain, i64 %less, i64 %more
  store i64 %new, ptr %at_own
  ret void
}}
declare i32 @sched_yield() nounwind
declare i32 @pthread_mutex_lock(ptr) nounwind
declare i32 @pthread_mutex_unlock(ptr) nounwind
declare i32 @pthread_cond_wait(ptr, ptr) nounwind
declare i32 @pthread_cond_signal(ptr) nounwind
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

# The next row to be shared, or null when the program is over. The thread that asks runs the rows
# on the way that are for one thread, all if it is alone, and makes the moves. The place is a row
# and how many times the program has run.
_WALK = """
define internal ptr @walk(ptr %program, ptr %place, i64 %thread, i1 %alone) nounwind noinline {{
entry:
  %at_count = getelementptr i8, ptr %program, i64 {program.COUNT}
  %at_moves = getelementptr i8, ptr %program, i64 {program.MOVES}
  %at_move_count = getelementptr i8, ptr %program, i64 {program.MOVE_COUNT}
  %at_repeats = getelementptr i8, ptr %program, i64 {program.REPEATS}
  %at_time = getelementptr i8, ptr %place, i64 8
  %rows = load ptr, ptr %program
  %count = load i64, ptr %at_count
  %moves = load ptr, ptr %at_moves
  %move_count = load i64, ptr %at_move_count
  %repeats = load i64, ptr %at_repeats
  %first = load i64, ptr %place
  br label %head
head:
  %i = phi i64 [ %first, %entry ], [ %next, %following ], [ 0, %end ]
  %next = add i64 %i, 1
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %end
body:
  %row = getelementptr [4 x i64], ptr %rows, i64 %i
  %at_args = getelementptr i8, ptr %row, i64 8
  %at_tasks = getelementptr i8, ptr %row, i64 16
  %at_flags = getelementptr i8, ptr %row, i64 24
  %args = load ptr, ptr %at_args
  %tasks = load i64, ptr %at_tasks
  %flags = load i64, ptr %at_flags
  %judges = and i64 %flags, {VERDICT}
  %has_verdict = icmp ne i64 %judges, 0
  br i1 %has_verdict, label %judge, label %divide
judge:
  %word = load i64, ptr %args
  %well = icmp eq i64 %word, 0
  br i1 %well, label %following, label %over
divide:
  %for_one = and i64 %flags, {SERIAL}
  %serial = icmp ne i64 %for_one, 0
  %few = icmp ult i64 %tasks, 2
  %whole = or i1 %serial, %few
  %by_me = or i1 %whole, %alone
  br i1 %by_me, label %mine, label %share
mine:
  %any = icmp ne i64 %tasks, 0
  br i1 %any, label %call, label %following
call:
  %kernel = load ptr, ptr %row
  call void %kernel(ptr %args, i64 0, i64 %tasks, i64 %thread)
  br label %following
following:
  br label %head
share:
  store i64 %next, ptr %place
  ret ptr %row
end:
  call void @advance(ptr %moves, i64 %move_count)
  %time = load i64, ptr %at_time
  %times = add i64 %time, 1
  store i64 %times, ptr %at_time
  %again = icmp ult i64 %times, %repeats
  br i1 %again, label %head, label %over
over:
  ret ptr null
}}
"""

# What the only thread at work does: walk on, then open the next stage, or close the run. It renews
# as many tickets as anybody may look at: at the beginning of a run, those of all threads.
_GO_ON = """
define internal void @go_on(ptr %team, i64 %thread, i64 %threads, i64 %seated) nounwind noinline {{
entry:
  %at_program = getelementptr i8, ptr %team, i64 {team.PROGRAM}
  %place = getelementptr i8, ptr %team, i64 {team.ROW}
  %at_seats = getelementptr i8, ptr %team, i64 {team.SEATS}
  %at_done = getelementptr i8, ptr %team, i64 {team.DONE}
  %program = load ptr, ptr %at_program
  %row = call ptr @walk(ptr %program, ptr %place, i64 %thread, i1 false)
  %old = load atomic i64, ptr %team monotonic, align 8
  %even = and i64 %old, -2
  %closed = add i64 %even, 2
  %opened = or i64 %closed, 1
  %over = icmp eq ptr %row, null
  br i1 %over, label %close, label %open
close:
  store atomic i64 %closed, ptr %team seq_cst, align 8
  call void @wake(ptr %team, i64 1)
  ret void
open:
  %seats = load ptr, ptr %at_seats
  %ticket = shl i64 %opened, 32
  br label %renew
renew:
  %n = phi i64 [ 0, %open ], [ %next_n, %renew ]
  %offset = mul i64 %n, {seat.BYTES}
  %at_ticket = getelementptr i8, ptr %seats, i64 %offset
  store atomic i64 %ticket, ptr %at_ticket monotonic, align 8
  %next_n = add i64 %n, 1
  %more = icmp ult i64 %next_n, %seated
  br i1 %more, label %renew, label %describe
describe:
  %its_args = getelementptr i8, ptr %row, i64 8
  %its_tasks = getelementptr i8, ptr %row, i64 16
  %its_flags = getelementptr i8, ptr %row, i64 24
  %kernel = load i64, ptr %row
  %args = load i64, ptr %its_args
  %tasks = load i64, ptr %its_tasks
  %flags = load i64, ptr %its_flags
  %shifted = lshr i64 %flags, {CLAIMS_BIT}
  %byte = and i64 %shifted, 255
  %claims = call i64 @llvm.umax.i64(i64 %byte, i64 1)
  %at_kernel = getelementptr i8, ptr %team, i64 {team.KERNEL}
  %at_args = getelementptr i8, ptr %team, i64 {team.ARGS}
  %at_tasks = getelementptr i8, ptr %team, i64 {team.TASKS}
  %at_claims = getelementptr i8, ptr %team, i64 {team.CLAIMS}
  %at_threads = getelementptr i8, ptr %team, i64 {team.THREADS}
  store atomic i64 0, ptr %at_done monotonic, align 8
  store atomic i64 %kernel, ptr %at_kernel release, align 8
  store atomic i64 %args, ptr %at_args release, align 8
  store atomic i64 %tasks, ptr %at_tasks release, align 8
  store atomic i64 %claims, ptr %at_claims release, align 8
  store atomic i64 %threads, ptr %at_threads release, align 8
  store atomic i64 %opened, ptr %team seq_cst, align 8
  call void @wake(ptr %team, i64 %threads)
  ret void
}}
declare i64 @llvm.umax.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)
"""

# Wake those of the first threads that sleep. A sleeper says so and then looks at the stage; the
# stage is changed and then sleepers are looked for: in sequentially consistent order, one of the
# two sees the other.
_WAKE = """
define internal void @wake(ptr %team, i64 %threads) nounwind {{
entry:
  %at_seats = getelementptr i8, ptr %team, i64 {team.SEATS}
  %seats = load ptr, ptr %at_seats
  br label %look
look:
  %n = phi i64 [ 0, %entry ], [ %next_n, %looked ]
  %offset = mul i64 %n, {seat.BYTES}
  %seat = getelementptr i8, ptr %seats, i64 %offset
  %at_asleep = getelementptr i8, ptr %seat, i64 {seat.ASLEEP}
  %asleep = load atomic i64, ptr %at_asleep seq_cst, align 8
  %sleeps = icmp ne i64 %asleep, 0
  br i1 %sleeps, label %signal, label %looked
signal:
  %mutex = getelementptr i8, ptr %seat, i64 {seat.MUTEX}
  %condition = getelementptr i8, ptr %seat, i64 {seat.CONDITION}
  call i32 @pthread_mutex_lock(ptr %mutex)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  call i32 @pthread_cond_signal(ptr %condition)
  br label %looked
looked:
  %next_n = add i64 %n, 1
  %more = icmp ult i64 %next_n, %threads
  br i1 %more, label %look, label %done
done:
  ret void
}}
"""

# One thread's part in a stage: its own share, then what others have left. It claims a quarter of
# what is left of a share, but not too little at a time. It reports its tasks of a share at once:
# while it still works on one, nothing is kept from others by not telling of those before. At first
# it does not look at its own ticket: to fetch a cache line for reading, and then again for writing,
# would take twice as long.
_TAKE_PART = """
define internal void @take_part(ptr %team, i64 %thread, i64 %stage) nounwind noinline {{
entry:
  %at_kernel = getelementptr i8, ptr %team, i64 {team.KERNEL}
  %at_args = getelementptr i8, ptr %team, i64 {team.ARGS}
  %at_tasks = getelementptr i8, ptr %team, i64 {team.TASKS}
  %at_claims = getelementptr i8, ptr %team, i64 {team.CLAIMS}
  %at_threads = getelementptr i8, ptr %team, i64 {team.THREADS}
  %at_done = getelementptr i8, ptr %team, i64 {team.DONE}
  %at_seats = getelementptr i8, ptr %team, i64 {team.SEATS}
  %kernel = load atomic ptr, ptr %at_kernel acquire, align 8
  %args = load atomic ptr, ptr %at_args acquire, align 8
  %tasks = load atomic i64, ptr %at_tasks acquire, align 8
  %claims = load atomic i64, ptr %at_claims acquire, align 8
  %threads = load atomic i64, ptr %at_threads acquire, align 8
  %seats = load ptr, ptr %at_seats
  %number = shl i64 %stage, 32
  br label %victims
victims:
  %v = phi i64 [ 0, %entry ], [ %next_v, %robbed ], [ %next_v, %tell ]
  %more = icmp ult i64 %v, %threads
  br i1 %more, label %victim, label %leave
victim:
  %rotated = add i64 %thread, %v
  %whose = urem i64 %rotated, %threads
  %after = add i64 %whose, 1
  %from = mul i64 %tasks, %whose
  %to = mul i64 %tasks, %after
  %begin = udiv i64 %from, %threads
  %end = udiv i64 %to, %threads
  %size = sub i64 %end, %begin
  %even = udiv i64 %size, %claims
  %least = call i64 @llvm.umax.i64(i64 %even, i64 1)
  %offset = mul i64 %whose, {seat.BYTES}
  %at_ticket = getelementptr i8, ptr %seats, i64 %offset
  %own = icmp eq i64 %v, 0
  br i1 %own, label %try, label %look
look:
  %so_far = phi i64 [ 0, %victim ], [ %new_sum, %work ]
  %found = load atomic i64, ptr %at_ticket monotonic, align 8
  br label %try
try:
  %ticket = phi i64 [ %number, %victim ], [ %found, %look ], [ %instead, %claim ]
  %sum = phi i64 [ 0, %victim ], [ %so_far, %look ], [ %sum, %claim ]
  %taken = sub i64 %ticket, %number
  %left = sub i64 %size, %taken
  %any = icmp ult i64 %taken, %size  ; never if the ticket is of another stage
  br i1 %any, label %claim, label %robbed
claim:
  %quarter = lshr i64 %left, 2
  %guided = call i64 @llvm.umax.i64(i64 %quarter, i64 %least)
  %grain = call i64 @llvm.umin.i64(i64 %guided, i64 %left)
  %renewed = add i64 %ticket, %grain
  %swap = cmpxchg ptr %at_ticket, i64 %ticket, i64 %renewed acq_rel monotonic, align 8
  %instead = extractvalue {{ i64, i1 }} %swap, 0
  %claimed = extractvalue {{ i64, i1 }} %swap, 1
  br i1 %claimed, label %work, label %try
work:
  %start = add i64 %begin, %taken
  %stop = add i64 %start, %grain
  call void %kernel(ptr %args, i64 %start, i64 %stop, i64 %thread)
  %new_sum = add i64 %sum, %grain
  br label %look
robbed:
  %next_v = add i64 %v, 1
  %idle = icmp eq i64 %sum, 0
  br i1 %idle, label %victims, label %tell
tell:
  %before = atomicrmw add ptr %at_done, i64 %sum acq_rel
  %done = add i64 %before, %sum
  %last = icmp eq i64 %done, %tasks
  br i1 %last, label %next, label %victims
next:
  call void @go_on(ptr %team, i64 %thread, i64 %threads, i64 %threads)
  br label %leave
leave:
  ret void
}}
"""

# A thread waits for another stage that it may take part in; the one that called also for the end of
# the run, and the others for their own.
_NEXT_STAGE = """
define internal i1 @is_mine(ptr %team, i64 %stage, i64 %thread, i64 %seen) nounwind {{
  %at_threads = getelementptr i8, ptr %team, i64 {team.THREADS}
  %threads = load atomic i64, ptr %at_threads monotonic, align 8
  %joins = icmp ult i64 %thread, %threads
  %open = trunc i64 %stage to i1
  %calls = icmp eq i64 %thread, 0
  %concerned = select i1 %open, i1 %joins, i1 %calls
  %ended = icmp eq i64 %stage, {ENDED}
  %matters = or i1 %concerned, %ended
  %new = icmp ne i64 %stage, %seen
  %mine = and i1 %matters, %new
  ret i1 %mine
}}

define internal i64 @next_stage(ptr %team, ptr %seat, i64 %thread, i64 %seen) nounwind noinline {{
entry:
  br label %look
look:
  %tries = phi i64 [ 0, %entry ], [ %more, %again ]
  %stage = load atomic i64, ptr %team acquire, align 8
  %mine = call i1 @is_mine(ptr %team, i64 %stage, i64 %thread, i64 %seen)
  br i1 %mine, label %found, label %again
again:
  %patient = call i1 @rest(ptr %team, ptr %seat, i64 %tries, i64 %stage)
  %more = add i64 %tries, 1
  br i1 %patient, label %look, label %sleep
found:
  call void @learn(ptr %seat, i64 %stage, i1 false)
  ret i64 %stage
sleep:
  call void @learn(ptr %seat, i64 %stage, i1 true)
  %at_asleep = getelementptr i8, ptr %seat, i64 {seat.ASLEEP}
  %mutex = getelementptr i8, ptr %seat, i64 {seat.MUTEX}
  %condition = getelementptr i8, ptr %seat, i64 {seat.CONDITION}
  call i32 @pthread_mutex_lock(ptr %mutex)
  store atomic i64 1, ptr %at_asleep seq_cst, align 8
  br label %check
check:
  %late_stage = load atomic i64, ptr %team seq_cst, align 8
  %late = call i1 @is_mine(ptr %team, i64 %late_stage, i64 %thread, i64 %seen)
  br i1 %late, label %rise, label %doze
doze:
  call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %check
rise:
  store atomic i64 0, ptr %at_asleep monotonic, align 8
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret i64 %late_stage
}}
"""

# The caller's side of a run: begin it, and take part until it is over, whoever closes it.
_RUN = """
define internal void @run(ptr %program) nounwind {{
  %floats = call i64 @flush_to_zero()
  %at_threads = getelementptr i8, ptr %program, i64 {program.THREADS}
  %threads = load i64, ptr %at_threads
  %together = icmp ugt i64 %threads, 1
  br i1 %together, label %share, label %alone
alone:
  %own_place = alloca [2 x i64]
  store [2 x i64] zeroinitializer, ptr %own_place
  call ptr @walk(ptr %program, ptr %own_place, i64 0, i1 true)
  br label %done
share:
  call void @run_together(ptr %program, i64 %threads)
  br label %done
done:
  call void @restore_float_control(i64 %floats)
  ret void
}}

define internal void @run_together(ptr %program, i64 %threads) nounwind noinline {{
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
  store [2 x i64] zeroinitializer, ptr %place
  %before = load atomic i64, ptr %team monotonic, align 8
  call void @go_on(ptr %team, i64 0, i64 %threads, i64 %seated)
  br label %wait
wait:
  %seen = phi i64 [ %before, %0 ], [ %stage, %work ]
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


class Driver(Record):
    """The driver's native code.

    `run(program)` runs what is described at an address, on the calling thread and, with more than
    one thread, the team's workers; it does not hold Python's lock. `work` is the address of a
    worker's main function, `ptr work(ptr seat)`, and `chain` that of a kernel; see `ChainLayout`.
    `end(team)` ends the workers. They live as long as `table`, their address.
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
def _source(architecture: str) -> Source:
    waiting = (_FLUSH_TO_ZERO[architecture], _REST, _WAKE, _NEXT_STAGE)
    parts = (_TABLE, *waiting, _ADVANCE, _WALK, _GO_ON, _TAKE_PART, _RUN, _WORK, _CHAIN)
    text = "".join(parts).format(
        chain=ChainLayout,
        MEMBER_WORDS=MEMBER_WORDS,
        program=ProgramLayout,
        team=TeamLayout,
        seat=SeatLayout,
        SERIAL=SERIAL,
        VERDICT=VERDICT,
        CLAIMS_BIT=CLAIMS_BIT,
        ENDED=ENDED,
        PAUSE=_PAUSE[architecture],
        PAUSES=PAUSES,
        LEAST_PAUSES=_LEAST_PAUSES,
        MORE_PAUSES=_MORE_PAUSES,
        YIELDS=_YIELDS,
    )
    return Source.of(text)
