"""The words that the driver and Python share: rows, flags, and where each word lies."""

from __future__ import annotations

from enum import IntEnum

SERIAL = 1  # flag: one thread runs the whole row
# Flags of rows that run no kernel; see `stages.WALK`.
VERDICT = 4  # the program ends here unless the first word of the arguments is 0
MOVES = 8  # the arguments are moves, as many as the row has tasks
# The next two go to the row whose number is in the kernel's place.
BRANCH = 16  # if the byte to which the first word of the arguments points is the number of tasks
REPEAT = 32  # unless the first word of the arguments is
CONTROL = VERDICT | MOVES | BRANCH | REPEAT
CLAIMS_BIT = 8  # from here on: in how many claims at most a thread takes its share, one byte
STEP_WORDS = 4
MOVE_WORDS = 3  # the address of a word, that of another, and what is added to it for the first

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
    ROW = 56  # where a pause has left it: a row, 0 if it has come to its end
    TIME = 64  # and how many times it had run
    FUEL = 72  # how many more jumps backwards it makes before it pauses
    BYTES = 80


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


class TimedLayout(IntEnum):
    """Byte offsets in the arguments of a kernel that times another, or those of a chain."""

    KERNEL = 0  # that it runs; a chain is known
    ARGS = 8  # of that one
    LOGS = 16  # one after the other, by the threads' numbers
    UNIT = 24  # the number under which it is noted; of a chain that of its first kernel
    BYTES = 32


class LogLayout(IntEnum):
    """Byte offsets in the log of a thread, which only this thread writes."""

    COUNT = 0  # of events that there have been
    ROOM = 8  # how many are kept
    EVENTS = 16  # where
    BYTES = LINE


EVENT_WORDS = 4  # the unit, when it began and ended, and how many tasks it ran
