"""PyTorch's side of `benchmarks.checkpoints`, in its own environment: prints seconds as JSON.

python -m benchmarks.peers.torch_checkpoints FOLDER ARRAYS ELEMENTS ROUNDS
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

torch: Any = importlib.import_module("torch")


def main(folder: str, arrays: int, elements: int, rounds: int) -> None:
    """Save, flush, and load some tensors, a few times."""
    path = os.path.join(folder, "model.pt")
    tensors = {f"v{n}": torch.full((elements,), float(n)) for n in range(arrays)}
    made: dict[str, list[float]] = {"save": [], "load": []}
    for _ in range(rounds):
        begin = time.perf_counter()
        with open(path, "wb") as file:
            torch.save(tensors, file)
            file.flush()
            os.fsync(file.fileno())
        made["save"].append(time.perf_counter() - begin)
        begin = time.perf_counter()
        loaded = torch.load(path, weights_only=True)
        made["load"].append(time.perf_counter() - begin)
        assert float(loaded[f"v{arrays - 1}"][-1]) == arrays - 1
        del loaded
    print(json.dumps(made))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
