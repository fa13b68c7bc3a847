"""How a session is set up: TensorFlow 1's messages as plain data."""

from __future__ import annotations

from thalweg.base.record import Record, field


class GPUOptions(Record, frozen=False):
    """Settings of GPUs.

    Attributes:
        visible_device_list: the GPUs to use, by their numbers: "0,2"; all if it is empty. The
            others are accepted for TensorFlow 1 and ignored.
    """

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


class XlaOptions(Record, frozen=False):
    """How XLA computes.

    Attributes:
        matmul_precision: of products of float32 matrices and of convolutions: "highest" computes
            in float32. "high" and "default" let a GPU or TPU take its tensor cores, with numbers
            of fewer digits: TensorFloat-32 or bfloat16. A CPU always computes in float32.
    """

    matmul_precision: str = "highest"


class ConfigProto(Record, frozen=False):
    """Settings of a session.

    Attributes:
        intra_op_parallelism_threads: threads of the session; 0 for as many as the process may use.
        allow_soft_placement: whether an operation runs on the default device if it asks for one
            that is not there. Else that is an error.
        log_device_placement: whether the session prints to stderr which operations run where, for
            each new combination of fetches and feeds.
        device_count: how many devices of a kind to use, at most. More than one "CPU" are the same
            processor under several names, and run at the same time.
        gpu_options: its `visible_device_list` names GPUs by the machine's numbers: with "2,0", the
            first is "/gpu:0" to the session, and no others are there.
        backend: "native" for code compiled for this machine, "reference" for NumPy, "xla" for XLA.
            "llvm" and "numpy" are other names for the first two. It is the backend of the devices
            that it serves, and of the default one.
        default_device: where operations run that ask for no device, such as "/gpu:0". If it is
            empty, and `backend` is "native", the environment variable THALWEG_DEVICE says it, or
            else the backend has its own: for "native" that is "/cpu:0".
        use_winograd: whether native code may compute convolutions with fewer multiplications. That
            rounds in another way; `docs/how_it_works.md` says by how much.
        check_numerics: whether a run fails at the first operation that makes an infinite number or
            NaN, and names it with its line. Every result is then computed and checked on its own,
            which takes several times as long.
        xla_options: how XLA computes, on the devices that it serves.

    The others are accepted for TensorFlow 1 and ignored.
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
    default_device: str = ""
    xla_options: XlaOptions = field(default_factory=XlaOptions)
