"""TensorBoard's pages in a browser. Where there is no Chromium, the test is skipped.

`python -m tests.board.test_pages FOLDER` writes pictures of all pages to a folder.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT = 60_000  # milliseconds, on a busy machine
WIDTH, HEIGHT = 1200, 760
# What each page shows when it has drawn itself: a selector, in which there is this text.
SHOWN = {
    "scalars": ("tf-scalar-card", "cross_entropy_1"),
    "images": ("tf-image-loader", "input_reshape/digits/image/0"),
    "histograms": ("vz-histogram-timeseries path", ""),
    "graphs": ("tf-graph-scene g.node", "layer1"),
}


@contextmanager
def browser() -> Iterator[Any]:
    """A page in a browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = running.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(WAIT)
        yield page
        running.close()


def show(page: Any, address: str, name: str) -> Any:
    """Go to a page of TensorBoard and wait until it is drawn; what it shows."""
    selector, text = SHOWN[name]
    page.goto(f"{address}#{name}")
    page.reload()
    found = page.locator(selector).filter(has_text=text) if text else page.locator(selector)
    found.first.wait_for(state="attached" if name in ("graphs", "histograms") else "visible")
    return found


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium")
def test_pages_show_what_was_written(address: str) -> None:
    pytest.importorskip("playwright")
    with browser() as page:
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for name in SHOWN:
            show(page, address, name)
        nodes = page.locator("tf-graph-scene g.node")
        names = nodes.evaluate_all("nodes => nodes.map(node => node.getAttribute('data-name'))")
        assert {"layer1", "layer2", "cross_entropy", "dropout"} <= set(names)
        assert not complaints


def main(folder: Path) -> None:
    """Write pictures of the pages."""
    from tests.board.example_logs import write
    from tests.board.serving import tensorboard, when_there

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        logs = Path(place) / "logs"
        write(logs)
        with tensorboard(logs, "--load_fast=true") as address, browser() as page:
            when_there(address, "data/plugin/scalars/tags")
            for name in SHOWN:
                show(page, address, name)
                page.wait_for_timeout(3000)
                page.screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
