"""PyTorch's side of `benchmarks.all_reduce`, in its own environment: DistributedDataParallel.

python -m benchmarks.peers.torch_all_reduce RANK SIZE PORT ROWS STEPS

Images are in the memory layout that is faster here (channels last), Adam is the fused one, and
gradients are views of the buckets, which saves a copy.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

torch: Any = importlib.import_module("torch")
nn: Any = torch.nn

WARM_UP = 5


def network() -> Any:
    """The tutorial's network."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(3136, 1024),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(1024, 10),
    ).to(memory_format=torch.channels_last)


def main(rank: int, size: int, port: int, rows: int, steps: int) -> None:
    """Train the network on mini-batches of so many rows."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = network()
    if size > 1:
        address = f"tcp://127.0.0.1:{port}"
        torch.distributed.init_process_group("gloo", address, rank=rank, world_size=size)
        model = nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True)
    rule = torch.optim.Adam(model.parameters(), 1e-4, fused=True)
    images = torch.rand(20, rows, 1, 28, 28).contiguous()
    labels = torch.randint(0, 10, (20, rows))
    seconds, begin = list[float](), 0.0
    for number in range(WARM_UP + steps):
        if number == WARM_UP:
            begin = time.process_time()
        start = time.perf_counter()
        batch = images[number % 20].contiguous(memory_format=torch.channels_last)
        loss = nn.functional.cross_entropy(model(batch), labels[number % 20])
        rule.zero_grad(set_to_none=size == 1)
        loss.backward()
        rule.step()
        seconds.append(time.perf_counter() - start)
    cpu = (time.process_time() - begin) / steps
    print(json.dumps({"seconds": seconds[WARM_UP:], "cpu": cpu}))
    if size > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
