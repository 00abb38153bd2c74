"""A processor as kernels and their models see it: vectors, caches, cores, memory; values alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from hardware_sim.errors import InputError, choose


@dataclass(frozen=True)
class InstructionSet:
    """Vector instructions that a kernel is compiled for.

    Attributes:
        name: Its name.
        width: float32 numbers in a vector.
        rows: Rows of the register block of a product; two vectors wide.
        flags: Compiler flags.
        features: Processor features that it needs, as ``/proc/cpuinfo`` names them.
        architectures: Processors that have it, or none for all.
        includes: Other sets that every processor with it has, the widest first.
    """

    name: str
    width: int
    rows: int
    flags: tuple[str, ...]
    features: frozenset[str] = frozenset()
    architectures: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()


_X86 = ("x86_64", "AMD64")
_AVX512 = ("avx512f", "avx512vl", "avx512dq", "avx512bw")
INSTRUCTION_SETS = {
    each.name: each
    for each in (
        InstructionSet(
            "avx512",
            16,
            14,
            ("-mfma", "-mprefer-vector-width=512", *(f"-m{name}" for name in _AVX512)),
            frozenset({"avx2", "fma", *_AVX512}),
            _X86,
            ("avx2", "portable"),
        ),
        InstructionSet(
            "avx2", 8, 6, ("-mavx2", "-mfma"), frozenset({"avx2", "fma"}), _X86, ("portable",)
        ),
        InstructionSet(
            "neon", 4, 12, (), frozenset({"asimd"}), ("aarch64", "arm64"), ("portable",)
        ),
        InstructionSet("portable", 4, 6, ()),
    )
}
"""The widest first; ``portable`` runs anywhere."""

VOLATILE = ("system", "cores", "memory_bytes")
"""Parts of a machine that may change while its times stay the same."""


@dataclass(frozen=True)
class Machine:
    """A processor that kernels are planned for: a table's, or the one that measures.

    Attributes:
        processor: Its name.
        family: Family, as Linux lists it; empty where it lists none.
        model: Model, as Linux lists it; empty where it lists none.
        cores: Cores that a process may use.
        instruction_set: The widest of :data:`INSTRUCTION_SETS` that it has.
        l1d_bytes: First-level data cache of a core.
        l2_bytes: Second-level cache that one core sees.
        l3_bytes: Third-level cache that one core sees.
        system: The operating system.
        memory_bytes: Physical memory; None where it is not known, which limits nothing.

    Raises:
        InputError: There is no such instruction set, or a number is below 1.
    """

    processor: str
    family: str
    model: str
    cores: int
    instruction_set: str
    l1d_bytes: int
    l2_bytes: int
    l3_bytes: int
    system: str
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        choose("instruction set", self.instruction_set, [*INSTRUCTION_SETS])
        for name in ("cores", "l1d_bytes", "l2_bytes", "l3_bytes", "memory_bytes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value!r}; allowed are integers from 1 up")

    @property
    def instruction_sets(self) -> tuple[InstructionSet, ...]:
        """All that it has, the widest first."""
        widest = INSTRUCTION_SETS[self.instruction_set]
        return (widest, *(INSTRUCTION_SETS[name] for name in widest.includes))

    def isa(self, name: str = "") -> InstructionSet:
        """The instruction set of that name, whether the machine has it or not; else its widest.

        Raises:
            InputError: There is none of that name.
        """
        name = name or self.instruction_set
        return INSTRUCTION_SETS[choose("instruction set", name, [*INSTRUCTION_SETS])]

    def difference(self, here: "Machine") -> str:
        """The difference from the machine here, :data:`VOLATILE` aside; empty if there is none."""
        for name in (each.name for each in fields(self) if each.name not in VOLATILE):
            ours, theirs = getattr(self, name), getattr(here, name)
            if ours != theirs:
                return f"{name} {ours!r}, here {theirs!r}"
        return ""

    def to_json(self) -> dict[str, Any]:
        """The form that :meth:`from_json` reads, as reports, plans and tables keep it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Machine":
        """The machine that a plan or the head of a table describes.

        Raises:
            InputError: A part is missing or unknown, or as for the class.
        """
        names = {each.name for each in fields(cls)}
        if unknown := content.keys() - names:
            raise InputError(f"a machine has no {', '.join(sorted(unknown))}")
        if missing := names - {"memory_bytes"} - content.keys():
            raise InputError(f"a machine needs {', '.join(sorted(missing))}")
        return cls(**content)
