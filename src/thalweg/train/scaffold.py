"""Scaffolds: the operations that a training program needs around its step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from thalweg.graph import default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.control.control import group
from thalweg.ops.host.initialised import report_uninitialized_variables
from thalweg.ops.state.variable_lists import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
)
from thalweg.ops.summaries.merge import merge_all
from thalweg.saving.saver import Saver


class Scaffold:
    """Initialisers, checks, summaries and the saver of a program. What is not given is made.

    Args:
        init_op: gives the global variables their initial values.
        init_feed_dict: feeds for it.
        init_fn: called as `init_fn(scaffold, session)` after `init_op`.
        ready_op: names the variables without a value; the session is ready when there are none.
        ready_for_local_init_op: the same, for `local_init_op` to be run.
        local_init_op: gives the local variables their initial values.
        summary_op: the merged summaries.
        saver: saves the variables.
        copy_from_scaffold: a scaffold whose parts serve where none are given.
        local_init_feed_dict: feeds for `local_init_op`.
    """

    def __init__(
        self,
        init_op: Any = None,
        init_feed_dict: Mapping[Any, Any] | None = None,
        init_fn: Callable[[Scaffold, Any], Any] | None = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        local_init_op: Any = None,
        summary_op: Any = None,
        saver: Saver | None = None,
        copy_from_scaffold: Scaffold | None = None,
        local_init_feed_dict: Mapping[Any, Any] | None = None,
    ) -> None:
        other = copy_from_scaffold
        if other is not None and not isinstance(other, Scaffold):
            raise TypeError("copy_from_scaffold is not a Scaffold instance.")

        def first(given: Any, name: str) -> Any:
            return given if given is not None else getattr(other, name, None)

        self._user_init_fn = init_fn or getattr(other, "_user_init_fn", None)
        self._init_op = first(init_op, "init_op")
        self._init_feed_dict = first(init_feed_dict, "init_feed_dict")
        self._ready_op = first(ready_op, "ready_op")
        self._ready_for_local = first(ready_for_local_init_op, "ready_for_local_init_op")
        self._local_init_op = first(local_init_op, "local_init_op")
        self._local_init_feed_dict = first(local_init_feed_dict, "local_init_feed_dict")
        self._summary_op = first(summary_op, "summary_op")
        self._saver = first(saver, "saver")

    def finalize(self) -> Scaffold:
        """Make what was not given, and make the graph read-only."""
        keys = GraphKeys
        if self._init_op is None:
            self._init_op = self.get_or_default(
                "init_op",
                keys.INIT_OP,
                lambda: group(global_variables_initializer(), local_variables_initializer()),
            )
        if self._ready_op is None:
            self._ready_op = self.get_or_default(
                "ready_op", keys.READY_OP, report_uninitialized_variables
            )
        if self._ready_for_local is None:
            self._ready_for_local = self.get_or_default(
                "ready_for_local_init_op",
                keys.READY_FOR_LOCAL_INIT_OP,
                lambda: report_uninitialized_variables(global_variables()),
            )
        if self._local_init_op is None:
            self._local_init_op = self.get_or_default(
                "local_init_op", keys.LOCAL_INIT_OP, self.default_local_init_op
            )
        if self._summary_op is None:
            self._summary_op = self.get_or_default("summary_op", keys.SUMMARY_OP, merge_all)
        if self._saver is None:
            self._saver = self.get_or_default(
                "saver", keys.SAVERS, lambda: Saver(allow_empty=True, defer_build=True)
            )
        self._saver.build()
        default_graph().finalize()
        return self

    @property
    def init_fn(self) -> Callable[[Any], Any] | None:
        """What to call with the session after `init_op`."""
        user = self._user_init_fn
        return None if user is None else lambda session: user(self, session)

    @property
    def init_op(self) -> Any:
        """Gives the global variables their initial values."""
        return self._init_op

    @property
    def init_feed_dict(self) -> Mapping[Any, Any] | None:
        """Feeds for `init_op`."""
        return self._init_feed_dict  # type: ignore[no-any-return]

    @property
    def ready_op(self) -> Any:
        """Names the variables without a value."""
        return self._ready_op

    @property
    def ready_for_local_init_op(self) -> Any:
        """Names the variables that must have a value before `local_init_op`."""
        return self._ready_for_local

    @property
    def local_init_op(self) -> Any:
        """Gives the local variables their initial values."""
        return self._local_init_op

    @property
    def local_init_feed_dict(self) -> Mapping[Any, Any] | None:
        """Feeds for `local_init_op`."""
        return self._local_init_feed_dict  # type: ignore[no-any-return]

    @property
    def summary_op(self) -> Any:
        """The merged summaries, or None."""
        return self._summary_op

    @property
    def saver(self) -> Any:
        """Saves the variables."""
        return self._saver

    @staticmethod
    def get_or_default(arg_name: str, collection_key: str, default_constructor: Any) -> Any:
        """The element of a collection of the default graph, which is made if there is none.

        Raises:
            RuntimeError: if the collection has several.
        """
        elements = default_graph().get_collection(collection_key)
        if len(elements) > 1:
            raise RuntimeError(
                f"More than one item in the collection {collection_key!r}. Please indicate which "
                f"one to use by passing it to the tf.Scaffold constructor as: "
                f"tf.Scaffold({arg_name}=item to use)"
            )
        if elements:
            return elements[0]
        made = default_constructor()
        if made is not None:
            default_graph().add_to_collection(collection_key, made)
        return made

    @staticmethod
    def default_local_init_op() -> Any:
        """What initialises the local variables."""
        return group(local_variables_initializer())
