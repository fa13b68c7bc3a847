"""Loop rotation: let the body of a loop compute whether there is another iteration.

    while condition(x):              go_on = condition(x)
        x = body(x)            ->    while go_on:
                                         x = body(x)
                                         go_on = condition(x)

So the condition becomes part of the kernels that compute what it depends on.
"""

from __future__ import annotations

from thalweg.base.dims import Trace
from thalweg.graph import Body, Operation, Tensor
from thalweg.ops.control.loop import Loop
from thalweg.passes.rebuild import Rebuild


def rotate(record: Loop, trace: Trace) -> Body:
    """The loop's body with the condition of the next iteration as a further output.

    Args:
        record: has a condition.
        trace: of the plan.
    """
    assert record.condition is not None
    body, condition, new = record.body, record.condition, Rebuild(trace)
    own = {*body.operations, *[tensor.op for tensor in body.inputs]}
    new.run(sorted(own, key=lambda op: op.index), _copied)
    captured = body.inputs[record.carried + record.sequences :]
    given = (*body.outputs[: record.carried], *captured)
    for inner, outer in zip(condition.inputs, given, strict=True):
        new.tensors[inner] = new.tensors[outer]
    new.run(condition.operations, _copied)
    outputs = (*body.outputs, *condition.outputs)
    found = [tuple([new.tensors[t] for t in tensors]) for tensors in (body.inputs, outputs)]
    return Body(new.graph, *found)


def _copied(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> None:
    """Keep it as it is."""
