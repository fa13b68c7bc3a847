"""The native code that runs a program: threads take its tasks, and whoever is last goes on.

A program is an array of rows, each four 64-bit words: the address of a kernel, the address of its
arguments, the number of its tasks, less than 2^32, and flags. A kernel is a `void kernel(ptr args,
i64 begin, i64 end, i64 thread)` that runs the tasks [begin, end). A row may be shared by all
threads, or be for one. A row may end the program instead, by a word that rows before it have
written: a check failed. Or it may lead to another row, by a byte or a word: so rows make loops and
branches.

A program may run many times in a row, without a return to Python. What differs between the times
are its *moves*: words in memory that become others, or themselves, and something more after every
time. A time that a check ends is the last, and no moves are made after it: they tell how many times
went well. A row may make moves, too: counters and addresses that change while a loop goes on.

A loop may go on for any time, and Python cannot be interrupted meanwhile. So a program has *fuel*:
when it has jumped backwards so often, it pauses: it returns, and can be resumed. `slices.Slices`
gives it fuel for some 50 ms.

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
