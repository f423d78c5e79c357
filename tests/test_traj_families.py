"""Groups of trajectories of any family: one group is the regression, and groups that were drawn are found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    draw = np.random.default_rng(8)
    n, waves = 80, 6
    t, unit = np.tile(np.arange(waves) / waves, n), np.repeat(np.arange(n), waves)
    high = unit % 2 == 0
    mean = np.exp(np.where(high, 1.6 - 0.4 * t, 0.2 + 0.5 * t))
    share = 1 / (1 + np.exp(-np.where(high, 1.2 - t, -0.8 + 0.5 * t)))
    return pd.DataFrame(
        {
            "id": unit,
            "t": t,
            "high": high,
            "nb": draw.poisson(draw.gamma(4, mean / 4)).astype(float),
            "gam": draw.gamma(6, mean / 6),
            "ig": draw.wald(mean, 12 * mean),
            "be": draw.beta(10 * share, 10 * (1 - share)),
            "truth": (draw.random(n * waves) < share).astype(float),
        }
    )


@pytest.mark.parametrize(("family", "y"), [("negative_binomial", "nb"), ("nb1", "nb"), ("beta", "be")])
def test_one_group_is_the_regression_with_its_errors(panel: pd.DataFrame, family: str, y: str) -> None:
    fit = ft.fit(f"{y} ~ t + I(t^2)", panel, family=family)
    one = ft.traj(f"{y} ~ t + I(t^2) | id", panel, groups=1, family=family)
    names = ["Intercept", "t", "I(t ** 2)"]
    np.testing.assert_allclose(one.params[[f"g1:{name}" for name in names]], fit.params[names], rtol=1e-8)
    np.testing.assert_allclose(one.bse[[f"g1:{name}" for name in names]], fit.bse[names], rtol=1e-7)
    last = fit.params.index[-1]
    assert one.params["sigma"] == pytest.approx(fit.params[last], rel=1e-8)
    assert one.bse["sigma"] == pytest.approx(fit.bse[last], rel=1e-7)
    assert one.llf == pytest.approx(fit.llf, rel=1e-11)


@pytest.mark.parametrize(
    ("family", "y"),
    [
        ("negative_binomial", "nb"),
        (ft.families.of("gamma", "log"), "gam"),
        (ft.families.of("inverse_gaussian", "log"), "ig"),
        ("beta", "be"),
    ],
    ids=["nb2", "gamma", "inverse-gaussian", "beta"],
)
def test_groups_that_were_drawn_are_found(panel: pd.DataFrame, family: object, y: str) -> None:
    fit = ft.traj(f"{y} ~ t | id", panel, groups=2, family=family, starts=8)
    first = panel.groupby("id")["high"].first()
    agree = ((fit.groups == 1) == first).mean()
    # Which group is the larger is chance; overdispersed counts leave some units in doubt.
    assert max(agree, 1 - agree) > 0.85


def test_probit_groups_have_the_likelihood_of_their_definition(panel: pd.DataFrame) -> None:
    from scipy.stats import norm

    fit = ft.traj("truth ~ t | id", panel, groups=2, family=ft.families.of("binomial", "probit"), starts=8)
    total = np.zeros(panel["id"].nunique())
    for k, share in enumerate(fit.shares["share"], 1):
        eta = fit.params[f"g{k}:Intercept"] + fit.params[f"g{k}:t"] * panel["t"]
        rows = np.where(panel["truth"] == 1, norm.logcdf(eta), norm.logsf(eta))
        total += share * np.exp(pd.Series(rows).groupby(panel["id"]).sum().to_numpy())
    assert fit.llf == pytest.approx(np.log(total).sum(), rel=1e-10)


def test_families_without_a_place_are_refused(panel: pd.DataFrame) -> None:
    for family, told in [
        ("zero_inflated_poisson", "have one, reported as sigma"),
        ("quasipoisson", "has no likelihood"),
        (ft.families.of("gamma"), "use link='log'"),
        ("poison", "is not known; use one of 'gaussian'"),
    ]:
        with pytest.raises(ValueError, match=told):
            ft.traj("nb ~ t | id", panel, groups=2, family=family)
