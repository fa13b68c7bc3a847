"""What kernels are told about the CPU."""

from __future__ import annotations

import pytest

from thalweg.backends.llvm.target import Target

X86 = Target("x86_64-unknown-linux-gnu", "some-cpu", "")
ARM = Target("arm64-apple-darwin23.0.0", "apple-m1", "+neon,+fullfp16")


def test_host_is_a_cpu_that_llvm_knows() -> None:
    host = Target.host()
    assert host is Target.host()
    assert host.architecture in ("x86_64", "aarch64")
    assert host.cpu


@pytest.mark.parametrize(
    ("level", "bits", "registers"),
    [("x86-64", 128, 16), ("x86-64-v2", 128, 16), ("x86-64-v3", 256, 16), ("x86-64-v4", 512, 32)],
)
def test_x86_levels(level: str, bits: int, registers: int) -> None:
    target = X86.restricted(level)
    assert (target.cpu, target.vector_bits, target.vector_registers) == (level, bits, registers)
    assert f'"prefer-vector-width"="{bits}"' in target.attributes
    assert f'"min-legal-vector-width"="{bits}"' in target.attributes


def test_arm() -> None:
    assert (ARM.architecture, ARM.vector_bits, ARM.vector_registers) == ("aarch64", 128, 32)
    assert "vector-width" not in ARM.attributes


def test_features_are_whole_words_and_may_be_off() -> None:
    target = Target(X86.triple, "cpu", "+avx512f,-avx512vl,+avx,+avx2")
    assert target.has("avx2")
    assert not target.has("avx512")
    assert not target.has("avx512vl")
    assert target.vector_bits == 256


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="x86-64-v9"):
        X86.restricted("x86-64-v9")
    with pytest.raises(ValueError, match="no CPU level"):
        ARM.restricted("x86-64-v3")
