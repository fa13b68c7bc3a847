"""The page in a browser: every control works. Where there is no Chromium, the tests are skipped."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

import pytest

from thalweg.playground.presets import PRESETS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT = 30_000  # milliseconds, on a busy machine

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
pytest.importorskip("uvicorn")
pytest.importorskip("playwright")


class Open:
    """A page with what has gone wrong on it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.wrong: list[str] = []
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def goes(self, link: str) -> None:
        """Load a link, and wait for its first frame."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}#{link}")
        self.until("document.getElementById('train').textContent !== '-'")

    def until(self, condition: str) -> None:
        """Wait for something; the page's policy forbids Playwright's own way."""
        end = time.monotonic() + WAIT / 1000
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            self.page.wait_for_timeout(20)

    def number(self, name: str) -> float:
        return float(self.page.inner_text(f"#{name}").replace(",", ""))

    def is_fine(self) -> None:
        """Nothing has gone wrong, and nothing is said."""
        assert (self.wrong, self.page.inner_text("#message")) == ([], "")


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="module")
def opened() -> Iterator[Open]:
    from tests.playground.serving import serving

    with serving() as port, browser() as running:
        yield Open(
            running.new_page(viewport={"width": 1280, "height": 900}), f"http://127.0.0.1:{port}/"
        )


def test_it_trains(opened: Open) -> None:
    opened.goes("dataset=gauss&networkShape=2&seed=0.5")
    before = opened.number("train")
    opened.page.click("#run")
    opened.until("Number(document.getElementById('epoch').textContent.replace(/,/g, '')) > 20")
    opened.page.click("#run")
    opened.until("document.getElementById('run').textContent === 'Run'")
    assert opened.number("train") < before / 10
    opened.page.click("#reset")
    opened.until("document.getElementById('epoch').textContent === '0'")
    opened.page.click("#undo")
    opened.until("document.getElementById('epoch').textContent !== '0'")
    opened.page.click("#step")
    opened.is_fine()


def test_every_setting_can_be_changed(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    for name in range(opened.page.locator("#controls select").count()):
        select = opened.page.locator("#controls select").nth(name)
        if select.is_visible() and name:  # the first one is the preset
            value = select.locator("option").nth(1).get_attribute("value")
            link = opened.page.evaluate("location.hash")
            changes = select.input_value() != value
            select.select_option(value)
            if changes:
                opened.until(f"location.hash !== {link!r}")
    for box in reversed(opened.page.locator("#controls input").all()):
        link = opened.page.evaluate("location.hash")
        box.click()
        opened.until(f"location.hash !== {link!r}")
    opened.page.select_option("#controls select >> nth=0", '"three-classes"')
    opened.until("location.hash.includes('preset=three-classes')")
    opened.page.click("text=Other points")
    opened.page.click("text=Add a layer")
    opened.until("location.hash.includes('networkShape=8,8,2')")
    opened.page.click("text=Remove a layer")
    opened.until("location.hash.includes('networkShape=8,8&')")
    opened.page.fill("#shape input >> nth=0", "3")
    opened.page.press("#shape input >> nth=0", "Tab")
    opened.until("location.hash.includes('networkShape=3,8&')")
    opened.is_fine()


def test_a_link_hides_controls(opened: Open) -> None:
    opened.goes("noise_hide=true&playButton_hide=true&hideText=true&seed=0.5")
    assert not opened.page.is_visible("text=Noise")
    assert not opened.page.is_visible("#run")
    assert not opened.page.is_visible("header")
    assert opened.page.is_visible("text=Batch size")


def test_own_points_programs_and_kernels(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    for summary in opened.page.locator("summary").all():
        summary.click()
    opened.page.fill("#csv", "1,2,a\n-1,-2,b\n2,1,a\n-2,-2,c\n")
    opened.page.click("#take")
    opened.until("location.hash.includes('dataset=own')")
    opened.page.click("[data-form=tensorflow1]")
    opened.until(
        "document.getElementById('program').textContent.includes('import tensorflow as tf')"
    )
    opened.page.click("#inspect")
    opened.until("document.getElementById('kernels').textContent.includes('kernel:')")
    opened.is_fine()
    opened.page.fill("#csv", "1,2\n")
    opened.page.click("#take")
    opened.until("document.getElementById('message').textContent.startsWith('line 1 must be')")


def test_the_pointer_enlarges_a_neuron(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    drawn = "document.getElementById('plane').toDataURL()"
    before = opened.page.evaluate(drawn)
    opened.page.hover("#net", position={"x": 140, "y": 25})
    opened.until(f"{drawn} !== {before!r}")
    opened.page.hover("h1")
    opened.until(f"{drawn} === {before!r}")


def test_a_weight_and_a_bias_are_changed(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    opened.page.click("#net", position={"x": 139, "y": 29})  # the first hidden neuron
    assert opened.page.input_value("#edit-which") == "bias"
    assert opened.page.input_value("#edit-value") == "0.1"
    before = opened.number("train")
    opened.page.fill("#edit-value", "4")
    opened.page.press("#edit-value", "Enter")
    opened.until(f"Number(document.getElementById('train').textContent) !== {before}")
    before = opened.number("train")
    opened.page.click("#net", position={"x": 84, "y": 29})  # the line from the first feature to it
    assert opened.page.input_value("#edit-which") == "0"
    opened.page.fill("#edit-value", "-3")
    opened.page.click("#edit button")
    opened.until(f"Number(document.getElementById('train').textContent) !== {before}")
    opened.is_fine()


def test_points_are_painted(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    opened.page.locator("summary", has_text="Own points").click()
    opened.page.check("#paint")
    for number, (x, y) in enumerate([(60, 60), (240, 240)]):
        opened.page.fill("#paint-class", str(number + 1))
        box = opened.page.locator("#plane").bounding_box()
        opened.page.mouse.move(box["x"] + x, box["y"] + y)
        opened.page.mouse.down()
        opened.page.mouse.move(box["x"] + x + 40, box["y"] + y, steps=4)
        opened.page.mouse.up()
    opened.until("location.hash.includes('dataset=own')")
    opened.until("document.querySelectorAll('#confusion tr').length === 3")
    opened.is_fine()


def test_the_page_speaks_four_languages(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    for language, word in (("de", "Starten"), ("ja", "実行"), ("es", "Ejecutar"), ("en", "Run")):
        opened.page.select_option("#language", language)
        opened.until(f"document.getElementById('run').textContent === {word!r}")
        assert f"language={language}" in opened.page.evaluate("location.hash") or language == "en"
        assert opened.page.evaluate("document.documentElement.lang") == language
    opened.is_fine()


def test_texts_have_the_same_keys() -> None:
    files = (resources.files("thalweg.playground") / "static" / "text").iterdir()
    texts = {file.name: json.loads(file.read_text("utf-8")) for file in files}
    assert sorted(texts) == ["de.json", "en.json", "es.json", "ja.json"]
    for found in texts.values():
        assert found.keys() == texts["en.json"].keys()
        assert all(found.values())
    assert {f"preset.{name}" for name in PRESETS} <= texts["en.json"].keys()


def test_the_theme_can_be_chosen(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    paper = "getComputedStyle(document.body).backgroundColor"
    found = []
    for theme in ("light", "dark"):
        opened.page.select_option("#theme", theme)
        found.append(opened.page.evaluate(paper))
    assert found == ["rgb(255, 255, 255)", "rgb(22, 24, 26)"]
    opened.page.select_option("#theme", "light dark")


def test_nan_is_explained(opened: Open) -> None:
    opened.goes(
        "problem=regression&regDataset=reg-gauss&activation=relu&networkShape=8,8&learningRate=10&seed=0.5"
    )
    opened.page.click("#run")
    opened.until("document.getElementById('message').textContent.includes('learning rate of 10')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_it_is_accessible(opened: Open, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    opened.page.emulate_media(color_scheme=scheme)
    opened.page.set_viewport_size({"width": width, "height": 800})
    opened.goes("networkShape=4,2&seed=0.5")
    for summary in opened.page.locator("summary").all():
        summary.click()
    found = axe.Axe().run(opened.page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
