"""Double-double arithmetic: a number as the unevaluated sum of two float64, about 32 digits.

The error-free transformations are those of Dekker (1971, Numer. Math. 18:224-242)
and Knuth; the products split by Veltkamp, because torch has no fused multiply-add.
The operators work on torch tensors elementwise with broadcasting.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["DoubleDouble", "dd_matmul", "dd_product", "dd_sum"]

_SPLITTER = 134217729.0  # 2**27 + 1: halves the 53-bit significand


def _two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


def _fast_two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    s = a + b
    return s, b - (s - a)


def _split(a: Tensor) -> tuple[Tensor, Tensor]:
    t = _SPLITTER * a
    high = t - (t - a)
    return high, a - high


def _two_product(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    p = a * b
    a_hi, a_lo = _split(a)
    b_hi, b_lo = _split(b)
    return p, ((a_hi * b_hi - p) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo


@dataclass(frozen=True)
class DoubleDouble:
    """An array ``hi + lo`` with ``|lo| <= ulp(hi) / 2``, elementwise.

    Parameters
    ----------
    hi, lo : Tensor, float64, one shape
        The leading part (the float64 nearest to the value) and the remainder.

    Examples
    --------
    >>> import torch
    >>> third = DoubleDouble.of(torch.tensor(1.0, dtype=torch.float64)) / torch.tensor(3.0).double()
    >>> bool(abs((third * torch.tensor(3.0).double()).lo) < 1e-31)
    True
    """

    hi: Tensor
    lo: Tensor

    @staticmethod
    def of(x: Tensor) -> DoubleDouble:
        """Widen a float64 array."""
        return DoubleDouble(x, torch.zeros_like(x))

    def __getitem__(self, index: object) -> DoubleDouble:
        return DoubleDouble(self.hi[index], self.lo[index])  # type: ignore[index]

    def __neg__(self) -> DoubleDouble:
        return DoubleDouble(-self.hi, -self.lo)

    def __add__(self, other: DoubleDouble) -> DoubleDouble:
        s, e = _two_sum(self.hi, other.hi)
        t, f = _two_sum(self.lo, other.lo)
        s, e = _fast_two_sum(s, e + t)
        return DoubleDouble(*_fast_two_sum(s, e + f))

    def __sub__(self, other: DoubleDouble) -> DoubleDouble:
        return self + (-other)

    def __mul__(self, other: DoubleDouble | Tensor) -> DoubleDouble:
        if isinstance(other, DoubleDouble):
            p, e = _two_product(self.hi, other.hi)
            return DoubleDouble(*_fast_two_sum(p, e + (self.hi * other.lo + self.lo * other.hi)))
        p, e = _two_product(self.hi, other)
        return DoubleDouble(*_fast_two_sum(p, e + self.lo * other))

    def __truediv__(self, other: Tensor) -> DoubleDouble:
        q = self.hi / other
        rest = self - DoubleDouble(*_two_product(q, other))
        return DoubleDouble(*_fast_two_sum(q, rest.hi / other))

    def round(self) -> Tensor:
        """Return the nearest float64 array."""
        return self.hi + self.lo


def dd_product(factors: list[Tensor]) -> DoubleDouble:
    """Multiply float64 arrays elementwise without losing the rounding errors."""
    product = DoubleDouble.of(factors[0])
    for factor in factors[1:]:
        product = product * factor
    return product


def dd_sum(x: DoubleDouble) -> DoubleDouble:
    """Sum along the last axis, by halves (the order depends on the length only)."""
    while (n := x.hi.shape[-1]) > 1:
        half = n // 2
        folded = x[..., :half] + x[..., half : 2 * half]
        if n % 2:
            tail = x[..., 2 * half :]
            folded = DoubleDouble(torch.cat([folded.hi, tail.hi], -1), torch.cat([folded.lo, tail.lo], -1))
        x = folded
    return x[..., 0]


def dd_matmul(a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """Multiply small matrices, shapes (m, k) and (k, n); materialises m * n * k products."""
    return dd_sum(a[:, None, :] * DoubleDouble(b.hi.mT[None], b.lo.mT[None]))
