"""How a run was compiled: what each stage of the compiler made of it, down to the machine code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from thalweg.graph.printer import show_operation
from thalweg.inspect.machine_code import readable
from thalweg.session.session import Session

__all__ = ["compilation"]


@runtime_checkable
class _Compiled(Protocol):
    """A program whose kernels can be shown at each stage, by their numbers."""

    def nest(self, number: int) -> str: ...

    def llvm(self, number: int) -> str: ...

    def assembly(self, number: int) -> str: ...


def compilation(
    session: Session, fetches: Any, feed_dict: Mapping[Any, Any] | None, kernels: int
) -> str:
    """The stages of the compiler one after the other, each under a heading.

    Args:
        session: that would run it.
        fetches: as for `Session.run`.
        feed_dict: as for `Session.run`.
        kernels: how many kernels the program has.

    Raises:
        FetchError, FeedError, SessionClosedError: as `Session.run` does.
    """
    planned = session.plan(fetches, feed_dict)
    lines: list[str] = []
    if planned is not None:
        ops, plan = planned
        operations = [f"  {show_operation(op)}" for op in ops]
        lines += _section("graph: the operations that the run needs", "\n".join(operations))
        lines += _section("plan: the same for these shapes, simplified", str(plan.graph))
    program: object = session.program(fetches, feed_dict)[1]
    if isinstance(program, _Compiled):
        for number in range(kernels):
            lines += _kernel(program, number)
    return "\n".join(lines).rstrip()


def _kernel(program: _Compiled, number: int) -> Iterator[str]:
    yield from _section(f"kernel {number}: loops and schedule", program.nest(number))
    yield from _section(f"kernel {number}: LLVM IR", program.llvm(number))
    yield from _section(f"kernel {number}: machine code", readable(program.assembly(number)))


def _section(heading: str, text: str) -> list[str]:
    return [f"== {heading} ==", text.rstrip(), ""]
