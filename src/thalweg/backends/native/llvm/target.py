"""The machine that code is made for: its CPU, its features, and what kernels need to know of it."""

from __future__ import annotations

from functools import cache
from itertools import takewhile

from thalweg.base.record import Record, replace

# What the x86-64 levels add that matters here (System V ABI, x86-64 psABI, "micro-architecture
# levels"); LLVM knows the rest from the level's name.
_LEVELS = {
    "x86-64": "",
    "x86-64-v2": "",
    "x86-64-v3": "+avx,+avx2,+fma,+f16c",
    "x86-64-v4": "+avx,+avx2,+fma,+f16c,+avx512f,+avx512vl",
}

# The lines of /proc/cpuinfo that tell a CPU and its features from others, on x86 and on ARM.
_X86 = {"vendor_id", "cpu family", "model", "stepping", "flags"}
_ARM = {"CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features"}


class Target(Record):
    """A CPU, in LLVM's words. Features are a comma-separated list such as `+avx2,-sse4a`."""

    triple: str
    cpu: str
    features: str

    @staticmethod
    @cache
    def host() -> Target:
        """The machine this process runs on; loads LLVM, which finds out."""
        import llvmlite.binding as llvm

        features = llvm.get_host_cpu_features().flatten()
        return Target(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)

    def restricted(self, level: str) -> Target:
        """The same kind of machine with only the features of an x86-64 level: `x86-64-v3`.

        Raises:
            ValueError: this is not an x86-64 machine, or there is no such level.
        """
        if self.architecture != "x86_64" or level not in _LEVELS:
            raise ValueError(f"no CPU level {level!r} on {self.triple}; known: {list(_LEVELS)}")
        return replace(self, cpu=level, features=_LEVELS[level])

    def has(self, feature: str) -> bool:
        """Whether the CPU has a feature, by LLVM's name: `avx512f`, `f16c`."""
        return f"+{feature}" in self.features.split(",")

    @property
    def architecture(self) -> str:
        """`x86_64` or `aarch64`."""
        name = self.triple.split("-")[0]
        return "aarch64" if name.startswith("arm64") else name

    @property
    def converts_halves(self) -> bool:
        """Whether the CPU has instructions that convert float16."""
        return self.architecture == "aarch64" or self.has("f16c")

    @property
    def vector_bits(self) -> int:
        """Width of the vector registers: 512 (AVX-512), 256 (AVX) or 128 (SSE, NEON)."""
        if self.has("avx512f") and self.has("avx512vl"):
            return 512
        return 256 if self.has("avx") else 128

    @property
    def vector_registers(self) -> int:
        """How many vector registers there are to hold a tile in."""
        return 32 if self.architecture == "aarch64" or self.vector_bits == 512 else 16

    @property
    def attributes(self) -> str:
        """Function attributes for kernels.

        Code runs with subnormal numbers taken for 0 (see `driver.py`); LLVM must know, or it would
        compute constants differently, and tell numbers apart by their bits. Its tuning for many
        AVX-512 CPUs prefers 256-bit vectors and would split ours in two.
        """
        general = 'nounwind "denormal-fp-math"="preserve-sign,preserve-sign"'
        if self.architecture != "x86_64":
            return general
        bits = self.vector_bits
        return f'{general} "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'


def processor(path: str = "/proc/cpuinfo") -> str | None:
    """What Linux says of this machine's CPU, if it tells it from all that code must differ for."""
    try:
        with open(path) as file:
            first = [line.split(":") for line in takewhile(str.strip, file)]
    except OSError:
        return None
    known = {key.strip(): " ".join(value).strip() for key, *value in first}
    for telling in (_X86, _ARM):
        if telling <= known.keys():
            return "; ".join(known[key] for key in sorted(telling))
    return None
