"""Compile elementwise code written with `Builder` into a function of NumPy arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from thalweg.backends.native.llvm.builder import Builder
from thalweg.backends.native.llvm.ssa import I64, PTR, SsaValue, Type

Array = NDArray[Any]
ELEMENTS = {np.float32: "float", np.float64: "double", np.uint32: "i32"}

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()


def host_is_x86() -> bool:
    return bool(llvm.get_process_triple().startswith("x86_64"))


def host_has(feature: str) -> bool:
    return bool(llvm.get_host_cpu_features().get(feature))


def _target_machine(cpu: str | None, features: str) -> Any:
    if cpu is None:
        cpu = llvm.get_host_cpu_name()
        features = ",".join(filter(None, [llvm.get_host_cpu_features().flatten(), features]))
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu, features=features, opt=3, jit=True)


def _module_text(
    emit: Callable[..., Sequence[SsaValue]], type: Type, inputs: int, outputs: int
) -> str:
    b = Builder()
    pointers = [SsaValue(b, PTR, f"%p{i}") for i in range(inputs + outputs)]
    with b.loop(b.index(0), SsaValue(b, I64, "%count"), max(type.lanes, 1)) as loop:
        places = [b.address(pointer, loop.index, type.element) for pointer in pointers]
        results = emit(*(b.load(type, place) for place in places[:inputs]))
        for result, place in zip(results, places[inputs:], strict=True):
            b.store(result, place)
    b.line("ret void")
    parameters = "".join(f"ptr {pointer.ref}, " for pointer in pointers)
    declarations = "\n".join(b.declarations.values())
    out_of_line = "".join(function.text("") for function in b.functions.values())
    head = f'define void @f({parameters}i64 %count) "prefer-vector-width"="512"'
    return f"{declarations}\n{out_of_line}{head} {{\n{b.body_text()}\n}}\n"


def compile_loop(
    emit: Callable[..., Sequence[SsaValue]],
    dtype: Any,
    lanes: int,
    inputs: int = 1,
    outputs: int = 1,
    cpu: str | None = None,
    features: str = "",
) -> Callable[..., list[Array]]:
    """`emit` over arrays whose length is a multiple of `lanes` (0 for scalar code)."""
    text = _module_text(emit, Type(ELEMENTS[dtype], lanes), inputs, outputs)
    module, machine = llvm.parse_assembly(text), _target_machine(cpu, features)
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(3))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (inputs + outputs), ctypes.c_int64)(
        engine.get_function_address("f")
    )

    def run(*arrays: Array, alive: object = engine) -> list[Array]:
        results = [np.empty_like(arrays[0]) for _ in range(outputs)]
        native(*(a.ctypes.data for a in [*arrays, *results]), len(arrays[0]))
        return results

    return run
