"""Families of several predictors: closed derivatives against autograd, values against scipy, and the tails of both."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import Tensor

from formula_torch.families.by_count import log_factorial
from formula_torch.families.links import LINKS
from formula_torch.families.several import (
    SEVERAL,
    Beta,
    Multinomial,
    NegativeBinomial1,
    NegativeBinomial2,
    Ordered,
    PoissonCounts,
    SeveralFamily,
    hurdle,
    resolve_several,
    zero_inflated,
)
from formula_torch.families.several.gamma_ratio import LARGE, gamma_ratio, trigamma

LABELS = ("low", "middle", "high", "top")
FAMILIES: dict[str, SeveralFamily] = {
    **{name: family.of_levels(LABELS) for name, family in SEVERAL.items()},
    "poisson": PoissonCounts(),
    "zero_inflated_nb1": zero_inflated("nb1"),
    "hurdle_nb1": hurdle("nb1"),
    "beta_probit": Beta(LINKS["probit"]),
    "ordered_cloglog": Ordered(LABELS, LINKS["cloglog"]),
    "ordered_cauchit": Ordered(LABELS, LINKS["cauchit"]),
}


def rows(family: SeveralFamily, n: int = 60, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(7)
    eta = spread * rng.normal(size=(len(family.predictors), n))
    if isinstance(family, Ordered):
        eta[1:] = np.sort(eta[1:], axis=0) + np.arange(len(eta) - 1)[:, None]
    y = rng.poisson(2.0, n).astype(float)
    if family.levels:
        y = rng.integers(0, len(family.levels), n).astype(float)
    elif isinstance(family, Beta):
        y = rng.beta(2, 3, n)
    return torch.from_numpy(y), torch.from_numpy(eta)


def dense(family: SeveralFamily, y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    found, m = family.derivatives(y, eta), len(eta)
    second = torch.zeros(m, m, eta.shape[1], dtype=torch.float64)
    for j in range(m):
        for k in range(j, m):
            part = found.second(j, k)
            if part is not None:
                second[j, k] = second[k, j] = part
    return found.value, found.first, second


def automatic(family: SeveralFamily, y: Tensor, eta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    eta = eta.clone().requires_grad_()
    value = family.loglik(y, eta)
    (first,) = torch.autograd.grad(value.sum(), eta, create_graph=True)
    second = [torch.autograd.grad(row.sum(), eta, retain_graph=True)[0] for row in first]
    return value.detach(), first.detach(), torch.stack(second)


@pytest.mark.parametrize("name", FAMILIES)
def test_closed_derivatives_are_those_of_autograd(name: str) -> None:
    family = FAMILIES[name]
    y, eta = rows(family)
    value, first, second = dense(family, y, eta)
    value_a, first_a, second_a = automatic(family, y, eta)
    assert torch.allclose(value, value_a, rtol=1e-13, atol=1e-13)
    assert torch.allclose(first, first_a, rtol=1e-10, atol=1e-11)
    # torch's own trigamma, which autograd meets, has nine digits.
    assert torch.allclose(second, second_a, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", FAMILIES)
def test_closed_derivatives_are_those_of_finite_differences(name: str) -> None:
    family = FAMILIES[name]
    y, eta = rows(family)
    _, first, second = dense(family, y, eta)
    h = 1e-5
    for j in range(len(eta)):
        step = torch.zeros_like(eta)
        step[j] = h
        up, down = family.derivatives(y, eta + step), family.derivatives(y, eta - step)
        assert torch.allclose((up.value - down.value) / (2 * h), first[j], rtol=1e-6, atol=1e-7)
        assert torch.allclose((up.first - down.first) / (2 * h), second[j], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_expected_and_variance_are_those_of_the_density(name: str) -> None:
    family = FAMILIES[name]
    _, eta = rows(family, 8, 0.5)
    if isinstance(family, Beta):
        eta[1] += 2.5
    if family.levels:
        p = family.expected(eta)
        assert torch.allclose(p.sum(0), torch.ones(8, dtype=torch.float64), atol=1e-14)
        assert torch.allclose(family.variance(eta), p * (1 - p))
        return
    if isinstance(family, Beta):
        nodes, weights = np.polynomial.legendre.leggauss(400)
        values, mass = torch.from_numpy(0.5 + nodes / 2), torch.from_numpy(weights / 2)
        tolerance = 2e-3
    else:
        values, tolerance = torch.arange(3000, dtype=torch.float64), 1e-7
        mass = torch.ones_like(values)
    for i in range(8):
        p = mass * family.loglik(values, eta[:, i : i + 1].expand(-1, len(values))).exp()
        mean = float((p * values).sum() / p.sum())
        assert float(p.sum()) == pytest.approx(1, rel=tolerance)
        assert float(family.expected(eta)[0, i]) == pytest.approx(mean, rel=tolerance)
        variance = float((p * (values - mean) ** 2).sum() / p.sum())
        assert float(family.variance(eta)[0, i]) == pytest.approx(variance, rel=10 * tolerance)


def test_counts_are_scipys() -> None:
    y, eta = rows(NegativeBinomial2())
    mu, alpha = eta[0].exp().numpy(), eta[1].exp().numpy()
    expected = stats.nbinom.logpmf(y.numpy(), 1 / alpha, 1 / (1 + alpha * mu))
    assert np.allclose(NegativeBinomial2().loglik(y, eta), expected, rtol=1e-11)
    expected = stats.nbinom.logpmf(y.numpy(), mu / alpha, 1 / (1 + alpha))
    assert np.allclose(NegativeBinomial1().loglik(y, eta), expected, rtol=1e-11)


def test_beta_is_scipys() -> None:
    y, eta = rows(Beta())
    mu, phi = special.expit(eta[0].numpy()), np.exp(eta[1].numpy())
    assert np.allclose(Beta().loglik(y, eta), stats.beta.logpdf(y.numpy(), mu * phi, (1 - mu) * phi), rtol=1e-11)


@pytest.mark.parametrize("family", [NegativeBinomial2(), NegativeBinomial1()])
def test_without_overdispersion_the_negative_binomial_is_poisson_without_loss(family: SeveralFamily) -> None:
    y, eta = rows(PoissonCounts())
    poisson = PoissonCounts().derivatives(y, eta)
    mu = eta[0].exp()
    # dl / d alpha at zero (Cameron and Trivedi 2013, section 3.4).
    slope = ((y - mu) ** 2 - y) / 2 / (1 if isinstance(family, NegativeBinomial2) else mu)
    for log_alpha in (-12.0, -20.0, -28.0):
        alpha = math.exp(log_alpha)
        value, first, second = dense(family, y, torch.cat([eta, torch.full_like(eta, log_alpha)]))
        assert torch.allclose(value - poisson.value, alpha * slope, rtol=1e-3, atol=1e-13)
        assert torch.allclose(first[1], alpha * slope, rtol=1e-3, atol=1e-9 * alpha + 1e-14)
        assert torch.allclose(second[1, 1], alpha * slope, rtol=1e-3, atol=1e-4 * alpha + 1e-14)
        assert torch.allclose(first[0], poisson.first[0], rtol=100 * alpha)


def test_gamma_ratios_join_at_the_change_of_formula() -> None:
    y = torch.tensor([0.0, 1.0, 7.0, 250.0], dtype=torch.float64)
    below, above = torch.full_like(y, LARGE), torch.full_like(y, LARGE * (1 + 1e-15))
    for one, other in zip(gamma_ratio(y, below), gamma_ratio(y, above), strict=True):
        assert torch.allclose(one, other, rtol=1e-13, atol=1e-14)
    mixed = gamma_ratio(torch.cat([y, y]), torch.cat([below / 2, above]))
    apart = [torch.cat(pair) for pair in zip(gamma_ratio(y, below / 2), gamma_ratio(y, above), strict=True)]
    assert all(torch.equal(one, other) for one, other in zip(mixed, apart, strict=True))


def test_counts_are_looked_up_where_the_dispersion_is_one_number() -> None:
    y = torch.tensor([0.0, 3.0, 1.0, 3.0, 2.0, 0.0], dtype=torch.float64)
    for r in (0.3, 40.0):
        own, apart = torch.full_like(y, r), torch.full_like(y, r)
        apart[0] += 1e-300 + r * 1e-15
        for one, other in zip(gamma_ratio(y, own), gamma_ratio(y, apart), strict=True):
            assert torch.allclose(one, other, rtol=1e-12, atol=1e-14)
    assert torch.allclose(log_factorial(y), torch.lgamma(y + 1), rtol=1e-15)
    assert torch.equal(log_factorial(y + 0.5), torch.lgamma(y + 1.5))


def test_trigamma_is_scipys() -> None:
    x = np.geomspace(1e-3, 1e6, 50)
    assert np.allclose(trigamma(torch.from_numpy(x)), special.polygamma(1, x), rtol=1e-14)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "cauchit"])
def test_cells_far_in_the_tails_keep_their_digits(link: str) -> None:
    family = Ordered(("a", "b", "c"), LINKS[link])
    for shift in (-20.0, 0.0, 20.0) if link != "cloglog" else (-3.0, 0.0, 20.0):
        eta = torch.tensor([[shift], [-0.5], [0.5]], dtype=torch.float64)
        low, high = -0.5 - shift, 0.5 - shift
        found = float(family.loglik(torch.ones(1, dtype=torch.float64), eta)[0])
        assert found == pytest.approx(_log_cell(link, low, high), rel=1e-11)
        assert bool(family.derivatives(torch.ones(1, dtype=torch.float64), eta).first.isfinite().all())


def _log_cell(link: str, low: float, high: float) -> float:
    """By quadrature of the log density, scaled by its largest value."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    x = (low + high) / 2 + nodes * (high - low) / 2
    tails = LINKS[link].tails
    assert tails is not None
    logs = tails.log_slope(torch.from_numpy(x)).numpy()
    return float(logs.max() + np.log((weights * np.exp(logs - logs.max())).sum() * (high - low) / 2))


def test_cutpoints_must_increase() -> None:
    y = torch.tensor([1.0], dtype=torch.float64)
    eta = torch.tensor([[0.0], [0.5], [0.2]], dtype=torch.float64)
    assert float(Ordered(("a", "b", "c")).loglik(y, eta)) == -math.inf


@pytest.mark.parametrize("base", ["poisson", "negative_binomial", "nb1"])
def test_few_counts_above_zero_keep_their_digits(base: str) -> None:
    family, y = hurdle(base), torch.ones(1, dtype=torch.float64)
    eta = torch.tensor([[-25.0], [0.0], [0.3]], dtype=torch.float64)[[0, 2] if base == "poisson" else [0, 1, 2]]
    found = family.derivatives(y, eta)
    # Of counts so rare all that are not zero are one, but for NB1 with alpha 1: they have the logarithmic distribution.
    ones = 1.0 if base != "nb1" else 0.5 / math.log(2)
    assert float(found.value) == pytest.approx(math.log(special.expit(0.3) * ones), abs=1e-9)
    assert float(found.first[0]) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("g", [-40.0, 40.0])
def test_certain_inflation_has_finite_derivatives(g: float) -> None:
    y = torch.tensor([0.0, 3.0], dtype=torch.float64)
    eta = torch.tensor([[8.0, 1.0], [g, g]], dtype=torch.float64)
    value, first, second = dense(zero_inflated("poisson"), y, eta)
    assert value.isfinite().all()
    assert first.isfinite().all()
    assert second.isfinite().all()


@pytest.mark.parametrize("name", FAMILIES)
def test_beginnings_are_finite_and_families_pickle(name: str) -> None:
    family = FAMILIES[name]
    y, _ = rows(family)
    assert family.loglik(y, family.begin(y, None)).isfinite().all()
    assert family.loglik(y, family.begin(y, torch.rand(60, dtype=torch.float64) + 0.1)).isfinite().all()
    assert pickle.loads(pickle.dumps(family)) == family


def test_responses_that_do_not_fit_are_refused() -> None:
    def refused(name: str, *values: float) -> str:
        return FAMILIES[name].refuse(torch.tensor(values, dtype=torch.float64))

    assert "negative in 1 rows (first: -1)" in refused("negative_binomial", -1, 2)
    assert "has no zeros" in refused("zip", 1, 2)
    assert "zero in every row" in refused("hurdle_poisson", 0, 0)
    assert "strictly between 0 and 1 in 2 rows (first: 0)" in refused("beta", 0, 1, 0.5)
    assert refused("zinb", 0, 3) == ""
    assert "1 level" in Multinomial(("only",)).refuse(torch.zeros(2))
    assert "whole number" in FAMILIES["nb1"].doubt(torch.tensor([0.5]))


def test_spellings() -> None:
    with pytest.raises(ValueError, match=r"'gamma' is not known; use one of 'negative_binomial'"):
        resolve_several("gamma")
    with pytest.raises(ValueError, match="cannot be chosen"):
        resolve_several("zip", "probit")
    with pytest.raises(ValueError, match="no link to a probability"):
        resolve_several("beta", "log")
    with pytest.raises(ValueError, match="no distribution of counts"):
        zero_inflated("gamma")
    assert resolve_several("beta", "probit") == Beta(LINKS["probit"])
