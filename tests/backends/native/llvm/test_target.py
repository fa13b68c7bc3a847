"""What kernels are told about the CPU."""

from __future__ import annotations

from pathlib import Path

import llvmlite
import pytest

from thalweg.backends.native import shared
from thalweg.backends.native.cache.disk_cache import DiskCache
from thalweg.backends.native.llvm import version
from thalweg.backends.native.llvm.target import Target, processor

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


X86_INFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: {model}
model name\t: Some CPU @ 2.00GHz: fast
stepping\t: 7
cpu MHz\t\t: {mhz}
flags\t\t: fpu sse2 {flags}

processor\t: 1
vendor_id\t: AnotherOne
"""
ARM_INFO = """\
processor\t: 0
BogoMIPS\t: {mhz}
Features\t: fp asimd {flags}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: {model}
CPU revision\t: 1
"""


@pytest.mark.parametrize("info", [X86_INFO, ARM_INFO])
def test_a_processor_is_told_from_others(info: str, tmp_path: Path) -> None:
    def told(**differs: str) -> str | None:
        path = tmp_path / "cpuinfo"
        path.write_text(info.format(**{"model": "85", "mhz": "1999.1", "flags": "avx", **differs}))
        return processor(str(path))

    assert told() is not None
    assert told() == told(mhz="3700.5")
    assert len({told(), told(model="86"), told(flags="avx avx2"), told(flags="")}) == 4


@pytest.mark.parametrize("text", ["", "\n", "processor : 0\nmodel : 5\n", "flags : avx\n", "x\n"])
def test_a_processor_of_which_too_little_is_said(text: str, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert processor(str(tmp_path / "cpuinfo")) is None
    assert processor(str(tmp_path / "missing")) is None


@pytest.mark.parametrize("known", [True, False])
def test_the_host_is_described_as_llvm_does(
    known: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later process has LLVM's description from the disk, if it can tell the CPU."""
    asked = 0
    host = Target.host()

    def ask() -> Target:
        nonlocal asked
        asked += 1
        return host

    cache = DiskCache(tmp_path, 1 << 20)
    monkeypatch.setattr(shared, "shared_cache", lambda: cache)
    monkeypatch.setattr(shared, "processor", lambda: "a CPU" if known else None)
    monkeypatch.setattr(Target, "host", staticmethod(ask))
    assert [shared._host() for _ in range(3)] == [host] * 3
    assert asked == (1 if known else 3)
    monkeypatch.setattr(version, "of_llvm", lambda: "another")
    assert shared._host() == host
    assert asked == (2 if known else 4)


def test_code_is_made_anew_for_another_llvm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = version.of_llvm()
    library = tmp_path / "binding" / "libllvmlite.so"
    library.parent.mkdir()
    library.write_bytes(b"code")
    monkeypatch.setattr(llvmlite, "__file__", str(tmp_path / "__init__.py"))
    texts = {before}
    for content in (b"code", b"longer code"):
        library.write_bytes(content)
        version.of_llvm.cache_clear()
        texts.add(version.of_llvm())
    monkeypatch.setattr(llvmlite, "__version__", "0.0.1")
    version.of_llvm.cache_clear()
    texts.add(version.of_llvm())
    version.of_llvm.cache_clear()
    assert len(texts) == 4
