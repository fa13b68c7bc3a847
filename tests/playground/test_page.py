"""The page in a browser: every control works. Where there is no Chromium, the tests are skipped."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from thalweg.playground.presets import PRESETS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT = 30_000  # milliseconds, on a busy machine

# Keeps what comes into the parts of the page that a screen reader reads by itself.
HEARD = """() => {
  window.heard = [];
  for (const one of document.querySelectorAll("output, [role=status], [aria-live]"))
    new MutationObserver(() => heard.push(one.textContent)).observe(one, { childList: true });
}"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


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
        self.wrong.clear()
        self.page.goto(f"{self.address}#{link}")
        self.until("document.getElementById('train').textContent !== '-'")

    def until(self, condition: str) -> None:
        """Wait for something; the page's policy forbids Playwright's own way."""
        end = time.monotonic() + WAIT / 1000
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            self.page.wait_for_timeout(20)

    def said(self) -> set[str]:
        """What the link says."""
        return set(self.page.evaluate("location.hash").removeprefix("#").split("&"))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Do something, and wait until the link says something else."""
        link = self.page.evaluate("location.hash")
        yield
        self.until(f"location.hash !== {link!r}")

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


def test_a_screen_reader_hears_of_a_pause_and_not_of_every_frame(opened: Open) -> None:
    opened.goes("dataset=gauss&networkShape=2&seed=0.5")
    opened.page.evaluate(HEARD)
    opened.page.click("#run")
    opened.until("Number(document.getElementById('epoch').textContent.replace(/,/g, '')) > 20")
    opened.page.click("#run")
    opened.until("heard.length > 0")
    assert [one.split(" at ")[0] for one in opened.page.evaluate("heard")] == ["Paused"]
    opened.is_fine()


def test_every_setting_can_be_changed(opened: Open) -> None:
    page = opened.page
    opened.goes("networkShape=2&seed=0.5")
    for select in page.locator("#settings select:visible").all():
        name = str(select.get_attribute("id")).removeprefix("set-")
        if name not in ("preset", "problem"):  # these change other settings, too
            options = [one.get_attribute("value") for one in select.locator("option").all()]
            value = next(one for one in options if one != select.input_value())
            with opened.changing():
                select.select_option(value)
            assert select.input_value() == value
    for slider, key in (("noise", "ArrowRight"), ("percTrainData", "ArrowLeft")):
        with opened.changing():
            page.press(f"#set-{slider}", key)
    with opened.changing():
        page.press("#set-batchSize", "ArrowRight")
    assert {"noise=5", "percTrainData=40", "batchSize=11"} <= opened.said()
    for flag in ("initZero", "showTestData", "discretize"):
        with opened.changing():
            page.check(f"#set-{flag}")
        assert f"{flag}=true" in opened.said()
    for dataset in ("spiral", "gauss", "xor", "circle"):
        with opened.changing():
            page.check(f"input[name=dataset][value={dataset}]")
        assert f"dataset={dataset}" in opened.said()
    with opened.changing():
        page.select_option("#set-problem", '"regression"')
    assert not page.is_visible("input[name=dataset]")
    with opened.changing():
        page.check("input[name=regDataset][value=reg-gauss]")
    with opened.changing():
        page.click("#regenerate")
    assert not {"seed=0.5", "regDataset=reg-plane"} & opened.said()
    opened.is_fine()


def test_features_and_layers_are_changed_and_keep_the_focus(opened: Open) -> None:
    page = opened.page
    opened.goes("networkShape=2&seed=0.5")
    for name in ("xSquared", "ySquared", "xTimesY", "sinX", "sinY"):
        with opened.changing():
            page.press(f"#feature-{name}", "Enter")
        opened.until("document.querySelectorAll('[aria-pressed=true]').length > 2")
        assert f"{name}=true" in opened.said()
        assert page.evaluate("document.activeElement.id") == f"feature-{name}"
    with opened.changing():
        page.click("#feature-x")
    assert "x=false" in opened.said()
    columns = "[...document.querySelectorAll('.column')].slice(1, -1)"
    hidden = f"{columns}.map((one) => one.querySelectorAll('.neuron').length).join()"
    for button, shape in (
        ("layer-add", "2,2"),
        ("neuron.add-2", "2,3"),
        ("neuron.remove-1", "1,3"),
        ("layer-remove", "1"),
    ):
        with opened.changing():
            page.click(f"[id='{button}']")
        opened.until(f"{hidden} === {shape!r}")
        assert f"networkShape={shape}" in opened.said()
        wanted = button.replace("remove-1", "add-1")  # the other one is disabled at one neuron
        assert page.evaluate("document.activeElement.id") == wanted
    assert page.is_disabled("[id='neuron.remove-1']")
    opened.is_fine()


def test_each_layer_has_its_activation(opened: Open) -> None:
    page = opened.page
    opened.goes("networkShape=2,2&activation=tanh&seed=0.5")
    with opened.changing():
        page.select_option("#activation-2", '"relu"')
    assert "activations=tanh,relu" in opened.said()
    with opened.changing():
        page.select_option("#set-activation", '"elu"')
    opened.until("document.getElementById('activation-2').value === JSON.stringify('elu')")
    assert not any(one.startswith("activations=") for one in opened.said())


def test_lessons_set_a_preset_and_say_what_to_see(opened: Open) -> None:
    opened.goes("tutorial=first&seed=0.5")
    assert opened.page.locator("#lessons li").count() == len(PRESETS)
    with opened.changing():
        opened.page.click("#lessons button:text-is('Three classes')")
    opened.until("document.querySelectorAll('#column-3 .neuron').length === 3")
    assert "softmax" in opened.page.inner_text("#hint")
    assert opened.page.locator("#classes span").count() == 3
    with opened.changing():
        opened.page.select_option("#set-preset", '"digits"')
    opened.until("document.querySelectorAll('#confusion tr').length === 11")
    opened.is_fine()


def test_a_link_hides_controls(opened: Open) -> None:
    opened.goes("noise_hide=true&playButton_hide=true&hideText=true&seed=0.5")
    for hidden in ("#set-noise", "#run", "#intro", "#about", "#lessons"):
        assert not opened.page.is_visible(hidden), hidden
    assert opened.page.is_visible("#set-batchSize")


def test_own_points_come_as_csv(opened: Open, tmp_path: Path) -> None:
    page = opened.page
    opened.goes("networkShape=2&seed=0.5")
    page.click("#own > summary")
    page.fill("#csv", "1,2,a\n-1,-2,b\n2,1,a\n-2,-2,c\n")
    with opened.changing():
        page.click("#take")
    assert "dataset=own" in opened.said()
    opened.is_fine()
    file = tmp_path / "points.csv"
    file.write_text("1,2\n", encoding="utf-8")
    page.set_input_files("#csv-file", file)
    opened.until("document.getElementById('csv').value.startsWith('1,2')")
    page.click("#take")
    opened.until("document.getElementById('message').textContent.startsWith('line 1 must be')")


def test_the_run_is_exported(opened: Open, tmp_path: Path) -> None:
    page = opened.page
    opened.goes("networkShape=2&seed=0.5")
    page.click("#export > summary")
    for form, line in (
        ("thalweg", "import thalweg as tf"),
        ("tensorflow1", "import tensorflow as tf"),
    ):
        page.click(f"[data-form={form}]")
        opened.until(f"document.getElementById('program').textContent.includes('{line}')")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "program.py")
    text = (tmp_path / "program.py").read_text("utf-8")
    assert text == page.evaluate("document.getElementById('program').textContent")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for button, wanted in (("copy", text), ("share", page.url)):
        page.click(f"#{button}")
        opened.until("document.getElementById('said').textContent === 'Copied.'")
        assert page.evaluate("navigator.clipboard.readText()") == wanted
        page.evaluate("document.getElementById('said').textContent = ''")
    opened.is_fine()


def test_what_runs_follows_the_pointer(opened: Open) -> None:
    page = opened.page
    opened.goes("networkShape=2&seed=0.5")
    page.click("#runs > summary")
    opened.until("document.getElementById('runs-found').textContent.includes('kernel:')")
    assert page.input_value("#runs-layer") == "1"
    page.hover("#neuron-2-0")
    opened.until("document.getElementById('runs-layer').value === '2'")
    opened.until("document.querySelector('.operations').textContent.includes('2')")
    page.select_option("#runs-layer", "1")
    page.click("#step")
    opened.until("document.getElementById('runs-cost').textContent.includes('µs')")
    opened.is_fine()


def test_pointer_and_focus_enlarge_a_neuron(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    drawn = "document.getElementById('heat').toDataURL()"
    before = opened.page.evaluate(drawn)
    for neuron in ("#neuron-1-0", "#feature-sinX"):
        opened.page.hover(neuron)
        opened.until(f"{drawn} !== {before!r}")
        opened.page.hover("h1")
        opened.until(f"{drawn} === {before!r}")
    opened.page.focus("#neuron-1-1")
    opened.until(f"{drawn} !== {before!r}")


def test_a_weight_and_a_bias_are_changed(opened: Open) -> None:
    page = opened.page
    opened.goes("networkShape=2&seed=0.5")
    page.press("#neuron-1-0", "Enter")
    assert (page.input_value("#edit-which"), page.input_value("#edit-value")) == ("bias", "0.1")
    before = opened.number("train")
    page.fill("#edit-value", "4")
    page.press("#edit-value", "Enter")
    opened.until(f"Number(document.getElementById('train').textContent) !== {before}")
    page.select_option("#edit-which", "1")
    before = opened.number("train")
    page.fill("#edit-value", "-3")
    page.click("#edit button >> nth=0")
    opened.until(f"Number(document.getElementById('train').textContent) !== {before}")
    page.press("#edit-value", "Escape")
    assert not page.is_visible("#edit")
    assert page.evaluate("document.activeElement.id") == "neuron-1-0"
    page.keyboard.press("Control+z")
    opened.until(f"Number(document.getElementById('train').textContent) === {before}")
    opened.is_fine()


def test_a_line_shows_its_weight_and_can_be_clicked(opened: Open) -> None:
    page = opened.page
    opened.goes("networkShape=1&y=false&seed=0.5")
    start, end = (page.locator(one).bounding_box() for one in ("#feature-x", "#neuron-1-0"))
    x = (start["x"] + start["width"] + end["x"]) / 2
    y = (start["y"] + end["y"]) / 2 + start["height"] / 2
    page.mouse.move(x, y)
    shown = page.inner_text("#tip")
    page.mouse.click(x, y)
    assert page.input_value("#edit-which") == "0"
    assert shown == f"Weight: {page.input_value('#edit-value')}"
    page.click("#edit-close")
    page.hover("h1")
    assert not page.is_visible("#tip")


def test_points_are_painted(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    opened.page.click("#own > summary")
    opened.page.check("#paint")
    for number, (x, y) in enumerate([(60, 60), (240, 240)]):
        opened.page.fill("#paint-class", str(number + 1))
        opened.page.locator("#plane").scroll_into_view_if_needed()
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
    for kind in ("preset", "hint"):
        assert {f"{kind}.{name}" for name in PRESETS} <= texts["en.json"].keys()
    for key, text in texts["en.json"].items():
        fields = [sorted(re.findall(r"\{\w+\}", found[key])) for found in texts.values()]
        assert fields == [sorted(re.findall(r"\{\w+\}", text))] * 4, key


def test_texts_are_those_that_the_page_uses() -> None:
    static = resources.files("thalweg.playground") / "static"
    known = json.loads((static / "text" / "en.json").read_text("utf-8"))
    page = (static / "index.html").read_text("utf-8")
    assert set(re.findall(r'data-(?:text|label)="([^"]+)"', page)) <= known.keys()
    sources = "".join(
        one.read_text("utf-8") for one in static.iterdir() if one.name.endswith(".js")
    )
    assert set(re.findall(r'\btext\("([^"]+)"', sources)) <= known.keys()
    assert set(re.findall(r'labelled\("\w+", "([^"]+)"', sources)) <= known.keys()


def test_a_page_without_a_language_has_the_readers(opened: Open) -> None:
    context = opened.page.context.browser.new_context(locale="de-AT")
    page = Open(context.new_page(), opened.address)
    page.goes("networkShape=2&seed=0.5")
    page.until("document.documentElement.lang === 'de'")
    page.goes("networkShape=2&seed=0.5&language=es")
    page.until("document.documentElement.lang === 'es'")
    context.close()


def test_the_theme_can_be_chosen(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    paper = "getComputedStyle(document.body).backgroundColor"
    found = []
    for theme in ("light", "dark"):
        opened.page.select_option("#theme", theme)
        found.append(opened.page.evaluate(paper))
    assert found == ["rgb(247, 248, 249)", "rgb(20, 24, 27)"]
    opened.page.select_option("#theme", "light dark")


def test_colours_can_be_told_apart_and_are_kept(opened: Open) -> None:
    opened.goes("networkShape=2&seed=0.5")
    pictures = "['heat', 'points', 'links'].map((id) => document.getElementById(id).toDataURL())"
    before = opened.page.evaluate(pictures)
    opened.page.select_option("#colours", "safe")
    after = opened.page.evaluate(pictures)
    assert all(a != b for a, b in zip(before, after, strict=True))
    opened.goes("networkShape=2&seed=0.5")
    assert opened.page.input_value("#colours") == "safe"
    opened.page.select_option("#colours", "original")


def test_little_motion_is_shown_to_those_who_ask_for_it(opened: Open) -> None:
    opened.page.emulate_media(reduced_motion="reduce")
    opened.goes("networkShape=2&seed=0.5")
    opened.page.evaluate(
        """() => { window.drawn = 0; new MutationObserver(() => drawn++)
        .observe(document.getElementById("epoch"), { childList: true }); }"""
    )
    opened.page.click("#run")
    opened.until("drawn >= 2")
    epochs = opened.number("epoch")
    opened.page.click("#run")
    opened.until("document.getElementById('run').textContent === 'Run'")
    opened.page.emulate_media(reduced_motion="no-preference")
    assert epochs > 20  # training goes on between the pictures
    opened.is_fine()


def test_nan_is_explained(opened: Open) -> None:
    opened.goes(
        "problem=regression&regDataset=reg-gauss&activation=relu&networkShape=8,8&learningRate=10&seed=0.5"
    )
    opened.page.click("#run")
    opened.until("document.getElementById('message').textContent.includes('learning rate of 10')")
    layer = re.search(r"layer (\d)", opened.page.inner_text("#message"))
    assert layer is not None
    assert opened.page.get_attribute(".broken", "id") == f"column-{layer[1]}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_it_is_accessible(opened: Open, scheme: str, width: int) -> None:
    from axe_playwright_python import sync_playwright as axe

    opened.page.emulate_media(color_scheme=scheme)
    opened.page.set_viewport_size({"width": width, "height": 800})
    opened.goes("networkShape=4,2&seed=0.5")
    for summary in opened.page.locator("summary").all():
        summary.click()
    found = axe.Axe().run(opened.page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
