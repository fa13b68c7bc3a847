"""A share of `python -m tests.saving.kills`."""

from __future__ import annotations

from pathlib import Path

from tests.saving.kills import problems


def test_a_checkpoint_is_whole_whenever_the_process_is_killed(tmp_path: Path) -> None:
    assert list(problems(20, 0, tmp_path)) == []
