"""The kernel that runs others slice by slice, for depth-first tiling. LLVM IR."""

from __future__ import annotations

from thalweg.backends.native.driver import layouts

# A kernel whose tasks are parts of a number of slices. For each part it runs some kernels once, and
# then others for each slice, one after the other. Each word of their arguments is a base, plus a
# stride times the slice's number, plus others times those of the part and the thread.
_CHAIN = """
define internal void @{name}(ptr %{given}, i64 %begin, i64 %end, i64 %thread) nounwind {{
entry:{prelude}
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
  br i1 %other, label %skip, label %starting
starting:{before}
  br label %copy
copy:
  %w = phi i64 [ 0, %starting ], [ %next_w, %word ]
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
  call void %kernel(ptr %words, i64 0, i64 %tasks, i64 %thread){after}
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


def chain_kernel(
    name: str, given: str = "args", prelude: str = "", before: str = "", after: str = ""
) -> str:
    """The IR of such a kernel.

    Args:
        name: of the function.
        given: the name of its first argument; the prelude defines `%args` if it is another.
        prelude: IR at its beginning.
        before: IR before each kernel, number `%i` of them, and before its arguments are made.
        after: IR after it.
    """
    return _CHAIN.format(
        name=name,
        given=given,
        prelude=prelude,
        before=before,
        after=after,
        chain=layouts.ChainLayout,
        MEMBER_WORDS=layouts.MEMBER_WORDS,
    )
