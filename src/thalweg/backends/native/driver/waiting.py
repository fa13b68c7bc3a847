"""How threads of the driver wait: tries, then sleep; and how they are woken. LLVM IR."""

from __future__ import annotations

# Some 0.8 ms where a pause takes 27 ns. A thread that sleeps takes 25 us to wake, but much longer
# where its CPU is a guest's, which the host gives to others as soon as nothing runs on it. Programs
# that train step by step in Python come back sooner as a rule, too.
PAUSES = 30_000
YIELDS = 20

# While a stage is open: half as many after each time that a thread has tried in vain, but no fewer
# than the first number, and the second more after each time that was not in vain.
LEAST_PAUSES, MORE_PAUSES = 1_000, 64

PAUSE = {
    "x86_64": "@llvm.x86.sse2.pause()",
    "aarch64": "@llvm.aarch64.isb(i32 15)",  # `yield` does nothing on most of them
}

# Numbers too small for a normal exponent count as zero while a program runs: on x86 each of them
# may cost 150 cycles, and training makes them (a moment that decays, a softmax that is sure).
FLUSH_TO_ZERO = {
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
REST = """
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

# Wake those of the first threads that sleep. A sleeper says so and then looks at the stage; the
# stage is changed and then sleepers are looked for: in sequentially consistent order, one of the
# two sees the other.
WAKE = """
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

# A thread waits for another stage that it may take part in; the one that called also for the end of
# the run, and the others for their own.
NEXT_STAGE = """
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
