"""The operations that a program is made of: each function gives the code of a line, or None.

A line need not work: the generator leaves out what cannot be built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.fuzz.generator import Code, Generator, Named, Program
from thalweg.graph import Sample
from thalweg.ops.catalogue import ALL

Entry = Callable[[Generator], Code]

UNARY = [
    "tf.abs", "tf.ceil", "tf.cos", "tf.erf", "tf.exp", "tf.expm1", "tf.floor", "tf.negative",
    "tf.nn.crelu", "tf.nn.elu", "tf.nn.gelu", "tf.nn.l2_normalize", "tf.nn.leaky_relu",
    "tf.nn.log_sigmoid", "tf.nn.relu", "tf.nn.relu6", "tf.nn.selu", "tf.nn.softplus",
    "tf.nn.softsign", "tf.nn.swish", "tf.round", "tf.sigmoid", "tf.sign", "tf.sin", "tf.square",
    "tf.tanh", "tf.identity",
]  # fmt: skip
ACTIVATIONS = ["tf.nn.relu", "tf.nn.relu", "tf.tanh", "tf.nn.relu6", "tf.nn.leaky_relu",
               "tf.sigmoid", "tf.nn.elu", "tf.nn.swish", "tf.square"]  # fmt: skip
POSITIVE = ["tf.sqrt", "tf.rsqrt", "tf.log", "tf.log1p", "tf.reciprocal"]
BINARY = ["{} + {}", "{} - {}", "{} * {}", "tf.maximum({}, {})", "tf.minimum({}, {})",
          "tf.squared_difference({}, {})", "{} / (tf.abs({}) + 0.5)",
          "tf.pow(tf.abs({}) + 0.5, tf.tanh({}))", "tf.floordiv({}, tf.abs({}) + 1.0)",
          "tf.mod({}, tf.abs({}) + 1.0)", "tf.where({0} < {1}, {0}, {1} * 0.5)"]  # fmt: skip
REDUCTIONS = ["sum", "sum", "mean", "mean", "max", "min", "prod", "logsumexp"]
COMPARISONS = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]


def any_rank(low: int, high: int = 9) -> Callable[[Named], bool]:
    return lambda v: v.floating and low <= v.rank <= high


def known_axes(v: Named) -> list[int]:
    """The axes whose extents the graph knows."""
    return [n for n, extent in enumerate(v.static) if extent is not None]


# -- elementwise


def unary(g: Generator) -> Code:
    v = g.pick()
    return v and f"{g.choose(UNARY)}({v.name})"


def activation(g: Generator) -> Code:
    v = g.pick()
    return v and f"{g.choose(ACTIVATIONS)}({v.name})"


def positive(g: Generator) -> Code:
    v = g.pick()
    return v and f"{g.choose(POSITIVE)}(tf.square({v.name}) + 0.25)"


def scalar_arithmetic(g: Generator) -> Code:
    v = g.pick()
    form = g.choose(["{} * 0.5", "{} + 1.0", "1.0 - {}", "{} / 3.0", "tf.clip_by_value({}, -1, 1)"])
    return v and str(form).format(v.name)


def _partner(g: Generator, v: Named) -> Named | None:
    """A value that broadcasts with another one."""
    same = g.pick(lambda w: w.floating and w.shape == v.shape and w.tensor.dtype == v.tensor.dtype)
    if same and same.name != v.name and g.chance(0.6):
        return same
    shape = [1 if g.chance(0.3) else extent for extent in v.static]
    drop = g.integer(0, len(shape)) if g.chance(0.4) else 0
    return g.add(g.leaf(shape[drop:], str(v.tensor.dtype.name)))


def binary(g: Generator) -> Code:
    v = g.pick()
    w = v and _partner(g, v)
    if not v or not w:
        return None
    pair = (v.name, w.name) if g.chance(0.5) else (w.name, v.name)
    return str(g.choose(BINARY)).format(*pair)


def residual(g: Generator) -> Code:
    """Two computed values of one shape."""
    v = g.pick(lambda v: v.floating and not v.leaf)
    w = v and g.pick(lambda w: w.shape == v.shape and w.tensor.dtype == v.tensor.dtype)
    if not v or not w or v.name == w.name:
        return None
    return str(g.choose(["{} + {}", "{} * {}", "tf.add_n([{}, {}])"])).format(v.name, w.name)


def comparison(g: Generator) -> Code:
    v = g.pick()
    w = v and _partner(g, v)
    return v and w and f"tf.{g.choose(COMPARISONS)}({v.name}, {w.name})"


def logical(g: Generator) -> Code:
    v = g.pick(lambda v: v.tensor.dtype.is_bool)
    if not v:
        return None
    w = g.pick(lambda w: w.tensor.dtype.is_bool and w.shape == v.shape)
    if w and g.chance(0.5):
        return f"tf.logical_{g.choose(['and', 'or', 'xor'])}({v.name}, {w.name})"
    return str(
        g.choose([f"tf.logical_not({v.name})", f"tf.reduce_any({v.name}, {_axes(g, v)})",
                  f"tf.reduce_all({v.name}, {_axes(g, v)})", f"tf.cast({v.name}, {g.dtype!r})"])
    )  # fmt: skip


def select(g: Generator) -> Code:
    c = g.pick(lambda v: v.tensor.dtype.is_bool)
    v = c and g.pick(lambda v: v.floating and v.shape == c.shape)
    w = v and _partner(g, v)
    return c and v and w and f"tf.where({c.name}, {v.name}, {w.name} + 0.0 * {v.name})"


def cast(g: Generator) -> Code:
    v = g.pick(lambda v: True)
    kinds = ["float32", "float64", "float16", "bfloat16", "int32", "int64", "int8", "uint8"]
    if v and v.floating and g.chance(0.5):
        return f"tf.cast({v.name}, {g.choose(kinds[:4])!r})"
    if not v or v.largest > 100 or (v.array < 0).any():
        return None
    return f"tf.cast({v.name}, {g.choose(kinds)!r})"


def integers(g: Generator) -> Code:
    v = g.pick(lambda v: v.tensor.dtype.is_integer)
    if not v:
        return None
    dtype = v.tensor.dtype.name
    if np.abs(v.array.astype(np.float64)).max(initial=0) > 5 or g.chance(0.3):
        return f"tf.cast({v.name} % 3, {g.dtype!r})"
    form = g.choose(["{0} + {0}", "{0} * 2", "tf.maximum({0}, 1)", "tf.reduce_sum({0}, {1})",
                     "tf.reduce_max({0}, {1})", "{0} // 2", "tf.abs({0})"])  # fmt: skip
    return None if dtype == "bool" else str(form).format(v.name, _axes(g, v))


# -- reductions


def _axes(g: Generator, v: Named) -> str:
    if g.chance(0.2):
        return "None"
    return str([n for n in range(v.rank) if g.chance(0.5)])


def reduction(g: Generator) -> Code:
    v = g.pick()
    keep, kind = g.chance(0.4), g.choose(REDUCTIONS)
    if v and kind == "prod" and v.array.size > 24:
        kind = "sum"  # parts of a long product may overflow
    return v and f"tf.reduce_{kind}({v.name}, {_axes(g, v)}, keepdims={keep})"


def centred(g: Generator) -> Code:
    """What normalisations are made of."""
    v = g.pick(any_rank(1))
    if not v:
        return None
    axes = [n for n in range(v.rank) if g.chance(0.5)] or [v.rank - 1]
    mean = f"tf.reduce_mean({v.name}, {axes}, keepdims=True)"
    return f"{v.name} - {mean}" if g.chance(0.5) else f"tf.square({v.name} - {mean})"


def extreme(g: Generator) -> Code:
    v = g.pick(any_rank(1))
    if not v:
        return None
    return f"tf.{g.choose(['argmax', 'argmin'])}({v.name}, {g.integer(0, v.rank - 1)})"


def softmax(g: Generator) -> Code:
    v = g.pick(any_rank(1))
    form = g.choose(["tf.nn.softmax({})", "tf.nn.log_softmax({})", "tf.log(tf.nn.softmax({}))"])
    return v and str(form).format(v.name)


def normalised(g: Generator) -> Code:
    v = g.pick(any_rank(2))
    if not v:
        return None
    axes = list(range(v.rank - 1)) if g.chance(0.7) else [v.rank - 1]
    moments = g.add(f"tf.nn.moments({v.name}, {axes}, keepdims=True)")
    if not moments:
        return None
    name = moments.name.split("[")[0]
    return f"tf.nn.batch_normalization({v.name}, {name}[0], {name}[1], None, None, 1e-3)"


def cross_entropy(g: Generator) -> Code:
    v = g.pick(any_rank(2, 2))
    if not v or v.static[1] in (None, 0):
        return None
    if g.chance(0.5):
        labels = g.add(f"b.feed({[v.static[0]]}, 'int32', {g.seed()}, 0, {v.shape[1]})")
        kind = "sparse_softmax_cross_entropy_with_logits"
    else:
        labels = g.input(v.static)
        kind = "sigmoid_cross_entropy_with_logits"
    return labels and f"tf.nn.{kind}(labels={labels.name}, logits={v.name})"


# -- moving elements


def slices(g: Generator) -> Code:
    v = g.pick(any_rank(1))
    if not v:
        return None
    keys = []
    for extent in v.shape:
        if extent < 2 or g.chance(0.5):
            keys.append(":")
        elif g.chance(0.15):
            keys.append(str(g.integer(0, extent - 1)))
        else:
            first = g.integer(0, extent - 1)
            last = g.choose(["", g.integer(first, extent)])
            step = g.choose(["", "", "", ":2", ":3", ":-1"])
            keys.append(f"{first or ''}:{last}{step}" if step != ":-1" else "::-1")
    return f"{v.name}[{', '.join(keys)}]"


def halves(g: Generator) -> Code:
    """Pieces of a value, each of which somebody else may read."""
    v = g.pick(lambda v: v.floating and not v.leaf and bool(known_axes(v)))
    if not v:
        return None
    axis = g.choose(known_axes(v))
    extent = v.shape[axis]
    if extent % 2 == 0 and g.chance(0.6):
        return f"tf.split({v.name}, 2, {axis})"
    first = g.integer(0, extent)
    return f"tf.split({v.name}, [{first}, {extent - first}], {axis})"


def concat(g: Generator) -> Code:
    v = g.pick(any_rank(1))
    if not v:
        return None
    axis = g.choose(known_axes(v) or [0])

    def fits(w: Named) -> bool:
        rest = [n for n in range(v.rank) if n != axis]
        return (
            w.rank == v.rank
            and w.tensor.dtype == v.tensor.dtype
            and all(w.shape[n] == v.shape[n] for n in rest)
        )

    parts = [v, *[w for _ in range(g.integer(1, 3)) if (w := g.pick(fits))]]
    names = ", ".join(part.name for part in parts)
    return f"tf.concat([{names}], {axis})"


def stack(g: Generator) -> Code:
    v = g.pick(any_rank(0, 4))
    w = v and g.pick(lambda w: w.shape == v.shape and w.tensor.dtype == v.tensor.dtype)
    return v and w and f"tf.stack([{v.name}, {w.name}, {v.name}], {g.integer(0, v.rank)})"


def pad(g: Generator) -> Code:
    v = g.pick(any_rank(1))
    if not v:
        return None
    pairs = [[g.integer(0, 2), g.integer(0, 2)] if g.chance(0.6) else [0, 0] for _ in v.shape]
    value = g.choose([0, 0, 0, 0.5])
    return f"tf.pad({v.name}, {pairs}, constant_values={value})"


def transpose(g: Generator) -> Code:
    v = g.pick(any_rank(2))
    return v and f"tf.transpose({v.name}, {[int(n) for n in g.random.permutation(v.rank)]})"


def reshape(g: Generator) -> Code:
    v = g.pick(any_rank(1))
    if not v:
        return None
    if v.rank == 4 and g.chance(0.5):
        return f"tf.reshape({v.name}, [-1, {int(np.prod(v.shape[1:]))}])"
    keep = g.integer(0, v.rank)
    tail = list(v.shape[keep:])
    if None in v.static[keep:]:
        return f"tf.reshape({v.name}, [-1])"
    head = [-1] if keep else []
    if g.chance(0.5) and tail:
        tail = [int(np.prod(tail))]
    return f"tf.reshape({v.name}, {[*head, *tail]})"


def spread(g: Generator) -> Code:
    v = g.pick(any_rank(1, 4))
    if not v:
        return None
    forms = [
        f"tf.tile({v.name}, {[g.choose([1, 1, 2, 3]) for _ in v.shape]})",
        f"tf.expand_dims({v.name}, {g.integer(0, v.rank)})",
    ]
    ones = [n for n, extent in enumerate(v.static) if extent == 1]
    if ones:
        forms.append(f"tf.squeeze({v.name}, {ones[:1]})")
    if None not in v.static:
        forms.append(f"tf.broadcast_to({v.name}, {[g.extent(4), *v.shape]})")
    return str(g.choose(forms))


def gather(g: Generator) -> Code:
    v = g.pick(lambda v: v.floating and any(v.static))
    axes = v and [n for n, extent in enumerate(v.static) if extent]
    if not v or not axes:
        return None
    axis = g.choose(axes)
    shape: list[int | None] = [g.extent(9) for _ in range(g.integer(0, 2))]
    if g.open and g.chance(0.3):
        shape = [None]
    rows = g.add(f"b.feed({shape}, 'int32', {g.seed()}, 0, {v.shape[axis]})")
    return rows and f"tf.gather({v.name}, {rows.name}, axis={axis})"


def one_hot(g: Generator) -> Code:
    v = g.pick(lambda v: v.tensor.dtype.is_integer and v.rank < 4)
    return v and f"tf.one_hot({v.name}, {g.extent(9)}, dtype={g.dtype!r})"


# -- products


def dense(g: Generator) -> Code:
    v = g.pick(lambda v: v.floating and v.rank == 2 and v.static[1] is not None)
    if not v:
        return None
    columns, name = g.extent(), v.tensor.dtype.name
    w = g.add(g.leaf([v.shape[1], columns], str(name)))
    if not w:
        return None
    product = f"tf.matmul({v.name}, {w.name})"
    return product if g.chance(0.5) else f"{g.choose(ACTIVATIONS)}({product} * 0.25)"


def matmul(g: Generator) -> Code:
    v = g.pick(any_rank(2, 4))
    if not v:
        return None
    a, b = g.chance(0.4), g.chance(0.4)
    inner = v.static[-2] if a else v.static[-1]
    if inner is None:
        return f"tf.matmul({v.name}, {v.name}, transpose_b=True)"
    w = g.pick(lambda w: w.floating and w.rank == v.rank and w.shape[-1 if b else -2] == inner)
    if not w or g.chance(0.5):
        tail = [g.extent(17), inner] if b else [inner, g.extent(17)]
        w = g.add(g.leaf([*v.static[:-2], *tail], str(v.tensor.dtype.name)))
    return w and f"tf.matmul({v.name}, {w.name}, transpose_a={a}, transpose_b={b})"


def attention(g: Generator) -> Code:
    v = g.pick(any_rank(3, 4))
    if not v:
        return None
    scores = g.add(f"tf.nn.softmax(tf.matmul({v.name}, {v.name}, transpose_b=True) * 0.3)")
    return scores and f"tf.matmul({scores.name}, {v.name})"


def _image(v: Named) -> bool:
    return v.floating and v.rank == 4 and v.static[3] is not None and min(v.shape) > 0


def _window(g: Generator) -> tuple[int, int]:
    size = g.choose([(1, 1), (1, 1), (3, 3), (3, 3), (3, 3), (5, 5), (2, 2), (1, 3), (3, 1), (7, 7),
                     (1, 7), (4, 4), (2, 3)])  # fmt: skip
    return int(size[0]), int(size[1])


def _steps(g: Generator) -> str:
    stride = g.choose([1, 1, 1, 1, 2, 2, 3])
    return f"[1, {stride}, {stride}, 1], {g.choose(['SAME', 'SAME', 'SAME', 'VALID'])!r}"


def convolution(g: Generator) -> Code:
    v = g.pick(_image)
    if not v:
        return None
    outputs = max(g.extent(17), 1)
    w = g.add(g.leaf([*_window(g), v.shape[3], outputs], str(v.tensor.dtype.name)))
    if not w:
        return None
    scale = f"{2.0 / max(float(np.prod(w.shape[:3])), 4.0) ** 0.5:.2}"
    code = f"tf.nn.conv2d({v.name}, {w.name}, {_steps(g)}) * {scale}"
    if g.chance(0.4):
        return f"{g.choose(ACTIVATIONS)}({code})"
    return code if g.chance(0.5) else code.rsplit(" * ", 1)[0]


def depthwise(g: Generator) -> Code:
    v = g.pick(_image)
    if not v:
        return None
    shape = [*_window(g), v.shape[3], g.choose([1, 1, 1, 2])]
    w = g.add(g.leaf(shape, str(v.tensor.dtype.name)))
    code = w and f"tf.nn.depthwise_conv2d({v.name}, {w.name}, {_steps(g)})"
    return code and (f"{g.choose(ACTIVATIONS)}({code} * 0.5)" if g.chance(0.5) else code)


def dilated(g: Generator) -> Code:
    v = g.pick(_image)
    w = v and g.add(g.leaf([3, 3, v.shape[3], max(g.extent(9), 1)], str(v.tensor.dtype.name)))
    if not v or not w:
        return None
    return f"tf.nn.conv2d({v.name}, {w.name}, 1, 'SAME', dilations={g.choose([2, 3])}) * 0.2"


def channels_first(g: Generator) -> Code:
    v = g.pick(lambda v: v.floating and v.rank == 4 and v.static[1] is not None)
    w = v and g.add(g.leaf([*_window(g), v.shape[1], max(g.extent(9), 1)], v.tensor.dtype.name))
    if not v or not w:
        return None
    return f"tf.nn.conv2d({v.name}, {w.name}, 1, 'SAME', data_format='NCHW') * 0.2"


def transposed(g: Generator) -> Code:
    v = g.pick(lambda v: _image(v) and None not in v.static)
    if not v:
        return None
    stride, depth = g.choose([1, 2, 2, 3]), max(g.extent(9), 1)
    w = g.add(g.leaf([*_window(g), depth, v.shape[3]], str(v.tensor.dtype.name)))
    n, rows, columns = v.shape[0], v.shape[1] * stride, v.shape[2] * stride
    shape = [n, rows, columns, depth]
    return w and f"tf.nn.conv2d_transpose({v.name}, {w.name}, {shape}, {stride}, 'SAME') * 0.2"


def pool(g: Generator) -> Code:
    v = g.pick(_image)
    if not v:
        return None
    kind, (rows, columns) = g.choose(["max_pool", "max_pool", "avg_pool"]), _window(g)
    return f"tf.nn.{kind}({v.name}, [1, {rows}, {columns}, 1], {_steps(g)})"


def branches(g: Generator) -> Code:
    """Several readers of one activation, joined again: Inception, DenseNet, SqueezeNet."""
    v = g.pick(_image)
    if not v:
        return None
    made = [v] if g.chance(0.3) else []
    for _ in range(g.integer(2, 3)):
        size = g.choose([1, 1, 3, 3, 5])
        depth = g.choose([1, 2, 3, 4, 5, 8, 9, 16])
        w = g.add(g.leaf([size, size, v.shape[3], depth], str(v.tensor.dtype.name)))
        y = w and g.add(f"tf.nn.conv2d({v.name}, {w.name}, 1, 'SAME') * {0.5 / size}")
        made += [y] if y else []
    if g.chance(0.3) and (y := g.add(f"tf.nn.max_pool({v.name}, 3, 1, 'SAME')")):
        made.append(y)
    joined = f"tf.concat([{', '.join(y.name for y in made)}], 3)" if made else None
    return joined and (f"{g.choose(ACTIVATIONS)}({joined})" if g.chance(0.6) else joined)


def bias(g: Generator) -> Code:
    v = g.pick(lambda v: v.floating and v.rank >= 2 and v.static[-1] is not None)
    w = v and g.add(g.leaf([v.shape[-1]], str(v.tensor.dtype.name)))
    return v and w and f"tf.nn.bias_add({v.name}, {w.name})"


def dropout(g: Generator) -> Code:
    v = g.pick()
    return v and f"tf.nn.dropout({v.name}, 0.7, seed={g.seed()})"


# -- records' samples


def _samples() -> list[tuple[str, int, Sample]]:
    # Differences do not see that StopGradient has no gradient.
    every = [record for record in ALL if record.type != "StopGradient"]
    numbered = [(r.type, n, s) for r in every for n, s in enumerate(r.samples())]
    # Python's are the reference's own; decompositions may jump with the last bit of an argument.
    return [one for one in numbered if not one[2].op.effects.host]


_SAMPLES = _samples()


def sample(g: Generator) -> Code:
    """A record's sample, with computed values in place of some of its arrays."""
    kind, number, chosen = _SAMPLES[g.integer(0, len(_SAMPLES) - 1)]
    inputs = []
    for n, array in enumerate(chosen.arrays()):
        free = array.dtype == np.float32 and n not in chosen.op.static and np.isfinite(array).all()
        v = g.pick(lambda v: v.tensor.dtype.name == "float32") if free and g.chance(0.7) else None
        inputs.append(v.name if v else "None")
    return f"b.sample({', '.join([repr(kind), str(number), *inputs])})"


# -- derivatives and updates


def gradient(g: Generator, ys: Sequence[Named]) -> Code:
    """The gradients of some values by some of what they depend on."""
    xs = [v for v in g.values if v.floating and (v.leaf or g.chance(0.2)) and "[" not in v.name]
    chosen = [x for x in xs if g.chance(0.6)][:6] or xs[:1]
    if not ys or not chosen:
        return None
    lists = [", ".join(v.name for v in group) for group in (ys, chosen)]
    return f"b.gradients([{lists[0]}], [{lists[1]}], {g.chance(0.7)})"


def update(g: Generator) -> Code:
    """A variable's new value, made from the values that the program has."""
    found = [line.name for line in g.lines if line.code.startswith("b.variable")]
    used = {line.code.split("(")[1].split(",")[0] for line in g.lines if "b.update" in line.code}
    free = [v for v in g.values if v.name in found and v.name not in used]
    if not free:
        return None
    v = g.choose(free)
    w = g.pick(lambda w: w.static == v.static and w.tensor.dtype == v.tensor.dtype)
    return f"b.update({v.name}, {v.name} * 0.5 - {w.name} * 0.1)" if w else None


ELEMENTWISE: list[Entry] = [unary, activation, positive, scalar_arithmetic, binary, residual]
KINDS: list[Entry] = [comparison, logical, select, cast, integers, one_hot]
REDUCING: list[Entry] = [reduction, reduction, centred, extreme, softmax, normalised]
MOVING: list[Entry] = [
    slices, slices, halves, halves, concat, concat, stack, pad, pad, transpose, reshape, spread,
    gather,
]  # fmt: skip
PRODUCTS: list[Entry] = [dense, matmul, attention, bias, cross_entropy]
IMAGES: list[Entry] = [
    convolution, convolution, convolution, depthwise, dilated, channels_first, transposed, pool,
    pool, branches, branches, bias,
]  # fmt: skip

Menu = list[tuple[list[Entry], float]]
MENUS: dict[str, Menu] = {
    "image": [(IMAGES, 5), (ELEMENTWISE, 2), (MOVING, 2), (REDUCING, 0.7), (KINDS, 0.3)],
    "dense": [(PRODUCTS, 3), (ELEMENTWISE, 2), (REDUCING, 1.5), (MOVING, 2), (KINDS, 0.7)],
    "mixed": [
        (ELEMENTWISE, 2),
        (REDUCING, 2),
        (MOVING, 3),
        (PRODUCTS, 1),
        (KINDS, 1.5),
        ([sample], 2),
        ([dropout], 0.3),
    ],
    "samples": [([sample], 3), (ELEMENTWISE, 1), (MOVING, 1)],
}


def program(seed: int) -> Program:
    """The program of a seed."""
    g = Generator(seed)
    kind = g.choose(["image", "image", "image", "dense", "dense", "mixed", "mixed", "samples"])
    _begin(g, kind)
    menu = MENUS[kind]
    weights = np.array([weight for _, weight in menu])
    for _ in range(g.integer(2, 9)):
        entries, _weight = menu[int(g.random.choice(len(menu), p=weights / weights.sum()))]
        g.add(g.choose(entries)(g))
    return _ended(g)


def _begin(g: Generator, kind: str) -> None:
    first = None if g.open else (g.extent(5) if kind == "image" else g.extent())
    if kind == "image":
        g.input([first, *_sides(g), max(g.extent(17), 1)])
    elif kind == "dense":
        g.input([first, *([g.extent(9)] if g.chance(0.3) else []), g.extent()])
    else:
        shape = [g.extent(17) for _ in range(g.integer(0, 4))]
        g.input([None, *shape] if g.open else shape)
    if kind == "samples":
        g.dtype = "float32"
        g.input([g.extent(), g.extent(9)])


def _sides(g: Generator) -> list[int | None]:
    sides: list[int | None] = [max(g.extent(16), 1)]
    return [*sides, sides[0] if g.chance(0.6) else max(g.extent(16), 1)]


def _ended(g: Generator) -> Program:
    """Gradients, updates, what is fetched, and how it is run."""
    computed = [v for v in g.values if not v.leaf]
    used = {name for line in g.lines for name in line.needs}
    ends = [v for v in computed if v.floating and v.name.split("[")[0] not in used]
    fetched = [v for v in computed if v.name.split("[")[0] not in used or g.chance(0.25)]
    names = [v.name for v in fetched]
    if g.chance(0.65) and (made := _gradients(g, ends or computed[-1:])):
        names += [f"*{name}" for name in made] if g.chance(0.85) else []
    if g.chance(0.5):
        g.add(update(g))
    return Program(tuple(g.lines), tuple(names), _options(g, computed))


def _gradients(g: Generator, ends: Sequence[Named]) -> list[str]:
    first = g.add(gradient(g, [v for v in ends if v.floating][:4]))
    if not first:
        return []
    made = [first.name.split("[")[0]]
    if g.chance(0.25):
        found = [v for v in g.values if v.name.startswith(made[0] + "[")]
        if second := g.add(gradient(g, found[:2])):
            made.append(second.name.split("[")[0])
    return made


def _options(g: Generator, computed: Sequence[Named]) -> str:
    others = [int(g.choose([0, 1, 2, 5, 8, 16, 33])) for _ in range(g.integer(1, 2))]
    options = [f"sizes={[g.size, *others] if g.open else [g.size]}"]
    fed = g.choose(computed).name if computed and g.chance(0.1) else ""
    options += [f"fed=[{fed}]"] if fed else []
    options += [f"steps={g.integer(2, 3)}"] if g.chance(0.2) else []
    if g.chance(0.2) and not fed:
        options.append("loop=4")
    options += ["threads=2"] if g.chance(0.3) else []
    return ", ".join(options)
