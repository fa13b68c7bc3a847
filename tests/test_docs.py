"""The documentation is true: its program prints what it shows, and what it names is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.run_docs import differences, rewritten, with_commands_run

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")] + [
    ROOT / "docs" / name
    for name in (
        "allreduce.md",
        "benchmarks.md",
        "board.md",
        "checkpoints.md",
        "cluster_model.md",
        "devices.md",
        "glossary.md",
        "how_it_works.md",
        "mnist.md",
        "models.md",
        "notebooks.md",
        "performance_notes.md",
        "playground.md",
        "profile.md",
        "tensorflow1.md",
        "training.md",
        "xla.md",
    )
]
# Where a path in a page may begin.
BASES = [ROOT, ROOT / "src" / "thalweg", ROOT / "src" / "thalweg" / "backends" / "native"]


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.S)


def test_pages_show_what_their_programs_print() -> None:
    command = [sys.executable, str(ROOT / "tools" / "run_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    report = f"{done.stdout}{done.stderr}\nif the pages are to change: python tools/run_docs.py"
    assert done.returncode == 0, report


def test_blocks_are_one_program_and_outputs_are_replaced() -> None:
    page = "```python\na = 2\n```\n\ntext\n\n```python\nprint(a)\n```\n\n```text\n3\n```\n"
    new = rewritten(page)
    assert new == page.replace("3", "2")
    assert [line for line in differences(page, new) if line in ("-3", "+2")] == ["-3", "+2"]


def test_output_without_a_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="prints"):
        rewritten("```python\nprint(1)\n```\n")


def test_sizes_that_depend_on_the_processor_may_differ() -> None:
    page = "```text (depends on the processor)\n0  i<100 j<10  16j 5i     80  1.57 M  MatMul\n```\n"
    assert not differences(page, page.replace("16j 5i     80", "8j 8r 4"))
    assert differences(page, page.replace("MatMul", "Sum"))


def test_commands_are_run_when_pages_are_written() -> None:
    page = "```sh\npython -c print(1+1)\n```\n\n```text (measured)\nold\n```\n\nmore\n"
    assert with_commands_run(page) == page.replace("old", "2")
    assert rewritten(page) == page


def test_what_was_measured_may_differ() -> None:
    page = "```text (measured)\nconv1  3 ms\n```\nmore\n"
    assert not differences(page, page.replace("conv1  3 ms", "12 us"))
    assert differences(page, page.replace("more", "less"))
    assert differences(page, page.replace(" (measured)", ""))


def test_the_blocks_of_the_readme_are_one_program(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    assert len(blocks) >= 4
    program = "\n".join(blocks).replace("range(1000)", "range(50)").replace("5500", "500")
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    accuracy, _, profile = done.stdout.partition("\n")
    assert float(accuracy) > 0.7
    assert "multiplications" in profile
    assert (tmp_path / "logs" / "checkpoint").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_and_links_lead_somewhere(page: Path) -> None:
    text = prose(page)
    paths = re.findall(r"`([\w./]+/(?:\w+\.py)?)`", text)
    assert [p for p in paths if not any((base / p).exists() for base in BASES)] == []
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_sections(page: Path) -> None:
    links = re.findall(r"\]\(([^):#]*)#([^)]+)\)", prose(page))
    for name, section in links:
        target = (page.parent / name) if name else page
        titles = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
        anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert section in anchors, f"{page.name}: no section {section} in {target.name}"
