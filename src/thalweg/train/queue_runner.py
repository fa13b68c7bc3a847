"""Queue runners of a graph: threads that belong to a session."""

from __future__ import annotations

import threading
from typing import Any

from thalweg.graph import default_graph
from thalweg.graph.keys import GraphKeys


def start_queue_runners(
    sess: Any = None,
    coord: Any = None,
    daemon: bool = True,
    start: bool = True,
    collection: str = GraphKeys.QUEUE_RUNNERS,
) -> list[threading.Thread]:
    """Start the threads of the queue runners in a collection; a graph without any has none.

    Thalweg itself makes no queue runners: programs feed arrays, or use `Session.run_steps`.

    Args:
        sess: the session that they run; the default one if not given.
        coord: stops them.
        daemon: whether they end with the process.
        start: whether they are started, too.
        collection: holds the runners.

    Returns:
        the threads.
    """
    graph = default_graph() if sess is None else sess.graph
    threads: list[threading.Thread] = []
    for runner in graph.get_collection(collection):
        threads.extend(runner.create_threads(sess, coord=coord, daemon=daemon, start=start))
    return threads
