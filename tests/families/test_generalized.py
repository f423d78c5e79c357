"""Distributions with links: derivatives against autograd, moments, tails, spellings, pickles."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

import formula_torch as ft
from formula_torch.families import DISTRIBUTIONS, LINKS, GeneralizedFamily, power_link, resolve_generalized, tweedie

PROBABILITY = ["logit", "probit", "cloglog", "loglog", "cauchit"]
POSITIVE = ["log", "inverse", "inverse_squared", "identity", "sqrt"]
PAIRS = [
    *(("gaussian", link) for link in ("identity", "log", "inverse")),
    *(("binomial", link) for link in [*PROBABILITY, "log", "identity"]),
    *((family, link) for family in ("poisson", "gamma", "inverse_gaussian") for link in POSITIVE),
    ("quasipoisson", "log"),
    ("quasibinomial", "logit"),
]
BOTH = [*PAIRS, (tweedie(1.5), "log"), (tweedie(1.2), "sqrt"), (tweedie(3.5), "log"), ("poisson", power_link(0.3))]


def made(family: object, link: object) -> GeneralizedFamily:
    return resolve_generalized(family, link)  # type: ignore[arg-type]


def rows(family: GeneralizedFamily) -> tuple[Tensor, Tensor]:
    """Responses and predictors inside the range of the family."""
    generator = torch.Generator().manual_seed(3)
    u = torch.rand(40, generator=generator, dtype=torch.float64)
    if family.name.endswith("binomial"):
        mean, y = 0.05 + 0.9 * u, torch.cat([torch.zeros(10), torch.ones(10), torch.rand(20, generator=generator)])
    else:
        mean, y = 0.2 + 3 * u, (0.3 + 4 * torch.rand(40, generator=generator)).double()
        y = y.round() if family.name.endswith("poisson") else y
    return y.double(), family.link.link(mean)


@pytest.mark.parametrize(("family", "link"), BOTH, ids=str)
def test_closed_derivatives_equal_autograd(family: object, link: object) -> None:
    known = made(family, link)
    y, eta = rows(known)
    eta.requires_grad_()
    loss = known.deviance(y, eta) / 2
    (slope,) = torch.autograd.grad(loss.sum(), eta, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), eta)
    torch.testing.assert_close(known.score(y, eta), -slope, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(known.curvature(y, eta), bend, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("family", "link"), BOTH, ids=str)
def test_pieces_are_the_parts(family: object, link: object) -> None:
    known = made(family, link)
    y, eta = rows(known)
    loss, score, information = known.pieces(y, eta)
    torch.testing.assert_close(score, known.score(y, eta), rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(information, known.information(eta), rtol=1e-11, atol=1e-13)
    # The loss is half the deviance but for terms of y alone.
    elsewhere = eta + 0.01
    moved = known.pieces(y, elsewhere)[0] - loss
    fall = known.deviance(y, elsewhere) - known.deviance(y, eta)
    torch.testing.assert_close(moved, fall / 2, rtol=1e-9, atol=1e-12)
    deviance, pearson = known.discrepancies(y, eta)
    torch.testing.assert_close(deviance, known.deviance(y, eta), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(pearson, known.pearson(y, eta), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("family", "link"), BOTH, ids=str)
def test_information_is_the_expected_curvature(family: object, link: object) -> None:
    known = made(family, link)
    _, eta = rows(known)
    # The curvature is linear in y: its expectation is its value at the mean.
    torch.testing.assert_close(known.curvature(known.mean(eta), eta), known.information(eta), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", LINKS)
def test_links_are_inverse_and_differentiable(name: str) -> None:
    link = LINKS[name]
    mean = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)
    eta = link.link(mean).requires_grad_()
    torch.testing.assert_close(link.mean(eta), mean, rtol=1e-12, atol=1e-14)
    # A term without effect, by which a straight link has a second derivative at all.
    (slope,) = torch.autograd.grad((link.mean(eta) + 0 * eta**3).sum(), eta, create_graph=True)
    torch.testing.assert_close(link.slope(eta), slope, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(link.curvature(eta), torch.autograd.grad(slope.sum(), eta)[0], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", PROBABILITY)
def test_tails_keep_their_digits(name: str) -> None:
    tails = LINKS[name].tails
    assert tails is not None
    eta = torch.tensor([-30.0, -8.0, -1.0, 0.0, 0.5, 8.0, 30.0], dtype=torch.float64)
    law = {
        "logit": stats.logistic,
        "probit": stats.norm,
        "cloglog": stats.gumbel_l,
        "loglog": stats.gumbel_r,
        "cauchit": stats.cauchy,
    }[name]
    with np.errstate(over="ignore"):
        expected = law.logcdf(eta.numpy()), law.logsf(eta.numpy()), law.logpdf(eta.numpy())
    found = tails.log_mean(eta), tails.log_rest(eta), tails.log_slope(eta)
    for ours, theirs in zip(found, expected, strict=True):
        # scipy's own tails end near -700.
        usable = np.isfinite(theirs) & (np.abs(theirs) < 600)
        np.testing.assert_allclose(ours.numpy()[usable], theirs[usable], rtol=1e-9, atol=1e-15)
    assert all(t.isfinite().all() for t in found if name in ("logit", "probit", "cauchit"))


DENSITIES = {
    "gaussian": lambda y, mu, phi, w: stats.norm.logpdf(y, mu, math.sqrt(phi / w)),
    "poisson": lambda y, mu, phi, w: w * stats.poisson.logpmf(y, mu),
    "gamma": lambda y, mu, phi, w: stats.gamma.logpdf(y, w / phi, scale=mu * phi / w),
    "inverse_gaussian": lambda y, mu, phi, w: stats.invgauss.logpdf(y, mu * phi / w, scale=w / phi),
}


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_loglik_is_that_of_the_density(name: str, weight: float) -> None:
    known = made(name, None)
    y, eta = rows(known)
    phi = 0.7 if known.dispersed else 1.0
    ours = known.loglik(y, eta, phi, torch.full_like(y, weight)).numpy()
    np.testing.assert_allclose(ours, DENSITIES[name](y.numpy(), known.mean(eta).numpy(), phi, weight), rtol=1e-10)


def test_binomial_loglik_counts_the_ways() -> None:
    known = made("binomial", "probit")
    trials, successes = torch.tensor([5.0, 7.0, 1.0]).double(), torch.tensor([2.0, 7.0, 0.0]).double()
    eta = torch.tensor([-0.3, 0.8, 0.1]).double()
    ours = known.loglik(successes / trials, eta, 1.0, trials)
    theirs = stats.binom.logpmf(successes.numpy(), trials.numpy(), known.mean(eta).numpy())
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12)


@pytest.mark.parametrize(("family", "link"), [*PAIRS[::4], (tweedie(1.5), None), ("gamma", power_link(-0.5))], ids=str)
def test_a_family_survives_a_pickle(family: object, link: object) -> None:
    known = made(family, link)
    y, eta = rows(known)
    again = pickle.loads(pickle.dumps(known))
    assert again.name == known.name
    assert again.link.name == known.link.name
    assert torch.equal(again.score(y, eta), known.score(y, eta))


def test_unknown_spellings_list_the_known() -> None:
    with pytest.raises(ValueError, match=r"family='poison' is not known; use one of 'gaussian', 'binomial'"):
        made("poison", None)
    with pytest.raises(ValueError, match=r"link='lgit' is not known; use one of 'identity', 'log'"):
        made("binomial", "lgit")
    with pytest.raises(ValueError, match="power must be above 1"):
        tweedie(0.5)


def test_every_distribution_has_a_family() -> None:
    assert {name for name, _ in PAIRS} == set(DISTRIBUTIONS)
    assert ft.families.of("gamma", "log").link is LINKS["log"]
