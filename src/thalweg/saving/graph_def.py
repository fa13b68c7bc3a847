"""Graphs as data: `tf.GraphDef`, which JSON can hold.

    {"format": "thalweg.graph", "version": 1, "node": [
    {"name": "x", "op": "Placeholder", "attr": {"dtype": "float32", "shape": [null, 784]}},
    {"name": "y", "op": "Square", "input": ["x"], "source": "train.py:5"}
    ]}

The names are those of TensorFlow's `GraphDef`; the operations and their attributes are Thalweg's.
An input is "x" for the first output of x, "x:1" for its second one, and "^x" if x is to run before.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, ClassVar, TypeVar

from thalweg.base.errors import DataLossError, UnimplementedError
from thalweg.base.record import Record, field
from thalweg.saving.plain import Array, Plain, dump, load

T = TypeVar("T", bound="Message")

MOST_DEPTH = 64  # of bodies in each other


class NodeDef(Record, frozen=False):
    """An operation as data.

    Attributes:
        name: unique in its graph.
        op: the type of the operation, such as "MatMul".
        input: what it reads, and then, with a "^" before each, what is to run before it.
        device: the device string in force where it was made.
        attr: the fields of its record that differ from their defaults, as numbers, strings, arrays,
            lists and dicts; `_output_shapes` has the shapes of the outputs where the graph knows
            more of them than follows from the inputs.
        source: the user's line that made it, as "train.py:12".
    """

    name: str = ""
    op: str = ""
    input: list[str] = field(default_factory=list)
    device: str = ""
    attr: dict[str, Any] = field(default_factory=dict)
    source: str = ""

    def CopyFrom(self, other: NodeDef) -> None:  # noqa: N802  as all that old code calls here
        """Become equal to another one; lists and arrays are shared no more than they must."""
        for name in self.fields:
            setattr(self, name, _copied(getattr(other, name)))

    def to_plain(self) -> dict[str, Plain]:
        """The fields that are not empty."""
        return {name: value for name in self.fields if (value := getattr(self, name))}

    @classmethod
    def of_plain(cls, value: Plain) -> NodeDef:
        """A node from plain data.

        Raises:
            DataLossError: if it is not that of a node.
        """
        made = cls()
        if not isinstance(value, dict) or not value.keys() <= set(cls.fields):
            raise DataLossError("a node is an object with name, op, input, device, attr and source")
        for name, item in value.items():
            if type(item) is not type(getattr(made, name)):
                raise DataLossError(f"{name!r} of a node is a {type(item).__name__}")
            setattr(made, name, item)
        if not made.name or not made.op or not all(isinstance(item, str) for item in made.input):
            raise DataLossError("a node needs a name and an op, and its inputs are strings")
        return made


def _copied(value: Plain) -> Plain:
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return {k: _copied(v) for k, v in value.items()} if isinstance(value, dict) else value


class Nodes(list[NodeDef]):
    """The nodes of a graph, with what old code calls on them."""

    def add(self) -> NodeDef:
        """Append an empty node, and return it."""
        self.append(NodeDef())
        return self[-1]


class Message(Record, frozen=False):
    """What can be turned into JSON and back.

    Class attributes:
        format: the name of the format, which the JSON begins with.
        version: what is written. All versions up to it are read.
    """

    format: ClassVar[str]
    version: ClassVar[int] = 1

    def to_plain(self) -> dict[str, Plain]:
        """As plain data."""
        raise NotImplementedError

    @classmethod
    def of_plain(cls: type[T], value: dict[str, Plain]) -> T:
        """From plain data.

        Raises:
            DataLossError: if it is something else.
        """
        raise NotImplementedError

    def to_json(self, tensors: MutableMapping[str, Array] | None = None) -> str:
        """As JSON.

        Args:
            tensors: takes the large arrays, under new names; if it is None they are written out.
        """
        head = {"format": self.format, "version": self.version}
        return dump(head | self.to_plain(), tensors)

    @classmethod
    def from_json(cls: type[T], data: bytes | str, tensors: Mapping[str, Array] | None = None) -> T:
        """From JSON.

        Args:
            data: any bytes or text.
            tensors: the arrays that are named and not written out.

        Raises:
            DataLossError: if it is something else.
            UnimplementedError: if it is of a later version.
        """
        value = load(data, tensors)
        if not isinstance(value, dict) or value.pop("format", None) != cls.format:
            raise DataLossError(f"this is not JSON of the format {cls.format!r}")
        version = value.pop("version", None)
        if type(version) is not int or not 1 <= version <= cls.version:
            raise UnimplementedError(
                f"{cls.format} has version {version}; this Thalweg reads up to {cls.version}"
            )
        return cls.of_plain(value)

    def SerializeToString(self) -> bytes:  # noqa: N802
        """As bytes: JSON in UTF-8."""
        return self.to_json().encode()

    def ParseFromString(self, serialized: bytes) -> int:  # noqa: N802
        """Become what some bytes say.

        Returns:
            how many bytes there are.

        Raises:
            DataLossError, UnimplementedError: as `from_json` does; UnimplementedError also for a
                protocol buffer of TensorFlow's.
        """
        self.CopyFrom(self.from_json(_without_protobuf(serialized, self.format)))
        return len(serialized)

    @classmethod
    def FromString(cls: type[T], serialized: bytes) -> T:  # noqa: N802
        """What some bytes say; see `ParseFromString`."""
        made = cls()
        made.ParseFromString(serialized)
        return made

    def CopyFrom(self: T, other: T) -> None:  # noqa: N802
        """Become equal to another one, with which it shares the parts."""
        for name in self.fields:
            setattr(self, name, getattr(other, name))

    def __str__(self) -> str:
        return self.to_json()


def _without_protobuf(data: bytes, wanted: str) -> bytes:
    """The bytes, unless they surely are a protocol buffer of TensorFlow's."""
    if data[:1] != b"{":  # a GraphDef in a protocol buffer begins with a line feed
        raise UnimplementedError(
            f"these bytes are not JSON of the format {wanted!r}; if they are a protocol buffer of "
            "TensorFlow's, note that Thalweg does not read these yet"
        )
    return data


class GraphDef(Message, frozen=False):
    """A graph as data.

        graph_def = tf.get_default_graph().as_graph_def()
        for node in graph_def.node:
            print(node.name, node.op, node.input)

    Attributes:
        node: the operations.
    """

    format: ClassVar[str] = "thalweg.graph"
    node: Nodes = field(default_factory=Nodes)

    def CopyFrom(self, other: GraphDef) -> None:  # noqa: N802
        """Become equal to another one, with nodes of its own."""
        nodes = Nodes()
        for node in other.node:
            nodes.add().CopyFrom(node)
        self.node = nodes

    def to_plain(self) -> dict[str, Plain]:
        """As plain data."""
        return {"node": [node.to_plain() for node in self.node]}

    @classmethod
    def of_plain(cls, value: dict[str, Plain]) -> GraphDef:
        """From plain data.

        Raises:
            DataLossError: if it is something else.
        """
        if value.keys() != {"node"}:
            raise DataLossError("a graph is an object with format, version and node")
        return cls(nodes_of(value["node"]))


def nodes_of(value: Plain) -> Nodes:
    """Nodes from plain data.

    Raises:
        DataLossError: if it is no list of nodes.
    """
    if not isinstance(value, list):
        raise DataLossError("the nodes of a graph are a list")
    return Nodes(map(NodeDef.of_plain, value))
