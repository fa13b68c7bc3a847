"""The systems and their worker processes, each started in that system's own environment.

The workers' modules may be read where their system is not installed, but not imported.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A system that is measured.

    Attributes:
        name: what `--peers` and its environment's folder call it; its worker's module follows.
        label: for people.
        package: what a program that uses it imports.
        requirements: of its environment, as pip takes them; empty for Thalweg, which runs in the
            environment of the command.
        is_usual: whether it is measured if no peers are named.
    """

    name: str
    label: str
    package: str
    requirements: tuple[str, ...] = ()
    is_usual: bool = True

    @property
    def module(self) -> str:
        """Its worker's module."""
        return f"benchmarks.peers.{self.name}_worker"


THALWEG = Peer("thalweg", "Thalweg", "thalweg")
SINGLE = Peer("thalweg", "Thalweg, one thread", "thalweg")
TENSORFLOW = (
    "tensorflow-cpu==2.21.0; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "tensorflow==2.21.0; sys_platform != 'linux' or platform_machine != 'x86_64'",
    "tf_keras==2.21.0",
    "numpy",
)
ONNX = ("onnx==1.23.2", "numpy")  # writes the models that the two inference engines read
PEERS = {
    peer.name: peer
    for peer in (
        THALWEG,
        Peer("thalweg_xla", "Thalweg on XLA", "thalweg", is_usual=False),
        Peer("torch", "PyTorch", "torch", ("torch==2.13.0", "numpy")),
        Peer("tensorflow", "TensorFlow", "tensorflow", TENSORFLOW),
        Peer("jax", "JAX", "jax", ("jax==0.10.2", "numpy")),
        Peer("numpy", "NumPy", "numpy", ("numpy==2.4.6",)),
        Peer("onnxruntime", "ONNX Runtime", "onnxruntime", ("onnxruntime==1.32.0", *ONNX)),
        Peer("openvino", "OpenVINO", "openvino", ("openvino==2026.4.1", *ONNX)),
    )
}
