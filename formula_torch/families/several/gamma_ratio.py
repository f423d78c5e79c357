"""Ratios of gamma functions, with the digits that differences of their logarithms lose when r is large.

    log G(y + r) - log G(r) = y log r + P(y, r)

For r above `LARGE` the three are differences of Stirling's series (DLMF 5.11.1, 5.11.2), in which what cancels has been
taken out beforehand.
"""

from __future__ import annotations

import torch
from torch import Tensor

from formula_torch.families.by_count import counts_of

__all__ = ["gamma_ratio", "trigamma"]

# From here on the series, four terms of it, have all the digits of a float64.
LARGE = 25.0


def trigamma(x: Tensor) -> Tensor:
    """Second derivative of log G; torch's own has nine digits, Hurwitz's zeta function all of them."""
    return torch.special.zeta(torch.full_like(x, 2.0), x)


def gamma_ratio(y: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return P(y, r), and what the digamma and the trigamma function add to the logarithm in its derivatives.

    Parameters
    ----------
    y : Tensor, not negative
    r : Tensor, positive

    Returns
    -------
    P : Tensor
        log G(y + r) - log G(r) - y log r.
    A : Tensor
        psi(y + r) - psi(r) - log(1 + y / r).
    B : Tensor
        psi'(y + r) - psi'(r) - (1 / (y + r) - 1 / r).
    """
    counts = None if r.requires_grad or bool((r != r[:1]).any()) else counts_of(y)
    if counts is None:
        return _ratio(y, r)
    p, a, b = (table[y.long()] for table in _ratio(counts, r[:1].expand_as(counts)))
    return p, a, b


def _ratio(y: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    large = r > LARGE
    if bool(large.all()):
        return _series(y, r)
    if not bool(large.any()):
        return _direct(y, r)
    # Both are finite everywhere, so that neither spoils the other's rows.
    series, direct = _series(y, r.clamp(min=LARGE)), _direct(y, r.clamp(max=LARGE))
    p, a, b = (torch.where(large, one, other) for one, other in zip(series, direct, strict=True))
    return p, a, b


def _direct(y: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x = y + r
    p = torch.lgamma(x) - torch.lgamma(r) - y * r.log()
    a = torch.digamma(x) - torch.digamma(r) - torch.log1p(y / r)
    return p, a, trigamma(x) - trigamma(r) + y / (r * x)


def _series(y: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x = y + r
    p = (x - 0.5) * torch.log1p(y / r) - y + _stirling(x) - _stirling(r)
    half = y / (2 * r * x)
    return p, half + _digamma_rest(x) - _digamma_rest(r), _trigamma_rest(x) - _trigamma_rest(r)


def _stirling(x: Tensor) -> Tensor:
    v = 1 / x
    w = v * v
    return v * (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w / 1680)))


def _digamma_rest(x: Tensor) -> Tensor:
    """psi(x) - log x + 1 / 2x."""
    w = 1 / (x * x)
    return -w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w / 240)))


def _trigamma_rest(x: Tensor) -> Tensor:
    """psi'(x) - 1 / x."""
    v = 1 / x
    w = v * v
    return w * (0.5 + v * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w / 30))))
