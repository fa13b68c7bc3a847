"""Take the logarithm of a softmax, a sigmoid or an exponential from the logits; and its gradient.

    log(exp(u))        ->  u
    log(exp(u) / s)    ->  u - log(s)
    log(sigmoid(z))    ->  -softplus(-z)
    log(1 - sigmoid(z))->  -softplus(z)

A probability may round to 0, where a logarithm and its gradient `dy / p` are infinite or NaN. On
the way back to the logits that gradient is multiplied by p again, and the two must cancel before
they are computed:

    p = e / s      e' = (dy / p) / s  ...      u' = e' * e     ->     u' = dy ...

So a tensor that holds such a quotient is also known as a sum of **terms**, `factor * e ** -1 * s`,
that products and sums are formed with. What all divisors have gone from is computed from its terms;
what still has one is computed as it stands, for whoever asks for the gradient by p itself.

Each form above is a rule about some classes of records, which it asks for, as in `simplify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from thalweg.base.record import Record
from thalweg.base.shapes import known
from thalweg.graph import Operation, Tensor, default_graph
from thalweg.ops.arrays.broadcast import Broadcast, BroadcastLike, DynamicBroadcast, SumTo
from thalweg.ops.arrays.constant import constant_of
from thalweg.ops.arrays.reshape import SameElements, Transpose
from thalweg.ops.arrays.slicing import Slice, SliceGrad, StridedSlice
from thalweg.ops.build import constant_like, emit
from thalweg.ops.elementwise.arithmetic import Add, Mul, Neg, Sub
from thalweg.ops.elementwise.conversion import Cast
from thalweg.ops.elementwise.division import Div, Reciprocal
from thalweg.ops.elementwise.exponential import Exp, Log, LogGrad, Sigmoid, Softplus
from thalweg.passes.deduplicate import duplicates
from thalweg.passes.plan import Plan
from thalweg.passes.rebuild import Rebuild, needed, rebuild

DATA_MOVEMENT = (
    SameElements,
    Transpose,
    Broadcast,
    BroadcastLike,
    DynamicBroadcast,
    Slice,
    StridedSlice,
    Cast,
)
_MAX_TERMS = 64  # terms; more are not worth the trouble
_MAX_DEPTH = 16  # operations that a factor is looked for behind


def stable_logs(plan: Plan) -> Plan:
    """Rewrite logarithms of exponentials, and the gradients that come from them.

    Log(Exp(u) / s)              ->  u - Log(s)
    LogGrad(dy, Exp(u)) * Exp(u) ->  dy
    LogGrad(dy, x)               ->  dy / x                   for all that is left
    """
    logs = (Log, LogGrad)
    ops = needed(plan)
    if not any(isinstance(op.record, logs) for op in ops):
        return plan
    return rebuild(plan, _Rewriter().step, duplicates(ops))


def under_logs(ops: Iterable[Operation]) -> set[Operation]:
    """The exponentials that logarithms are to be taken of, which must not be folded before."""
    arguments = [op.inputs[-1] for op in ops if isinstance(op.record, Log | LogGrad)]
    found: set[Operation] = set()
    while arguments:
        x = _unmoved(arguments.pop())
        if has_stable_log(x):
            if isinstance(x.op.record, Div):
                arguments += x.op.inputs
            else:
                found.add(x.op.inputs[1].op if isinstance(x.op.record, Sub) else x.op)
    return found


# -- logarithms


def has_stable_log(x: Tensor) -> bool:
    """Whether a tensor is a known function of an exponential."""
    x = _unmoved(x)
    record = x.op.record
    if isinstance(record, Div):
        return isinstance(_unmoved(x.op.inputs[0]).op.record, Exp)
    return isinstance(record, Exp | Sigmoid) or _is_complement(x)


def _unmoved(x: Tensor) -> Tensor:
    while isinstance(x.op.record, DATA_MOVEMENT) and x.dtype.is_floating:
        x = x.op.inputs[0]
    return x


def _is_complement(x: Tensor) -> bool:
    """Whether it is `1 - sigmoid(z)`."""
    if not isinstance(x.op.record, Sub):
        return False
    one, sigmoid = x.op.inputs
    return isinstance(sigmoid.op.record, Sigmoid) and _is_one(_unmoved(one))


def _is_one(x: Tensor) -> bool:
    constant = constant_of(x)
    return constant is not None and not constant.planned and bool(np.all(constant.array == 1))


def _log(x: Tensor) -> Tensor:
    """The logarithm in its stable form, if the tensor has one."""
    record, inputs = x.op.record, x.op.inputs
    if not has_stable_log(x):
        return Log.of(x)
    if isinstance(record, DATA_MOVEMENT):
        return emit(record, _log(inputs[0]), *inputs[1:])
    if isinstance(record, Exp):
        return inputs[0]
    if isinstance(record, Sigmoid):
        return Neg.of(Softplus.of(Neg.of(inputs[0])))
    if isinstance(record, Sub):
        return Neg.of(Softplus.of(inputs[1].op.inputs[0]))
    numerator, denominator = inputs
    return Sub.of(_log(numerator), _log_below(denominator))


def _log_below(x: Tensor) -> Tensor:
    """The logarithm of a denominator, taken before it is broadcast."""
    record, inputs = x.op.record, x.op.inputs
    return emit(record, _log_below(inputs[0])) if isinstance(record, Broadcast) else _log(x)


# -- terms


class Term(Record, eq=False):
    """A product: `sign * factor * atom ** power * ...`; a factor of None is 1."""

    sign: int
    factor: Tensor | None
    powers: Mapping[Tensor, int]

    def __mul__(self, other: Term) -> Term:
        powers = {a: self.powers.get(a, 0) + other.powers.get(a, 0) for a in _atoms(self, other)}
        left = {atom: power for atom, power in powers.items() if power}
        return Term(self.sign * other.sign, _product(self.factor, other.factor), left)

    def __neg__(self) -> Term:
        return Term(-self.sign, self.factor, self.powers)


Terms = Sequence[Term]


def _atoms(*terms: Term) -> dict[Tensor, None]:
    return dict.fromkeys(atom for term in terms for atom in term.powers)


def _whole(x: Tensor) -> Term:
    """A tensor as a factor; signs are kept apart, so that two of them cancel."""
    sign = 1
    while isinstance(x.op.record, Neg):
        sign, x = -sign, x.op.inputs[0]
    return Term(sign, x, {})


def _product(x: Tensor | None, y: Tensor | None) -> Tensor | None:
    if x is None or y is None:
        return y if x is None else x
    return Mul.of(x, y)


def _quotient(x: Term, y: Term) -> Term:
    made = x * Term(y.sign, None, {atom: -power for atom, power in y.powers.items()})
    if y.factor is None:
        return made
    factor = Reciprocal.of(y.factor) if x.factor is None else Div.of(x.factor, y.factor)
    return Term(made.sign, factor, made.powers)


def _collected(terms: Terms) -> Terms:
    """The terms with those of equal powers added up."""
    found: dict[object, Term] = {}
    for n, term in enumerate(terms):
        powers = frozenset(term.powers.items())
        other = found.get(powers)
        if other is None or other.factor is None or term.factor is None:
            found[powers if other is None else (powers, n)] = term
        else:
            add = Add if term.sign == other.sign else Sub
            factor = add.of(other.factor, term.factor)
            found[powers] = Term(other.sign, factor, other.powers)
    return list(found.values())


def _ones(like: Tensor) -> Tensor:
    one = constant_like(default_graph(), np.ones((), like.dtype.numpy))
    return emit(Broadcast(known(like.static_shape)), one)


def _value(atom: Tensor) -> Tensor:
    """An atom, accurate also where it is small."""
    if _is_complement(atom):
        return Sigmoid.of(Neg.of(atom.op.inputs[1].op.inputs[0]))
    return atom


class _Rewriter:
    """What is known of the new graph's tensors.

    Attributes:
        terms: of those that have come from the gradient of a stable logarithm.
        atoms: what terms are made of beside their factors.
        divisors: those among them that may be 0, and must not be divided by.
    """

    def __init__(self) -> None:
        self.terms: dict[Tensor, Terms] = {}
        self.atoms: set[Tensor] = set()
        self.divisors: set[Tensor] = set()
        self._found: dict[Tensor, Terms] = {}  # of what was split, for the present atoms
        self._moved_atoms: dict[tuple[object, ...], Tensor] = {}
        self._rules: dict[type, Callable[[Operation, tuple[Tensor, ...]], Terms | None]] = {
            LogGrad: self._log_grad,
            Neg: self._neg,
            Add: self._add,
            Sub: self._add,
            Mul: self._mul,
            Div: self._div,
        }

    def step(
        self, new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor] | None:
        is_gradient = isinstance(op.record, LogGrad)
        if isinstance(op.record, Log) and has_stable_log(inputs[0]):
            with new.graph.name_scope(op.name):
                return (_log(inputs[0]),)
        if not is_gradient and self.terms.keys().isdisjoint(inputs):
            return None
        rule = self._rules.get(type(op.record), self._move)
        with new.graph.name_scope(op.name):
            terms = rule(op, inputs)
            if terms is None and not is_gradient:
                return None
            if terms is not None and not self._is_open(terms):
                made = self._computed(terms, op.outputs[0])
            elif is_gradient:
                made = Div.of(*inputs)
            else:
                made = emit(op.record, *inputs)
        if terms is not None:
            self.terms.setdefault(made, terms)
        return (made,)

    def _is_open(self, terms: Terms) -> bool:
        """Whether something is divided by what may be 0."""
        return any(p < 0 and atom in self.divisors for t in terms for atom, p in t.powers.items())

    def _any_open(self, inputs: Iterable[Tensor]) -> bool:
        return any(self._is_open(self.terms.get(x, ())) for x in inputs)

    def _computed(self, terms: Terms, like: Tensor) -> Tensor:
        """The sum of the terms, of the shape and dtype of a tensor."""
        total: Tensor | None = None
        for term in terms:
            value = self._product(term)
            if value is None:
                value = _ones(like)
            if total is None:
                total = Neg.of(value) if term.sign < 0 else value
            else:
                total = (Sub if term.sign < 0 else Add).of(total, value)
        assert total is not None
        return total

    def _product(self, term: Term) -> Tensor | None:
        """The term without its sign; None if it is 1."""
        value = term.factor
        for atom, power in term.powers.items():
            for _ in range(power):
                value = _product(value, _value(atom))
        for atom, power in term.powers.items():
            for _ in range(-power):
                value = Reciprocal.of(atom) if value is None else Div.of(value, atom)
        return value

    # -- rules: the terms of an operation's result; None if it has none

    def _log_grad(self, op: Operation, inputs: tuple[Tensor, ...]) -> Terms | None:
        dy, x = inputs
        if not has_stable_log(x):
            return None
        inverse = Term(1, None, {atom: -power for atom, power in self._argument(x).items()})
        return [term * inverse for term in self._split(dy)]

    def _neg(self, op: Operation, inputs: tuple[Tensor, ...]) -> Terms | None:
        return [-term for term in self._known(inputs[0])]

    def _add(self, op: Operation, inputs: tuple[Tensor, ...]) -> Terms | None:
        if not self._any_open(inputs):
            return None
        x, y = (self._known(tensor) for tensor in inputs)
        return _collected([*x, *(y if isinstance(op.record, Add) else [-term for term in y])])

    def _mul(self, op: Operation, inputs: tuple[Tensor, ...]) -> Terms | None:
        if not self._any_open(inputs):
            return None
        x, y = map(self._split, inputs)
        return _collected([a * b for a in x for b in y]) if len(x) * len(y) <= _MAX_TERMS else None

    def _div(self, op: Operation, inputs: tuple[Tensor, ...]) -> Terms | None:
        x, y = inputs
        if not self._any_open([x]):
            return None
        below = self._split(y)
        if len(below) > 1 or self._any_open([y]):
            return None
        return [_quotient(term, below[0]) for term in self.terms[x]]

    def _move(self, op: Operation, inputs: tuple[Tensor, ...]) -> Terms | None:
        """The adjoint of a move passes through a quotient by what was moved.

        SumTo(dy / Broadcast(p))  ->  SumTo(dy) / p
        """
        terms = self.terms.get(inputs[0])
        moving = isinstance(op.record, (SumTo, SliceGrad, *DATA_MOVEMENT))
        if terms is None or not moving or not (self._is_open(terms) or _is_sum(op, terms)):
            return None
        moved = [self._moved(term, op, inputs[1:]) for term in terms]
        return None if None in moved else [term for term in moved if term is not None]

    def _moved(self, term: Term, op: Operation, others: tuple[Tensor, ...]) -> Term | None:
        factor, powers = term.factor, Term(1, None, {})
        for atom, power in term.powers.items():
            inner = atom if _keeps_places(op) else _moved_by_adjoint(atom, op)
            if inner is not None:
                powers *= Term(1, None, {self._atom(inner, atom in self.divisors): power})
            elif isinstance(op.record, DATA_MOVEMENT):
                powers *= Term(1, None, {self._moved_atom(atom, op, others): power})
            elif power > 0 or atom not in self.divisors:
                factor = self._product(Term(1, factor, {atom: power}))
            else:
                return None
        if factor is None:
            return None
        return Term(term.sign, emit(op.record, factor, *others), powers.powers)

    # -- tensors as terms

    def _known(self, x: Tensor) -> Terms:
        return self.terms.get(x) or [_whole(x)]

    def _argument(self, x: Tensor) -> dict[Tensor, int]:
        """The argument of a stable logarithm, as atoms and their powers."""
        record, inputs = x.op.record, x.op.inputs
        if isinstance(record, DATA_MOVEMENT):
            inner = self._argument(inputs[0])
            return {self._moved_atom(a, x.op, inputs[1:]): p for a, p in inner.items()}
        if not isinstance(record, Div):
            return {self._atom(x, True): 1}
        above, below = self._argument(inputs[0]), {inputs[1]: 1}
        if has_stable_log(inputs[1]):
            below = self._argument(inputs[1])
        else:
            self._atom(inputs[1], False)
        powers = Term(1, None, above) * Term(1, None, {atom: -p for atom, p in below.items()})
        return dict(powers.powers)

    def _atom(self, x: Tensor, is_divisor: bool) -> Tensor:
        if x not in self.atoms:
            self.atoms.add(x)
            self._found.clear()
        if is_divisor:
            self.divisors.add(x)
        return x

    def _moved_atom(self, atom: Tensor, op: Operation, others: tuple[Tensor, ...]) -> Tensor:
        """An atom moved as an operation of the old or new graph does; always the same tensor."""
        key = (op.record, atom, others)
        if key not in self._moved_atoms:
            own = op.outputs[0] if op.inputs[0] is atom else emit(op.record, atom, *others)
            self._moved_atoms[key] = self._atom(own, atom in self.divisors)
        return self._moved_atoms[key]

    def _split(self, x: Tensor, depth: int = _MAX_DEPTH) -> Terms:
        """A tensor as terms in which atoms stand apart."""
        if x in self.atoms or _is_complement(x):
            return [Term(1, None, {self._atom(x, x in self.divisors): 1})]
        if x in self.terms:
            return self.terms[x]
        if x not in self._found:
            made = self._parts(x, depth)
            self._found[x] = made if made and len(made) <= _MAX_TERMS else [_whole(x)]
        return self._found[x]

    def _parts(self, x: Tensor, depth: int) -> Terms:
        """The terms of an operation's result, by those of its inputs; none if it has no atoms."""
        record = x.op.record
        if not depth or not isinstance(record, (*_ARITHMETIC, *DATA_MOVEMENT)):
            return ()
        parts = [self._split(t, depth - 1) for t in x.op.inputs[: _arity(record)]]
        if not any(term.powers for part in parts for term in part):
            return ()
        if isinstance(record, DATA_MOVEMENT):
            return [self._split_move(term, x.op) for term in parts[0]]
        return _combined(record, parts)

    def _split_move(self, term: Term, op: Operation) -> Term:
        others = op.inputs[1:]
        factor = None if term.factor is None else emit(op.record, term.factor, *others)
        powers = {self._moved_atom(atom, op, others): p for atom, p in term.powers.items()}
        return Term(term.sign, factor, powers)


_ARITHMETIC = (Neg, Add, Sub, Mul, Div)


def _arity(record: object) -> int:
    """How many of the inputs are values, and not shapes."""
    return 1 if isinstance(record, DATA_MOVEMENT) else 2


def _combined(record: object, parts: Sequence[Terms]) -> Terms:
    """What an operation makes of terms; nothing if that is no sum of terms."""
    if isinstance(record, Neg):
        return [-term for term in parts[0]]
    x, y = parts
    if isinstance(record, Mul):
        return _collected([a * b for a in x for b in y]) if len(x) * len(y) <= _MAX_TERMS else ()
    if isinstance(record, Div):
        return [_quotient(term, y[0]) for term in x] if len(y) == 1 else ()
    return _collected([*x, *(y if isinstance(record, Add) else [-term for term in y])])


def _is_sum(op: Operation, terms: Terms) -> bool:
    """Whether it sums quotients: the divisor is better taken out."""
    quotients = any(power < 0 for term in terms for power in term.powers.values())
    return isinstance(op.record, SumTo) and quotients


def _keeps_places(op: Operation) -> bool:
    """Whether each element stays where it is, as where a fixed batch meets an open one."""
    source, target = (known(t.static_shape) for t in (op.inputs[0], op.outputs[0]))
    return isinstance(op.record, SumTo | Broadcast | SameElements) and source == target


def _moved_by_adjoint(atom: Tensor, op: Operation) -> Tensor | None:
    """What an atom was moved from, if the operation is the adjoint of that move."""
    move, adjoint = atom.op.record, op.record
    if not atom.op.inputs:
        return None
    inner, target = atom.op.inputs[0], known(op.outputs[0].static_shape)
    if known(inner.static_shape) != target:
        return None
    fits = (
        (isinstance(move, SameElements) and isinstance(adjoint, SameElements))
        or (isinstance(move, Broadcast) and isinstance(adjoint, SumTo))
        or (isinstance(move, Cast) and adjoint == Cast(inner.dtype))
    )
    if isinstance(move, Slice) and isinstance(adjoint, SliceGrad):
        fits = (move.begins, move.strides) == (adjoint.begins, adjoint.strides)
    if isinstance(move, Transpose) and isinstance(adjoint, Transpose):
        (back,) = move.grad(atom.op, atom)[:1]
        fits = back is not None and back.op.record == adjoint
    return inner if fits else None
