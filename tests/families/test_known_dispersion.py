"""The negative binomial distribution of a given dispersion, from next to none to much."""

import numpy as np
import pytest
import torch
from scipy import stats

from formula_torch.families import negative_binomial, resolve_generalized

Y = torch.tensor([0.0, 1.0, 2.0, 7.0, 40.0], dtype=torch.float64)
ETA = torch.tensor([-1.0, 0.2, 1.1, 1.9, 3.5], dtype=torch.float64)
ONE = torch.ones_like(Y)


@pytest.mark.parametrize("alpha", [0.05, 1.0, 8.0])
def test_it_is_scipys(alpha):
    found = resolve_generalized(negative_binomial(alpha), "log").loglik(Y, ETA, 1.0, ONE).numpy()
    mu = ETA.exp().numpy()
    np.testing.assert_allclose(found, stats.nbinom.logpmf(Y.numpy(), 1 / alpha, 1 / (1 + alpha * mu)), rtol=1e-12)


@pytest.mark.parametrize("alpha", [1e-8, 1e-12])
def test_next_to_none_is_poisson_to_the_last_digits(alpha):
    found = resolve_generalized(negative_binomial(alpha), "log").loglik(Y, ETA, 1.0, ONE)
    poisson = resolve_generalized("poisson", None).loglik(Y, ETA, 1.0, ONE)
    # To first order in alpha: ((y - mu)^2 - y) / 2.
    first = alpha * ((Y - ETA.exp()) ** 2 - Y) / 2
    np.testing.assert_allclose(found, poisson + first, rtol=1e-12)


def test_no_mean_is_negative():
    family = resolve_generalized(negative_binomial(0.5), "identity")
    assert torch.isnan(family.deviance(torch.zeros(1), torch.tensor([-0.5]))).all()
