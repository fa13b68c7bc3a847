"""Meta graphs: a graph as data, with all that is needed to go on with it.

Beside the operations these are the variables, the collections, the settings of a saver, and what
decides about random numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from thalweg.base.errors import DataLossError
from thalweg.base.record import Record, field
from thalweg.saving.graph_def import GraphDef, Message, nodes_of
from thalweg.saving.plain import Plain
from thalweg.saving.signatures import SignatureDef, fields_of


class MetaInfoDef(Record, frozen=False):
    """What a meta graph says of itself.

    Attributes:
        tags: what it is for, such as "serve".
        thalweg_version: which release of Thalweg wrote it.
    """

    tags: list[str] = field(default_factory=list)
    thalweg_version: str = ""


class RandomDef(Record, frozen=False):
    """What decides about the random numbers of operations that are still to be made.

    Attributes:
        seed: of the graph.
        operations: how many random operations it has.
    """

    seed: int | None = None
    operations: int = 0


class VariableDef(Record, frozen=False):
    """A variable as data: the names of its operations and tensors.

    Attributes:
        variable_name: of the handle's tensor, such as "W:0".
        initializer_name: of the operation that assigns the initial value.
        initial_value_name: of the tensor.
        snapshot_name: of the tensor that reads it.
        trainable: whether optimisers change it by default.
    """

    variable_name: str = ""
    initializer_name: str = ""
    initial_value_name: str = ""
    snapshot_name: str = ""
    trainable: bool = True


class SaverSettings(Record, frozen=False):
    """A `tf.train.Saver` as data.

    Attributes:
        max_to_keep: how many checkpoints it keeps.
        keep_checkpoint_every_n_hours: how often it keeps one for good.
        sharded: accepted for TensorFlow 1.
        version: of the checkpoints, as in `SaverDef`.
        format: "thalweg" or "tensorflow".
        variables: the names of the variables, such as "W:0", by what checkpoints call them.
    """

    max_to_keep: int
    keep_checkpoint_every_n_hours: float
    sharded: bool
    version: int
    format: str
    variables: dict[str, str]


class AssetFileDef(Record, frozen=False):
    """A file that a model needs, and the constant that has its path.

    Attributes:
        tensor_name: of the constant, such as "vocabulary:0".
        filename: in the folder `assets`.
    """

    tensor_name: str
    filename: str


class MetaGraphDef(Message, frozen=False):
    """A graph as data, with all that is needed to go on with it.

    Attributes:
        meta_info_def: what it says of itself.
        graph_def: the operations.
        variable_def: the variables.
        collection_def: by name the elements of each collection: {"tensor": name},
            {"operation": name}, {"variable": name}, a number, a string, or {"bytes": text}.
        saver_def: the settings of a saver.
        signature_def: what it can be called with, by the names of the signatures.
        asset_file_def: the files that it needs.
        random_def: what decides about further random operations.
    """

    format: ClassVar[str] = "thalweg.meta_graph"
    meta_info_def: MetaInfoDef = field(default_factory=MetaInfoDef)
    graph_def: GraphDef = field(default_factory=GraphDef)
    variable_def: list[VariableDef] = field(default_factory=list)
    collection_def: dict[str, list[Plain]] = field(default_factory=dict)
    saver_def: SaverSettings | None = None
    signature_def: dict[str, SignatureDef] = field(default_factory=dict)
    asset_file_def: list[AssetFileDef] = field(default_factory=list)
    random_def: RandomDef = field(default_factory=RandomDef)

    def to_plain(self) -> dict[str, Plain]:
        """As plain data."""
        return {
            "meta_info_def": _plain(self.meta_info_def),
            "random_def": _plain(self.random_def),
            "saver_def": None if self.saver_def is None else _plain(self.saver_def),
            "signature_def": {key: one.to_plain() for key, one in self.signature_def.items()},
            "asset_file_def": list(map(_plain, self.asset_file_def)),
            "variable_def": list(map(_plain, self.variable_def)),
            "collection_def": self.collection_def,
            "node": self.graph_def.to_plain()["node"],
        }

    @classmethod
    def of_plain(cls, value: dict[str, Plain]) -> MetaGraphDef:
        """From plain data.

        Raises:
            DataLossError: if it is something else.
        """
        meta, random, saver, signatures, assets, variables, collections, nodes = fields_of(
            value,
            meta_info_def=dict,
            random_def=dict,
            saver_def=(dict, type(None)),
            signature_def=dict,
            asset_file_def=list,
            variable_def=list,
            collection_def=dict,
            node=list,
        )
        if not all(isinstance(items, list) for items in collections.values()):
            raise DataLossError("a collection is a list")
        made = MetaInfoDef(*fields_of(meta, tags=list, thalweg_version=str))
        _check_all(made.tags, str)
        return cls(
            made,
            GraphDef(nodes_of(nodes)),
            [_variable(one) for one in variables],
            collections,
            None if saver is None else _saver(saver),
            {key: SignatureDef.of_plain(one) for key, one in signatures.items()},
            [AssetFileDef(*fields_of(one, tensor_name=str, filename=str)) for one in assets],
            RandomDef(*fields_of(random, seed=(int, type(None)), operations=int)),
        )


def _plain(record: Record) -> dict[str, Plain]:
    return {name: getattr(record, name) for name in record.fields}


def _variable(value: Plain) -> VariableDef:
    kinds: Mapping[str, Any] = dict.fromkeys(VariableDef.fields[:-1], str) | {"trainable": bool}
    return VariableDef(*fields_of(value, **kinds))


def _saver(value: Plain) -> SaverSettings:
    made = SaverSettings(
        *fields_of(
            value,
            max_to_keep=int,
            keep_checkpoint_every_n_hours=(int, float),
            sharded=bool,
            version=int,
            format=str,
            variables=dict,
        )
    )
    _check_all(made.variables.values(), str)
    return made


def _check_all(items: Iterable[Plain], kind: type) -> None:
    for item in items:
        if not isinstance(item, kind):
            raise DataLossError(f"{item!r} is not a {kind.__name__}")
