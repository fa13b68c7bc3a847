"""What `profile` is asked: TensorFlow 1's options, which are a dict, and what builds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.base.record import Record

__all__ = ["Options", "ProfileOptionBuilder"]

_TRAINABLE = "_trainable_variables"  # the type by which TensorFlow knows them

_DEFAULTS: dict[str, Any] = {
    "max_depth": 10000,
    "min_bytes": 1,
    "min_micros": 1,
    "min_params": 0,
    "min_float_ops": 0,
    "min_occurrence": 0,
    "order_by": "name",
    "account_type_regexes": [".*"],
    "start_name_regexes": [".*"],
    "trim_name_regexes": [],
    "show_name_regexes": [".*"],
    "hide_name_regexes": [],
    "account_displayed_op_only": False,
    "select": ["micros", "bytes"],
    "step": -1,
    "output": "stdout",
}


class Options(Record):
    """The options that have an effect; for their meaning see `ProfileOptionBuilder`."""

    max_depth: int
    min_bytes: int
    min_micros: int
    min_params: int
    min_float_ops: int
    min_occurrence: int
    order_by: str
    account_type_regexes: Sequence[str]
    start_name_regexes: Sequence[str]
    trim_name_regexes: Sequence[str]
    show_name_regexes: Sequence[str]
    hide_name_regexes: Sequence[str]
    account_displayed_op_only: bool
    select: Sequence[str]
    step: int
    output: str

    @staticmethod
    def of(given: Mapping[str, Any] | None) -> Options:
        """The options in a dict; what it does not say is as for `time_and_memory`."""
        known = {name: value for name, value in (given or {}).items() if name in _DEFAULTS}
        return Options(**{**_DEFAULTS, **known})


class ProfileOptionBuilder:
    """Builds options for `profile`.

        ProfileOptionBuilder(ProfileOptionBuilder.time_and_memory()).with_max_depth(2).build()

    Args:
        options: to begin with.
    """

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = {**_DEFAULTS, **(options or {})}

    @staticmethod
    def trainable_variables_parameter() -> dict[str, Any]:
        """For the numbers of parameters."""
        changes = {"account_type_regexes": [_TRAINABLE], "select": ["params"]}
        return {**_DEFAULTS, **changes, "min_bytes": 0, "min_micros": 0}

    @staticmethod
    def float_operation() -> dict[str, Any]:
        """For floating-point operations."""
        changes = {"min_float_ops": 1, "select": ["float_ops"], "order_by": "float_ops"}
        return {**_DEFAULTS, **changes, "min_bytes": 0, "min_micros": 0}

    @staticmethod
    def time_and_memory(
        min_micros: int = 1,
        min_bytes: int = 1,
        min_accelerator_micros: int = 0,
        min_cpu_micros: int = 0,
        min_peak_bytes: int = 0,
        min_residual_bytes: int = 0,
        min_output_bytes: int = 0,
    ) -> dict[str, Any]:
        """For the time and the memory of a run; those after the first two have no effect."""
        return {**_DEFAULTS, "min_micros": min_micros, "min_bytes": min_bytes}

    def with_max_depth(self, max_depth: int) -> ProfileOptionBuilder:
        """Show so many levels of the tree."""
        return self._with(max_depth=max_depth)

    def with_min_memory(
        self, min_bytes: int = 0, *others: int, **more: int
    ) -> ProfileOptionBuilder:
        """Show what has outputs of so many bytes; other arguments have no effect."""
        return self._with(min_bytes=min_bytes)

    def with_min_execution_time(
        self, min_micros: int = 0, min_accelerator_micros: int = 0, min_cpu_micros: int = 0
    ) -> ProfileOptionBuilder:
        """Show what takes so long, in microseconds; the later arguments have no effect."""
        return self._with(min_micros=min_micros)

    def with_min_parameters(self, min_params: int) -> ProfileOptionBuilder:
        """Show what has so many parameters."""
        return self._with(min_params=min_params)

    def with_min_occurrence(self, min_occurrence: int) -> ProfileOptionBuilder:
        """Show groups of so many operations."""
        return self._with(min_occurrence=min_occurrence)

    def with_min_float_operations(self, min_float_ops: int) -> ProfileOptionBuilder:
        """Show what takes so many floating-point operations."""
        return self._with(min_float_ops=min_float_ops)

    def with_accounted_types(self, account_type_regexes: Sequence[str]) -> ProfileOptionBuilder:
        """Count operations whose types match; `_trainable_variables` is a type, too."""
        return self._with(account_type_regexes=list(account_type_regexes))

    def with_node_names(
        self,
        start_name_regexes: Sequence[str] | None = None,
        show_name_regexes: Sequence[str] | None = None,
        hide_name_regexes: Sequence[str] | None = None,
        trim_name_regexes: Sequence[str] | None = None,
    ) -> ProfileOptionBuilder:
        """Start the tree at names that match, show those, hide those, or end it at those."""
        given = {
            "start_name_regexes": start_name_regexes,
            "show_name_regexes": show_name_regexes,
            "hide_name_regexes": hide_name_regexes,
            "trim_name_regexes": trim_name_regexes,
        }
        return self._with(**{name: list(v) for name, v in given.items() if v is not None})

    def account_displayed_op_only(self, is_true: bool) -> ProfileOptionBuilder:
        """Whether totals are those of what is shown."""
        return self._with(account_displayed_op_only=is_true)

    def with_empty_output(self) -> ProfileOptionBuilder:
        """Print nothing."""
        return self._with(output="none")

    def with_stdout_output(self) -> ProfileOptionBuilder:
        """Print the report."""
        return self._with(output="stdout")

    def with_file_output(self, outfile: str) -> ProfileOptionBuilder:
        """Write the report to a file."""
        return self._with(output=f"file:outfile={outfile}")

    def with_timeline_output(self, timeline_file: str) -> ProfileOptionBuilder:
        """Write a picture of the run to a file; see `timeline`."""
        return self._with(output=f"timeline:outfile={timeline_file}")

    def with_step(self, step: int) -> ProfileOptionBuilder:
        """Use the run that was added for this step; -1 for the latest."""
        return self._with(step=step)

    def order_by(self, attribute: str) -> ProfileOptionBuilder:
        """Order by "name", "micros", "bytes", "params", "float_ops" or "occurrence"."""
        return self._with(order_by=attribute)

    def select(self, attributes: Sequence[str]) -> ProfileOptionBuilder:
        """Show some of "micros", "bytes", "params", "float_ops" and "occurrence"."""
        return self._with(select=list(attributes))

    def build(self) -> dict[str, Any]:
        """The options."""
        return dict(self._options)

    def _with(self, **changes: Any) -> ProfileOptionBuilder:
        self._options |= changes
        return self
