"""Double-double arithmetic against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from formula_torch.numerics.double_double import DoubleDouble, dd_matmul, dd_product, dd_sum


def numbers(n: int, seed: int) -> torch.Tensor:
    draw = np.random.default_rng(seed)
    return torch.from_numpy(draw.normal(size=n) * 10.0 ** draw.integers(-8, 8, n))


def exact(x: DoubleDouble, i: int) -> Fraction:
    return Fraction(float(x.hi[i])) + Fraction(float(x.lo[i]))


@pytest.mark.parametrize("operation", ["add", "sub", "mul", "div"])
def test_operations_keep_thirty_digits(operation: str) -> None:
    a, b = dd_product([numbers(50, 0), numbers(50, 1)]), dd_product([numbers(50, 2), numbers(50, 3)])
    divisor = numbers(50, 4)
    result = {"add": lambda: a + b, "sub": lambda: a - b, "mul": lambda: a * b, "div": lambda: a / divisor}[operation]()
    for i in range(50):
        x, y, d = exact(a, i), exact(b, i), Fraction(float(divisor[i]))
        truth = {"add": x + y, "sub": x - y, "mul": x * y, "div": x / d}[operation]
        scale = abs(x) + abs(y) if operation in ("add", "sub") else abs(truth)
        assert abs(exact(result, i) - truth) <= scale * Fraction(1, 10**30)


@pytest.mark.parametrize("n", [1, 2, 3, 17, 1000])
def test_sum(n: int) -> None:
    x = numbers(n, n)
    truth = sum(Fraction(float(v)) for v in x)
    total = dd_sum(DoubleDouble.of(x))
    error = Fraction(float(total.hi)) + Fraction(float(total.lo)) - truth
    assert abs(error) <= sum(abs(Fraction(float(v))) for v in x) * Fraction(1, 10**29)


def test_matmul() -> None:
    a, b = numbers(12, 5).reshape(3, 4), numbers(8, 6).reshape(4, 2)
    product = dd_matmul(DoubleDouble.of(a), DoubleDouble.of(b))
    for i in range(3):
        for j in range(2):
            terms = [Fraction(float(a[i, k])) * Fraction(float(b[k, j])) for k in range(4)]
            got = Fraction(float(product.hi[i, j])) + Fraction(float(product.lo[i, j]))
            assert abs(got - sum(terms)) <= sum(map(abs, terms)) * Fraction(1, 10**29)
