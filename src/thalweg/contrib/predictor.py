"""Functions that answer with what a saved model says: TensorFlow 1's `tf.contrib.predictor`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import Graph, Tensor
from thalweg.graph import calls as _calls
from thalweg.saved_model import loader, tag_constants
from thalweg.saved_model.signature_constants import DEFAULT_SERVING_SIGNATURE_DEF_KEY
from thalweg.saving.signatures import SignatureDef, TensorInfo
from thalweg.session.config import ConfigProto
from thalweg.session.session import Session

__all__ = ["Predictor", "from_saved_model"]


class Predictor:
    """What a signature computes, as a function of a dict of arrays.

    Attributes:
        session: with the values of the variables.
        feed_tensors: the inputs by the names of the signature.
        fetch_tensors: the outputs, likewise.
    """

    def __init__(
        self,
        session: Session,
        feed_tensors: Mapping[str, Tensor],
        fetch_tensors: Mapping[str, Tensor],
    ) -> None:
        self.session = session
        self.feed_tensors, self.fetch_tensors = dict(feed_tensors), dict(fetch_tensors)

    @property
    def graph(self) -> Graph:
        """The graph of the session."""
        return self.session.graph

    def __call__(self, input_dict: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs for some inputs.

        Args:
            input_dict: the inputs by the names of the signature.

        Raises:
            InvalidArgumentError: for a name that is not in the signature.
        """
        if unknown := input_dict.keys() - self.feed_tensors.keys():
            raise InvalidArgumentError(
                f"the signature has no input {min(unknown)!r}; it has {sorted(self.feed_tensors)}"
            )
        feeds = {self.feed_tensors[name]: value for name, value in input_dict.items()}
        made: dict[str, Any] = self.session.run(self.fetch_tensors, feeds)
        return made


def from_saved_model(
    export_dir: str | os.PathLike[str],
    signature_def_key: str | None = None,
    signature_def: SignatureDef | None = None,
    input_names: Mapping[str, str] | None = None,
    output_names: Mapping[str, str] | None = None,
    tags: str | Collection[str] | None = None,
    graph: Graph | None = None,
    config: ConfigProto | None = None,
) -> Predictor:
    """A function that answers with what a saved model says, in a session of its own.

        predict = tf.contrib.predictor.from_saved_model("models/1")
        predict({"x": images})["y"]

    Args:
        export_dir: the folder of the model.
        signature_def_key: the name of the signature; "serving_default" if not given.
        signature_def: the signature itself, in place of a name.
        input_names: names of tensors by the names to feed them by, in place of a signature.
        output_names: likewise, of what is fetched.
        tags: of the graph, with commas between them or as a list; "serve" if not given.
        graph: to load the model into; a new one if None.
        config: of the session.

    Raises:
        NotFoundError: if there is no saved model, or no graph of these tags.
        InvalidArgumentError: if there is no such signature.
        DataLossError: if the model is damaged.
    """
    chosen = tags.split(",") if isinstance(tags, str) else tags or [tag_constants.SERVING]
    session = Session(graph=graph or Graph(), config=config)
    meta = loader.load(session, chosen, export_dir)
    if input_names is not None and output_names is not None:
        names = input_names, output_names
    else:
        key = signature_def_key or DEFAULT_SERVING_SIGNATURE_DEF_KEY
        signature = signature_def or _signature(meta.signature_def, key)
        names = _names(signature.inputs), _names(signature.outputs)
    inputs, outputs = ({k: _tensor(session, v) for k, v in one.items()} for one in names)
    return Predictor(session, inputs, outputs)


def _signature(signatures: Mapping[str, SignatureDef], key: str) -> SignatureDef:
    if key not in signatures:
        raise InvalidArgumentError(
            f"the model has no signature {key!r}; it has {sorted(signatures)}"
        )
    return signatures[key]


def _names(infos: Mapping[str, TensorInfo]) -> dict[str, str]:
    return {key: info.name for key, info in infos.items()}


def _tensor(session: Session, name: str) -> Tensor:
    return session.graph.get_tensor_by_name(name)


_calls.explain_errors(globals(), __all__)
