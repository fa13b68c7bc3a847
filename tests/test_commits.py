"""First lines of commits that are not published yet follow CONTRIBUTING.md."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = "refs/remotes/origin/main"
LONGEST = 72
# How verbs end that are no imperatives: Added, Adding, Adds. Some imperatives end so, too.
OTHER_FORMS = re.compile(r"(?:ed|ing|[^s]s)$")
IMPERATIVES = {"Bring", "Embed", "Exceed", "Feed", "Focus", "Need", "Ping", "Proceed", "Seed"}


def problems(subject: str) -> list[str]:
    """What is wrong with the first line of a commit's message."""
    verb = subject.split(" ")[0]
    found = []
    if len(subject) > LONGEST:
        found.append(f"{len(subject)} characters, of {LONGEST} at most")
    if subject.endswith("."):
        found.append("a full stop")
    if not re.fullmatch(r"[A-Z][a-z]+", verb):
        found.append(f"begins with {verb!r}, not with a capitalised verb")
    elif OTHER_FORMS.search(verb) and verb not in IMPERATIVES:
        found.append(f"begins with {verb!r}, which is no imperative")
    return found


def unpublished(root: Path) -> list[str]:
    """First lines of the commits that the remote's main lacks; none where it is not known."""
    if shutil.which("git") is None or not (root / ".git").exists():
        return []
    known = _git(root, "rev-parse", "--verify", "--quiet", PUBLISHED)
    if known.returncode != 0:
        return []
    return _git(root, "log", "--no-merges", "--format=%s", f"{PUBLISHED}..HEAD").stdout.splitlines()


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_unpublished_commits() -> None:
    assert {subject: problems(subject) for subject in unpublished(ROOT) if problems(subject)} == {}


@pytest.mark.parametrize(
    "subject",
    ["Fuse pointwise consumers into contractions", "Bring back prefetching", "Pass " * 14],
)
def test_good_first_lines(subject: str) -> None:
    assert problems(subject) == []


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("Fuse " * 15, "75 characters"),
        ("Fuse loops.", "full stop"),
        ("fuse loops", "capitalised"),
        ("Fused loops", "imperative"),
        ("Fusing loops", "imperative"),
        ("Fuses loops", "imperative"),
    ],
)
def test_bad_first_lines(subject: str, problem: str) -> None:
    assert [problem in text for text in problems(subject)] == [True]


def test_only_commits_after_the_remotes_main_are_looked_at(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("needs git")
    assert unpublished(tmp_path) == []
    settings = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]

    def commit(subject: str) -> None:
        made = _git(tmp_path, *settings, "commit", "--quiet", "--allow-empty", "-m", subject)
        assert made.returncode == 0, made.stderr

    _git(tmp_path, "init", "--quiet")
    commit("Old commit")
    assert unpublished(tmp_path) == []
    _git(tmp_path, "update-ref", PUBLISHED, "HEAD")
    commit("New commit\n\nWith a body.")
    assert unpublished(tmp_path) == ["New commit"]
