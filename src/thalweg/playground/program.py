"""A network's run as a program of its own, which repeats it to the bit.

The program builds the graph of `network.py` in the same order, makes the data and the first weights
from the same seeds, and then does what the journal says: steps, edits, other data.
"""

from __future__ import annotations

import base64
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.base.errors import InvalidArgumentError
from thalweg.playground import generators
from thalweg.playground.journal import Beginning, Edit, Journal, Steps
from thalweg.playground.network import ACTIVATIONS, OPTIMIZERS, Structure
from thalweg.playground.points import DIGITS, Data, points_made

__all__ = ["FORMS", "text"]

Array = NDArray[Any]

# For each form, what it imports, what runs it, and where the digits are.
FORMS = {
    "thalweg": ("thalweg", "python", "thalweg.datasets.mnist"),
    "tensorflow1": ("tensorflow", "thalweg run", "tensorflow.examples.tutorials.mnist.input_data"),
}
FEEDS = "feeds = {inputs: points[train], labels: answers[train]}"
MOST_NUMBERS = 64  # of an array that are written one by one
FEATURES = {
    "x": "x",
    "y": "y",
    "xSquared": "tf.square(x)",
    "ySquared": "tf.square(y)",
    "xTimesY": "x * y",
    "sinX": "tf.sin(x)",
    "sinY": "tf.sin(y)",
}


def text(journal: Journal, form: str) -> str:
    """The program.

    Args:
        journal: what was done.
        form: "thalweg", or "tensorflow1" for one that imports TensorFlow, for `thalweg run`.

    Raises:
        InvalidArgumentError: for another form.
    """
    if form not in FORMS:
        raise InvalidArgumentError(f"form must be one of {', '.join(FORMS)}: {form!r:.40}")
    begun = journal.beginning
    structure = begun.structure
    sections = [
        _heading(begun, form),
        *_generators(journal),
        ["# The data.", *_data(begun.data, form)],
        ["# The values to begin with.", *_first_values(begun)],
        ["# What is fed.", *_placeholders(structure)],
        ["# The network.", *_variables(), "", "", *_function(structure)],
        *_training(structure),
        _evaluation(structure),
        _run(journal, form),
    ]
    blocks = ["\n".join(lines) for lines in sections]
    imports = [line for line in ("base64",) if f"{line}." in "\n".join(blocks)]
    head = "".join(f"import {name}\n\n" for name in imports)
    return "\n\n".join([blocks[0].replace("IMPORTS\n", head), *blocks[1:]]) + "\n"


# -- before the graph


def _heading(begun: Beginning, form: str) -> list[str]:
    module, how, _ = FORMS[form]
    sizes = " - ".join(map(str, begun.structure.sizes))
    lines = [
        f'"""A network of the playground: {begun.data.name}, with {sizes} neurons.',
        "",
        f"`{how} FILE` does what the playground did, to the bit.",
    ]
    if begun.trial is None:
        lines.append(f"It begins with what the network had learned in {begun.step:,} steps.")
    head = [*lines, '"""', "", "IMPORTS", "import numpy as np"]
    if begun.data.name.replace("-", "_") in generators.__all__:
        head.append("from numpy.typing import NDArray")
    return [*head, "", f"import {module} as tf"]


def _generators(journal: Journal) -> Iterator[list[str]]:
    """The functions that make the data."""
    made = [journal.beginning.data, *(e for e in journal.entries if isinstance(e, Data))]
    for name in dict.fromkeys(data.name.replace("-", "_") for data in made):
        if name in generators.__all__:
            yield ["", inspect.getsource(getattr(generators, name))]


def _data(data: Data, form: str) -> list[str]:
    """Makes `points`, `answers`, and which of them are for training."""
    return [
        f"random = np.random.default_rng(list({data.state['seed'].encode()!r}))",
        *(_digits(form) if data.is_images else _rows(data)),
        f"train, test = slice({data.train}), slice({data.train}, None)",
    ]


def _rows(data: Data) -> list[str]:
    name = data.name.replace("-", "_")
    count, noise = points_made(data.state), data.state["noise"] / 100
    made = f"{name}(random, {count}, {noise!r}, {data.state['classes']})"
    if data.name == "own":
        made = _array(np.zeros((0, 3)) if data.own is None else data.own)
    answers = "(1 - 2 * rows[:, 2]).astype(np.float32)"
    if data.classes != 2:
        answers = f"rows[:, 2].astype(np.{'int32' if data.classes else 'float32'})"
    return [
        f"rows = {made}",
        "rows = rows[random.permutation(len(rows))]",
        "points = rows[:, :2].astype(np.float32)",
        f"answers = {answers}",
    ]


def _digits(form: str) -> list[str]:
    return [
        f"from {FORMS[form][2]} import read_data_sets",
        "",
        'digits = read_data_sets("MNIST_data", validation_size=0).test',
        f"order = random.permutation(10_000)[:{DIGITS}]",
        "points, answers = digits.images[order], digits.labels[order].astype(np.int32)",
    ]


def _first_values(begun: Beginning) -> list[str]:
    """Makes `first_weights` and `first_biases`."""
    if begun.trial is None:
        weights = [f"    {_array(array)}," for array in begun.weights]
        biases = [f"    {_array(array)}," for array in begun.biases]
        return ["first_weights = [", *weights, "]", "first_biases = [", *biases, "]"]
    structure, seed = begun.structure, f"{begun.data.state['seed']}/{begun.trial}"
    is_zero = not any(array.any() for array in begun.biases)
    weight, bias = "random.uniform(-0.5, 0.5, shape).astype(np.float32)", 0.1
    if is_zero:
        weight, bias = "np.zeros(shape, np.float32)", 0.0
    return [
        f"sizes = {list(structure.sizes)}",
        f"random = np.random.default_rng(list({seed.encode()!r}))",
        f"first_weights = [{weight} for shape in zip(sizes, sizes[1:])]",
        f"first_biases = [np.full(size, {bias}, np.float32) for size in sizes[1:]]",
    ]


def _array(array: Array) -> str:
    """An expression for an array."""
    kind = f"np.{array.dtype}"
    if array.size <= MOST_NUMBERS:
        numbers = np.array2string(array, separator=", ", floatmode="unique", max_line_width=10**9)
        numbers = "[]" if not array.size else " ".join(numbers.split())
        shaped = f".reshape{array.shape}" if not array.size else ""
        return f"np.array({numbers}, {kind}){shaped}"
    coded = base64.b64encode(array.tobytes()).decode()
    return f'np.frombuffer(base64.b64decode("{coded}"), {kind}).reshape{array.shape}'


# -- the graph


def _placeholders(structure: Structure) -> list[str]:
    width = 2 if structure.features else structure.sizes[0]
    kind = "int32" if structure.has_softmax else "float32"
    lines = [
        f'inputs = tf.placeholder(tf.float32, [None, {width}], name="inputs")',
        f'labels = tf.placeholder(tf.{kind}, [None], name="labels")',
        'offsets = tf.placeholder(tf.int32, [None], name="offsets")',
        'learning_rate = tf.placeholder(tf.float32, [], name="learning_rate")',
    ]
    if structure.regularization != "none":
        lines.append(
            'regularization_rate = tf.placeholder(tf.float32, [], name="regularization_rate")'
        )
    if structure.has_dropout:
        lines.append('keep_prob = tf.placeholder(tf.float32, [], name="keep_prob")')
    return lines


def _variables() -> list[str]:
    return [
        'position = tf.Variable(0, trainable=False, name="position")',
        'weights = [tf.Variable(w, name=f"weights{n}") for n, w in enumerate(first_weights, 1)]',
        'biases = [tf.Variable(b, name=f"biases{n}") for n, b in enumerate(first_biases, 1)]',
    ]


def _function(structure: Structure) -> list[str]:
    """The function `network`, and one for the loss."""
    features = ["value = inputs"]
    if structure.features:
        columns = ", ".join(FEATURES[name] for name in structure.features)
        features = ["x, y = inputs[:, 0], inputs[:, 1]", f"value = tf.stack([{columns}], axis=1)"]
    layers = []
    for n, activation in enumerate(structure.activations):
        total = f"tf.matmul(value, weights[{n}]) + biases[{n}]"
        layers.append(f"value = tf.{ACTIVATIONS[activation]}({total})")
        if structure.has_dropout and n + 1 < structure.layers:
            layers.append("if keep_prob is not None:")
            layers.append(f"    value = tf.nn.dropout(value, keep_prob, seed={n + 1})")
    loss = "0.5 * tf.square(outputs[:, 0] - labels)"
    if structure.has_softmax:
        loss = "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=outputs)"
    more = ", keep_prob=None" if structure.has_dropout else ""
    return [
        f"def network(inputs{more}):",
        *[f"    {line}" for line in (*features, *layers)],
        "    return value",
        "",
        "",
        "def loss_of(outputs, labels):",
        f"    return tf.reduce_mean({loss})",
        "",
    ]


def _training(structure: Structure) -> Iterator[list[str]]:
    """The operation `step`, in a section or two."""
    name, more = OPTIMIZERS[structure.optimizer]
    arguments = "".join(f", {key}={value!r}" for key, value in more.items())
    keep = ", keep_prob" if structure.has_dropout else ""
    yield [
        "# A step, on the next rows: those behind the ones of the last step.",
        "count = tf.shape(inputs)[0]",
        "rows = (position + offsets) % count",
        f"outputs = network(tf.gather(inputs, rows){keep})",
        "loss = loss_of(outputs, tf.gather(labels, rows))",
        f"optimizer = tf.train.{name}(learning_rate{arguments})",
    ]
    yield {"none": _plain_step, "L1": _l1_step, "L2": _l2_step}[structure.regularization]()
    yield [
        "with tf.control_dependencies([update]):",
        "    behind = (position + tf.shape(offsets)[0]) % count",
        '    step = tf.group(update, position.assign(behind), name="train")',
    ]


def _plain_step() -> list[str]:
    return ["update = optimizer.minimize(loss)"]


def _l2_step() -> list[str]:
    return [
        "# L2 takes off a share of what each weight was before the step.",
        "before = [tf.identity(w) for w in weights]",
        "with tf.control_dependencies(before):",
        "    minimize = optimizer.minimize(loss)",
        "by = learning_rate * regularization_rate",
        "with tf.control_dependencies([minimize]):",
        "    update = tf.group(*[w.assign_sub(by * b) for w, b in zip(weights, before)])",
    ]


def _l1_step() -> list[str]:
    return [
        "# L1 takes off the same from all weights; one that crosses 0 by that stays there.",
        "alive = [",
        '    tf.Variable(tf.ones_like(w.initial_value), trainable=False, name=f"alive{n}")',
        "    for n, w in enumerate(weights, 1)",
        "]",
        "before = [tf.identity(w) for w in weights]",
        "with tf.control_dependencies(before):",
        "    minimize = optimizer.minimize(loss)",
        "by = learning_rate * regularization_rate",
        "updates = []",
        "with tf.control_dependencies([minimize]):",
        "    for w, b, a in zip(weights, before, alive):",
        "        off = by * tf.sign(b)",
        "        stepped = w.read_value()",
        "        shrunk = stepped - off",
        "        crosses = tf.less(stepped * shrunk, 0.0)",
        "        moved = tf.where(crosses, tf.zeros_like(shrunk), shrunk)",
        "        lives = tf.greater(a, 0.0)",
        "        still = tf.logical_and(lives, tf.logical_not(crosses))",
        "        updates.append(w.assign(tf.where(lives, moved, b)))",
        "        updates.append(a.assign(tf.cast(still, tf.float32)))",
        "    update = tf.group(*updates)",
    ]


def _evaluation(structure: Structure) -> list[str]:
    prediction = "all_outputs[:, 0]"
    if structure.has_softmax:
        prediction = "tf.argmax(all_outputs, 1, output_type=tf.int32)"
    return [
        "# The loss of all rows, and what they are taken for.",
        "all_outputs = network(inputs)",
        "all_loss = loss_of(all_outputs, labels)",
        f"predictions = {prediction}",
    ]


# -- the run


def _run(journal: Journal, form: str) -> list[str]:
    """What was done, and the losses at the end."""
    begun = journal.beginning
    lines, fed = [FEEDS], dict[str, str]()
    for entry in journal.entries:
        match entry:
            case Steps():
                rates = _rates(entry, begun.structure)
                changed = [(k, v) for k, v in rates.items() if fed.get(k) != v]
                lines += [f"feeds[{key}] = {value}" for key, value in changed]
                lines += _steps(entry.count, form)
                fed = rates
            case Edit():
                lines += _edit(entry)
            case Data():
                lines += ["", "# Other data.", *_data(entry, form), FEEDS]
                fed = {}
    return [
        "with tf.Session() as sess:",
        "    sess.run(tf.global_variables_initializer())",
        *[f"    {line}" if line else "" for line in (*lines, "", *_report(begun.structure))],
    ]


def _rates(entry: Steps, structure: Structure) -> dict[str, str]:
    """What is fed besides the data."""
    fed = {
        "offsets": f"np.arange({entry.batch}, dtype=np.int32)",
        "learning_rate": repr(entry.learning),
    }
    if structure.regularization != "none":
        fed["regularization_rate"] = repr(entry.regularization)
    if structure.has_dropout:
        fed["keep_prob"] = repr(entry.keep)
    return fed


def _steps(count: int, form: str) -> list[str]:
    if form == "thalweg":
        return [f"sess.run_steps(step, {count}, feeds)"]
    return [f"for _ in range({count}):", "    sess.run(step, feeds)"]


def _edit(entry: Edit) -> list[str]:
    variable = f"{'weights' if len(entry.place) == 2 else 'biases'}[{entry.layer - 1}]"
    place = ", ".join(map(str, entry.place))
    return [
        f"value = sess.run({variable})",
        f"value[{place}] = {entry.value!r}",
        f"{variable}.load(value, sess)",
    ]


def _report(structure: Structure) -> list[str]:
    """Prints the losses, and how many rows are classified correctly."""
    right = {
        0: "",
        2: ", {np.mean((found < 0) == (wanted < 0)):.1%} correct",
    }.get(structure.classes, ", {np.mean(found == wanted):.1%} correct")
    return [
        'for name, part in ("training", train), ("test", test):',
        "    wanted = answers[part]",
        "    feeds = {inputs: points[part], labels: wanted}",
        "    value, found = sess.run([all_loss, predictions], feeds)",
        f'    print(f"{{name}} loss {{value}}{right}")',
    ]
