"""Progress of long work."""

from __future__ import annotations

import io

import pytest

from thalweg.cli.progress import Progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_redraws_one_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.cli.progress.REDRAW_SECONDS", 0)
    monkeypatch.setenv("COLUMNS", "80")
    stream = _Terminal()
    progress = Progress(10, stream)
    progress.update(5, "half")
    progress.line("kept")
    progress.update(10, "done")
    progress.clear()
    assert stream.getvalue().count("\n") == 1
    assert f"[{'=' * 12}{' ' * 12}] 5/10  half" in stream.getvalue()
    assert f"[{'=' * 24}] 10/10  done" in stream.getvalue()
    assert stream.getvalue().endswith(" \r")


def test_progress_writes_plain_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    progress = Progress(10, stream)
    progress.update(1, "too soon for a line")
    monkeypatch.setattr("thalweg.cli.progress.LINE_SECONDS", 0)
    progress.update(2, "now")
    assert stream.getvalue().startswith("  2/10  now")
    assert "\r" not in stream.getvalue()
