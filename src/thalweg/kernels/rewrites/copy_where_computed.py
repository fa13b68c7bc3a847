"""Copy values to where they are concatenated in the kernels that compute them.

    before:  kernel 1:  a[i, j] = ...                      kernel 2:  c[i, 5 + j] = a[i, j]
    after:   kernel 1:  a[i, j] = ...   c[i, 5 + j] = a[i, j]

The loops of both must be the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.base.shapes import same_shape
from thalweg.formula import Read, is_identity
from thalweg.kernels.values import Definition, Value


def copy_where_computed(groups: Sequence[list[Definition]]) -> list[Value]:
    """Move copies of values into the groups that compute them, where these have the same loops.

    Args:
        groups: in order; some of them are empty afterwards.

    Returns:
        The values that are copied by their own groups now.
    """
    made = {d.value: (n, d) for n, group in enumerate(groups) for d in group}
    moved: list[Value] = []
    for n, group in enumerate(groups):
        read = group[0].body
        if len(group) > 1 or not isinstance(read, Read) or read.source not in made:
            continue
        maker, source = made[read.source]
        if maker < n and _is_moved(group[0], source):
            groups[maker].append(group.pop())
            moved.append(read.source)
    return moved


def _is_moved(copy: Definition, source: Definition) -> bool:
    """Whether a definition is a piece of a larger value, and all of another's, in its loops."""
    assert isinstance(copy.body, Read)
    extents = [axis.extent for axis in copy.axes]
    piece = is_identity(copy.body.index, copy.axes) and not same_shape(copy.value.shape, extents)
    alike = same_shape(extents, [axis.extent for axis in source.axes])
    own = source.stores_in_place and source.value.base is None and not copy.value.panel
    return piece and alike and own and not copy.scatters
