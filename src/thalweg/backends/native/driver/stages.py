"""How a program goes from row to row, and how threads share a stage. LLVM IR."""

from __future__ import annotations

# What differs the next time: words that become others and something more, one after the other.
ADVANCE = """
define internal void @advance(ptr %moves, i64 %count) nounwind {{
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %done
body:
  %at_word = getelementptr [{MOVE_WORDS} x i64], ptr %moves, i64 %i
  %at_from = getelementptr i8, ptr %at_word, i64 8
  %at_stride = getelementptr i8, ptr %at_word, i64 16
  %word = load ptr, ptr %at_word
  %from = load ptr, ptr %at_from
  %stride = load i64, ptr %at_stride
  %old = load i64, ptr %from
  %new = add i64 %old, %stride
  store i64 %new, ptr %word
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}}
"""

# The next row to be shared, or null when the program is over, or pauses. The thread that asks runs
# the rows on the way that are for one thread, all if it is alone, makes the moves, and goes where
# other rows lead. The place is a row and how many times the program has run. A program that jumps
# backwards more often than it has fuel for pauses: it notes its place, and goes on from there when
# it is run again.
WALK = """
define internal ptr @walk(ptr %program, ptr %place, i64 %thread, i1 %alone) nounwind noinline {{
entry:
  %at_count = getelementptr i8, ptr %program, i64 {program.COUNT}
  %at_moves = getelementptr i8, ptr %program, i64 {program.MOVES}
  %at_move_count = getelementptr i8, ptr %program, i64 {program.MOVE_COUNT}
  %at_repeats = getelementptr i8, ptr %program, i64 {program.REPEATS}
  %at_fuel = getelementptr i8, ptr %program, i64 {program.FUEL}
  %at_time = getelementptr i8, ptr %place, i64 8
  %rows = load ptr, ptr %program
  %count = load i64, ptr %at_count
  %moves = load ptr, ptr %at_moves
  %move_count = load i64, ptr %at_move_count
  %repeats = load i64, ptr %at_repeats
  %first = load i64, ptr %place
  br label %head
head:
  %i = phi i64 [ %first, %entry ], [ %next, %following ], [ %target, %jump ],
    [ %target, %burn ], [ 0, %end ]
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
  %kind = and i64 %flags, {CONTROL}
  %controls = icmp ne i64 %kind, 0
  br i1 %controls, label %control, label %divide
control:
  switch i64 %kind, label %judge [
    i64 {MOVES}, label %move
    i64 {BRANCH}, label %branch
    i64 {REPEAT}, label %repeat
  ]
judge:
  %verdict = load i64, ptr %args
  %well = icmp eq i64 %verdict, 0
  br i1 %well, label %following, label %over
move:
  call void @advance(ptr %args, i64 %tasks)
  br label %following
branch:
  %at_byte = load ptr, ptr %args
  %byte = load i8, ptr %at_byte
  %wide = zext i8 %byte to i64
  %holds = icmp eq i64 %wide, %tasks
  br i1 %holds, label %jump, label %following
repeat:
  %counter = load i64, ptr %args
  %complete = icmp eq i64 %counter, %tasks
  br i1 %complete, label %following, label %jump
jump:
  %target = load i64, ptr %row
  %forwards = icmp ugt i64 %target, %i
  br i1 %forwards, label %head, label %burn
burn:
  %fuel = load i64, ptr %at_fuel
  %less = sub i64 %fuel, 1
  store i64 %less, ptr %at_fuel
  %empty = icmp eq i64 %fuel, 0
  br i1 %empty, label %pause, label %head
pause:
  %its_place = getelementptr i8, ptr %program, i64 {program.ROW}
  %before = load i64, ptr %at_time
  %paused = insertvalue [2 x i64] poison, i64 %i, 0
  %paused_at = insertvalue [2 x i64] %paused, i64 %before, 1
  store [2 x i64] %paused_at, ptr %its_place
  br label %over
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
GO_ON = """
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

# One thread's part in a stage: its own share, then what others have left. It claims a quarter of
# what is left of a share, but not too little at a time. It reports its tasks of a share at once:
# while it still works on one, nothing is kept from others by not telling of those before. At first
# it does not look at its own ticket: to fetch a cache line for reading, and then again for writing,
# would take twice as long.
TAKE_PART = """
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
