"""Straight-line C for small linear maps of vectors, with common sub-expressions shared.

A generated function reads ``n`` vectors at a stride, and writes its results at a stride; everything
between lives in registers as far as they reach.
"""

import cmath
from collections.abc import Sequence
from fractions import Fraction

from hardware_sim.kernels.cook_toom import Matrix


class Lines:
    """Statements of one C function; every value is assigned to a name once."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def let(self, expression: str) -> str:
        """Adds ``const vec name = expression`` and returns the name."""
        name = f"t{len(self.text)}"
        self.text.append(f"  const vec {name} = {expression};")
        return name

    def combine(self, row: Sequence[Fraction], values: Sequence[str]) -> str:
        """A linear combination; it starts with a term of factor 1 where there is one."""
        terms = [(factor, v) for factor, v in zip(row, values, strict=True) if factor]
        terms.sort(key=lambda term: term[0] != 1)
        if not terms:
            return self.let("(vec){0}")
        text = ""
        for factor, value in terms:
            sign = " - " if factor < 0 else " + " if text else ""
            text += sign + (value if abs(factor) == 1 else f"{float(abs(factor))!r}f * {value}")
        return terms[0][1] if text == terms[0][1] else self.let(text)


def linear(name: str, matrix: Matrix) -> str:
    """C of a function that multiplies a vector of vectors by an exact matrix.

    Two columns that agree up to signs are replaced by the sum and the difference of their inputs;
    two rows that agree up to signs are computed from their common and their opposite part.
    """
    lines = Lines()
    values = [lines.let(f"in[{j} * from]") for j in range(len(matrix[0]))]
    matrix, values = _fold_columns(lines, matrix, values)
    results = _rows(lines, matrix, values)
    stores = [f"  out[{i} * to] = {result};" for i, result in enumerate(results)]
    return _function(name, "const vec *in, long from, vec *out, long to", lines.text + stores)


def _function(name: str, arguments: str, body: list[str]) -> str:
    head = f"static inline __attribute__((always_inline)) void {name}({arguments}) {{"
    return "\n".join([head, *body, "}"])


def _fold_columns(lines: Lines, matrix: Matrix, values: list[str]) -> tuple[Matrix, list[str]]:
    columns = list(zip(*matrix, strict=True))
    free = list(range(len(columns)))
    kept: list[tuple[Fraction, ...]] = []
    names: list[str] = []
    while free:
        j = free.pop(0)
        twin = next((k for k in free if _worth_folding(columns[j], columns[k])), None)
        if twin is None:
            kept.append(columns[j])
            names.append(values[j])
            continue
        free.remove(twin)
        pairs = list(zip(columns[j], columns[twin], strict=True))
        kept += [
            tuple(a if a == b else Fraction(0) for a, b in pairs),
            tuple(a if a == -b else Fraction(0) for a, b in pairs),
        ]
        names += [
            lines.let(f"{values[j]} + {values[twin]}"),
            lines.let(f"{values[j]} - {values[twin]}"),
        ]
    return tuple(zip(*kept, strict=True)), names


def _worth_folding(a: tuple[Fraction, ...], b: tuple[Fraction, ...]) -> bool:
    """True if the columns agree up to signs, and both the sum and the difference are used."""
    alike = [x == y for x, y in zip(a, b, strict=True) if x]
    return [abs(x) for x in a] == [abs(y) for y in b] and any(alike) and not all(alike)


def _rows(lines: Lines, matrix: Matrix, values: list[str]) -> list[str]:
    results = [""] * len(matrix)
    for i, row in enumerate(matrix):
        if results[i]:
            continue
        sizes = [abs(x) for x in row]
        for k in range(i + 1, len(matrix)):
            other = matrix[k]
            common = [x if x == y else Fraction(0) for x, y in zip(row, other, strict=True)]
            opposite = [x if x == -y else Fraction(0) for x, y in zip(row, other, strict=True)]
            if sizes == [abs(y) for y in other] and any(common) and any(opposite):
                even, odd = lines.combine(common, values), lines.combine(opposite, values)
                results[i] = lines.let(f"{even} + {odd}")
                results[k] = lines.let(f"{even} - {odd}")
                break
        else:
            results[i] = lines.combine(row, values)
    return results


class _Complex:
    """A complex vector under construction; ``None`` stands for a part that is zero."""

    def __init__(self, lines: Lines, real: str | None, imaginary: str | None) -> None:
        self.lines, self.parts = lines, (real, imaginary)

    def plus(self, other: "_Complex", sign: str = "+") -> "_Complex":
        return _Complex(
            self.lines,
            *(self._sum(a, b, sign) for a, b in zip(self.parts, other.parts, strict=True)),
        )

    def _sum(self, a: str | None, b: str | None, sign: str) -> str | None:
        if b is None:
            return a
        if a is None:
            return b if sign == "+" else self.lines.let(f"-{b}")
        return self.lines.let(f"{a} {sign} {b}")

    def times(self, factor: complex) -> "_Complex":
        (re, im), (c, s) = self.parts, (factor.real, factor.imag)
        return _Complex(self.lines, self._dot(re, c, im, -s), self._dot(re, s, im, c))

    def _dot(self, a: str | None, x: float, b: str | None, y: float) -> str | None:
        terms = [
            value if factor == 1 else f"-{value}" if factor == -1 else f"{factor!r}f * {value}"
            for value, factor in ((a, x), (b, y))
            if value is not None and factor
        ]
        return self.lines.let(" + ".join(terms)) if terms else None


def fourier(name: str, size: int, *, inverse: bool, real_in: bool, outputs: int) -> str:
    """C of a discrete Fourier transform of vectors, real and imaginary parts in two arrays.

    Args:
        name: Of the function, whose arguments are ``in_re, in_im, from, out_re, out_im, to``.
        size: Points, a power of two.
        inverse: Whether it is the inverse; it is not scaled.
        real_in: Forward: the input is real, and ``in_im`` is not read. Inverse: the input is the
            first half of a spectrum that is symmetric, and the output is real; ``out_im`` is not
            written.
        outputs: How many of the outputs are written, from the first.
    """
    lines = Lines()
    half = size // 2 + 1 if real_in and inverse else size
    values = [
        _Complex(
            lines,
            lines.let(f"in_re[{j} * from]"),
            None if real_in and not inverse else lines.let(f"in_im[{j} * from]"),
        )
        for j in range(half)
    ]
    for j in range(half, size):
        mirrored = values[size - j].parts
        values.append(_Complex(lines, mirrored[0], lines.let(f"-{mirrored[1]}")))
    results = _butterflies(values, 1 if inverse else -1)
    stores = []
    for j, result in enumerate(results[:outputs]):
        stores.append(f"  out_re[{j} * to] = {result.parts[0] or '(vec){0}'};")
        if not (real_in and inverse):
            stores.append(f"  out_im[{j} * to] = {result.parts[1] or '(vec){0}'};")
    arguments = "const vec *in_re, const vec *in_im, long from, vec *out_re, vec *out_im, long to"
    return _function(name, arguments, lines.text + stores)


def _butterflies(values: list[_Complex], sign: int) -> list[_Complex]:
    """Decimation in time, radix 2."""
    if len(values) == 1:
        return values
    even, odd = _butterflies(values[::2], sign), _butterflies(values[1::2], sign)
    turned = [odd[k].times(_root(k, len(values), sign)) for k in range(len(odd))]
    pairs = list(zip(even, turned, strict=True))
    return [a.plus(b) for a, b in pairs] + [a.plus(b, "-") for a, b in pairs]


def _root(k: int, size: int, sign: int) -> complex:
    """A root of unity, exact where it is one of 1, i and -1."""
    if 4 * k % size == 0:
        return (1 + 0j, sign * 1j, -1 + 0j, -sign * 1j)[4 * k // size]
    return cmath.exp(sign * 2j * cmath.pi * k / size)
