"""Links that lead out of the range of the mean: a climb stays inside, and says where it was stopped by the edge."""

import numpy as np
import pytest

import formula_torch as ft

ROW = np.arange(200)
SHARES = {"x": ROW / 200, "y": np.where(100 * np.exp(-1.2 + 0.9 * ROW / 200) > (ROW * 37) % 100, 1.0, 0.0)}


@pytest.mark.parametrize(
    ("link", "params"),
    [("log", [-1.209971419082738, 0.926779144684748]), ("identity", [0.268823080402001, 0.446708009635761])],
)
def test_a_binomial_mean_by_other_links_is_that_of_r(link, params):
    # glm(y ~ x, binomial(link), start = ..., control = list(epsilon = 1e-14, maxit = 200))
    fit = ft.fit("y ~ x", SHARES, family="binomial", link=link)
    np.testing.assert_allclose(fit.params, params, rtol=1e-7)
    assert fit.converged


def test_log_likelihood_of_relative_risks_is_that_of_r():
    assert ft.fit("y ~ x", SHARES, family="binomial", link="log").llf == pytest.approx(-131.662107830022, rel=1e-12)


@pytest.mark.parametrize("family", ["poisson", "quasipoisson"])
def test_a_mean_of_counts_is_not_negative_where_the_count_is_zero(family):
    data = {"x": np.arange(10.0), "y": np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6.0])}
    with pytest.warns(ft.errors.ConvergenceWarning, match="those of 1 rows are at it"):
        fit = ft.fit("y ~ x", data, family=family, link="identity")
    # Of means a + b x with a >= 0 the likelihood is highest at a = 0, b = sum(y) / sum(x).
    np.testing.assert_allclose(fit.params, [0.0, 21 / 45], atol=1e-9)
    assert not fit.converged


def test_a_share_stops_at_one():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=400)
    y = (rng.uniform(size=400) < np.exp(-1.2 + 1.2 * x)).astype(float)
    with pytest.warns(ft.errors.ConvergenceWarning, match="edge of the means that family='binomial' can have"):
        fit = ft.fit("y ~ x", {"x": x, "y": y}, family="binomial", link="log")
    assert fit.fittedvalues.max() == pytest.approx(1.0, abs=1e-9)


def test_a_negative_mean_is_no_mean_of_a_mixture():
    with pytest.raises(ValueError, match="not defined for every linear predictor"):
        ft.traj(
            "y ~ t | id",
            {"y": [1.0, 2, 1, 2], "t": [0.0, 1, 0, 1], "id": [1, 1, 2, 2]},
            groups=1,
            family=ft.families.of("inverse_gaussian", link="identity"),
        )
