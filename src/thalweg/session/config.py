"""How a session is set up: TensorFlow 1's messages as plain data."""

from __future__ import annotations

from thalweg.base.record import Record, field


class GPUOptions(Record, frozen=False):
    """Accepted for TensorFlow 1 and ignored: there is no GPU here."""

    allow_growth: bool = False
    per_process_gpu_memory_fraction: float = 0.0
    visible_device_list: str = ""
    allocator_type: str = ""


class OptimizerOptions(Record, frozen=False):
    """Accepted for TensorFlow 1 and ignored: every graph is optimised and compiled."""

    opt_level: int = 0
    global_jit_level: int = 0
    do_common_subexpression_elimination: bool = True
    do_constant_folding: bool = True
    do_function_inlining: bool = True


class GraphOptions(Record, frozen=False):
    """Accepted for TensorFlow 1 and ignored."""

    optimizer_options: OptimizerOptions = field(default_factory=OptimizerOptions)
    build_cost_model: int = 0
    infer_shapes: bool = True


class ConfigProto(Record, frozen=False):
    """Settings of a session.

    Attributes:
        intra_op_parallelism_threads: threads of the session; 0 for as many as the process may use.
        inter_op_parallelism_threads: accepted for TensorFlow 1 and ignored, as are all that follow
            up to the last three.
        backend: "native" for code compiled for this machine, "reference" for NumPy. "llvm" and
            "numpy" are other names for these.
        use_winograd: whether native code may compute convolutions with fewer multiplications. That
            rounds in another way; `docs/how_it_works.md` says by how much.
        check_numerics: whether a run fails at the first operation that makes an infinite number or
            NaN, and names it with its line. Every result is then computed and checked on its own,
            which takes several times as long.
    """

    intra_op_parallelism_threads: int = 0
    inter_op_parallelism_threads: int = 0
    allow_soft_placement: bool = False
    log_device_placement: bool = False
    use_per_session_threads: bool = False
    isolate_session_state: bool = False
    operation_timeout_in_ms: int = 0
    placement_period: int = 0
    device_count: dict[str, int] = field(default_factory=dict)
    device_filters: list[str] = field(default_factory=list)
    gpu_options: GPUOptions = field(default_factory=GPUOptions)
    graph_options: GraphOptions = field(default_factory=GraphOptions)
    backend: str = "native"
    use_winograd: bool = True
    check_numerics: bool = False
