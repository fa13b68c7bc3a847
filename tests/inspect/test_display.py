"""What notebooks show, and pictures of graphs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import thalweg as tf
from tests.inspect.graphs import layers, softmax
from thalweg.inspect import draw, picture
from thalweg.inspect.scopes import Box, boxes_of, is_aside

CHROMIUM = Path("/usr/bin/chromium")
SVG = "{http://www.w3.org/2000/svg}"


def drawn(graph: tf.Graph) -> ElementTree.Element:
    return ElementTree.fromstring(picture(graph))


def shown_paths(svg: ElementTree.Element, path: str = "") -> list[str]:
    """The boxes inside one, as they are drawn."""
    start = svg if not path else next(g for g in svg.iter(f"{SVG}g") if g.get("data-path") == path)
    inside = next(g for g in start.findall(f"{SVG}g") if g.get("class") == "inside")
    return [name for g in inside if (name := g.get("data-path"))]


def test_the_tutorial_s_graph_has_a_box_for_each_name() -> None:
    svg = drawn(softmax())
    main = ["x", "W", "MatMul", "Softmax", "labels", "Log", "mul", "Sum", "Neg"]
    assert shown_paths(svg) == [*main, "gradients", "GradientDescent", "init"]
    texts = {text.text for text in svg.iter(f"{SVG}text")}
    assert {"? × 784", "784 × 10", "? × 10"} <= texts  # noqa: RUF001


def test_what_makes_a_variable_s_first_value_is_inside_it() -> None:
    root = boxes_of(softmax())
    assert next(op.name for op in root.inner["W"].ops()) == "W"
    assert {"zeros", "Assign", "read"} <= set(root.inner["W"].inner)
    assert [box.name for box in root.inner.values() if is_aside(box)] == [
        "gradients",
        "GradientDescent",
        "init",
    ]


def test_every_operation_is_in_one_box() -> None:
    graph = layers()
    assert sorted(op.name for op in boxes_of(graph).ops()) == sorted(
        op.name for op in graph.operations
    )


def test_edges_that_leave_a_scope_are_named_inside() -> None:
    svg = drawn(layers())
    first = next(g for g in svg.iter(f"{SVG}g") if g.get("data-path") == "first")
    inside = first.find(f"{SVG}g")
    assert inside is not None
    groups = [g for g in inside if g.get("class") == "item port"]
    ports = [text.text for g in groups for text in g]
    assert ports == ["← x", "→ second"]


def test_bodies_of_loops_are_boxes() -> None:
    graph = tf.Graph()
    with graph.as_default():
        tf.while_loop(lambda n: n < 3, lambda n: n + 1, [tf.constant(0)])
    (loop,) = [box for box in every(boxes_of(graph)) if box.kind() == "loop"]
    assert {"condition", "body"} & set(loop.inner)


def every(box: Box) -> list[Box]:
    return [box, *(found for inner in box.inner.values() for found in every(inner))]


def test_many_neighbours_share_boxes() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [2], name="x")
        for _ in range(200):
            x = tf.exp(x)
    root = boxes_of(graph)
    assert len(root.inner) < 48
    assert root.count() == 201
    assert all(len(box.inner) <= 48 for box in every(root))


def test_a_page_needs_nothing_else_and_text_is_escaped() -> None:
    graph = tf.Graph()
    with graph.as_default():
        tf.placeholder(tf.float32, [None], name="x")
    page = draw(graph)
    assert not re.search(r"(src|href)=|@import|url\(", page)
    assert page.replace("http://www.w3.org/2000/svg", "").count("http") == 0
    assert "graph of 1 operation;" in page


def test_objects_show_themselves() -> None:
    graph = softmax()
    tensor = graph.get_tensor_by_name("MatMul:0")
    shown = tensor._repr_html_()
    assert shown is not None
    assert "&lt;tf.Tensor &#x27;MatMul:0&#x27; shape=(?, 10) dtype=float32&gt;" in shown
    assert "graphs.py:14: y = tf.nn.softmax(tf.matmul(x, W))" in shown
    assert "float32[?, 784]" in shown
    operation = graph.get_operation_by_name("init")._repr_html_()
    assert operation is not None
    assert "runs after" in operation
    assert (graph._repr_html_() or "").startswith('<div class="thalweg-graph">')
    variable: Any = graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)[0]
    assert "(784, 10)" in variable._repr_html_()


def test_sessions_and_explanations_show_themselves() -> None:
    graph = softmax()
    with tf.Session(graph=graph) as session:
        session.run("init")
        assert "init: first run" in (session._repr_html_() or "")
        explained = tf.explain("MatMul:0", feed_shapes={"x:0": [3, 784]}, session=session)
    table = explained._repr_html_() or ""
    assert "2 kernels" in table
    assert "<summary>MatMul" in table


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs a browser")
def test_scopes_open_and_close_in_a_browser(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    (tmp_path / "graph.html").write_text(draw(layers()))
    with sync_api.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"file://{tmp_path}/graph.html")
        before = height(page, "svg.thalweg")
        first = '[data-path="first"]'
        assert not page.locator('[data-path="first/MatMul"]').is_visible()
        page.locator(f"{first} > rect").click()
        assert page.locator('[data-path="first/MatMul"]').is_visible()
        assert height(page, "svg.thalweg") > before
        outer, inner = box(page, f"{first} > rect"), box(page, '[data-path="first/MatMul"] > rect')
        assert outer["x"] < inner["x"] < inner["x"] + inner["width"] < outer["x"] + outer["width"]
        assert box(page, '[data-path="second"] > rect')["y"] > outer["y"] + outer["height"]
        page.locator(f"{first} > rect").click(position={"x": 3, "y": 3})
        assert height(page, "svg.thalweg") == before
        browser.close()
    assert errors == []


def box(page: Any, selector: str) -> dict[str, float]:
    found: dict[str, float] = page.locator(selector).bounding_box()
    return found


def height(page: Any, selector: str) -> float:
    return box(page, selector)["height"]
