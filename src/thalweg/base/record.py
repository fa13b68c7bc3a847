"""Classes that are just their fields, and quick to define.

They are written as dataclasses are, and type checkers know them as such. But `dataclass` compiles
four to six methods for every class, which takes it 0.7 ms, whether the class will be used or not.
There are over two hundred records here, and importing them must be quick: all that is compiled for
one is its `__init__`, when the first object is made.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Signature, get_annotations, signature
from operator import attrgetter
from typing import Any, ClassVar, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")
R = TypeVar("R", bound="Record")


class _Factory:
    """What makes the default of a field anew for every object."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __repr__(self) -> str:
        return f"{getattr(self.make, '__name__', 'made')}()"


class _Signature:
    """What `help` shows as the arguments of a record's class."""

    def __get__(self, record: Record | None, cls: type[Record]) -> Signature:
        _, *fields = signature(_compiled_init(cls)).parameters.values()
        return Signature(fields)


def field(*, default_factory: Callable[[], T]) -> T:
    """A field whose default is made anew for every object, such as an empty list."""
    made: Any = _Factory(default_factory)
    return made  # type: ignore[no-any-return]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """An object whose annotated attributes are the arguments of its class, in order.

    Two are equal if they are of one class and have equal fields.

    Class attributes:
        fields: their names.
        remembered: cached properties that are kept on disk with the fields: they take long to find.

    Class arguments:
        frozen: whether the attributes stay as they are once it is made.
        eq: whether equal fields make equal objects; if not, each is equal to itself alone.
    """

    __signature__ = _Signature()
    fields: ClassVar[tuple[str, ...]] = ()
    remembered: ClassVar[tuple[str, ...]] = ()
    _values: ClassVar[Any]  # a function that takes an object: what it is compared by

    def __init_subclass__(cls, *, frozen: bool = True, eq: bool = True) -> None:
        """Collect the fields: annotations that are not class variables."""
        own = [name for name, kind in get_annotations(cls).items() if "ClassVar" not in str(kind)]
        cls.fields = tuple(dict.fromkeys((*cls.fields, *own)))
        methods: dict[str, Any] = {"__match_args__": cls.fields}
        methods["_values"] = staticmethod(attrgetter(*cls.fields) if cls.fields else type)
        if "__init__" not in cls.__dict__:
            methods["__init__"] = Record.__init__
        if not frozen:
            methods |= {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
            methods |= {"__hash__": None}
        if not eq:
            methods |= {"__eq__": object.__eq__, "__hash__": object.__hash__}
        for name, method in methods.items():
            setattr(cls, name, method)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        own: Any = type(self)  # this is the first object of the class
        own.__init__ = _compiled_init(own)
        own.__init__(self, *args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values(self) == self._values(other)

    def __hash__(self) -> int:
        return hash((type(self), self._values(self)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.fields)
        return f"{type(self).__name__}({shown})"


def _compiled_init(cls: type[Record]) -> Callable[..., None]:
    """`def __init__(self, a, b=default): ...`, which sets the fields a, b and so on."""
    scope: dict[str, Any] = {"put": object.__setattr__}
    parameters, body = ["self"], ["pass"]
    for name in cls.fields:
        default, value = f"default_{name}", name
        if hasattr(cls, name):
            scope[default] = getattr(cls, name)
        parameters.append(f"{name}={default}" if default in scope else name)
        if isinstance(scope.get(default), _Factory):
            value = f"{default}.make() if {name} is {default} else {name}"
        body.append(f"put(self, {name!r}, {value})")
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(body), scope)
    made: Callable[..., None] = scope["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def astuple(record: Record) -> tuple[Any, ...]:
    """The values of a record's fields."""
    return tuple([getattr(record, name) for name in record.fields])


def replace(record: R, **changes: Any) -> R:
    """A record like another but for some fields."""
    return type(record)(**{name: getattr(record, name) for name in record.fields} | changes)
