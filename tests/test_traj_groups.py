"""Shares, posteriors, adequacy and posteriors by wave, against sums over units and rows written out."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import formula_torch as ft
from formula_torch.errors import DataError, DataRemovedError, FormulaError
from formula_torch.inference.classification import Classification

CURVES = np.array([[0.4, 0.05], [1.0, 0.1], [1.2, -0.15]])
OPTIONS = {
    "gaussian": {"groups": 3, "membership": "male", "weights": "w"},
    "poisson": {"groups": 3, "family": "poisson", "exposure": "e"},
    "logit": {"groups": 2, "family": "logit", "weights": "w"},
}


def panel(family: str, n: int = 90, seed: int = 4) -> pd.DataFrame:
    """Overlapping groups, rows in no order, some missing."""
    draw = np.random.default_rng(seed)
    male = draw.integers(0, 2, n)
    group = np.where(draw.random(n) < 0.3 + 0.3 * male, 0, draw.integers(1, 3, n))
    unit, t = np.repeat(np.arange(n), 6), np.tile(np.arange(6.0), n)
    exposure = draw.uniform(0.5, 2, len(t))
    b = CURVES[group][unit]
    eta = b[:, 0] + b[:, 1] * t
    y = {
        "gaussian": lambda: eta + draw.normal(size=len(t)) * 0.4,
        "poisson": lambda: draw.poisson(exposure * np.exp(eta)).astype(float),
        "logit": lambda: (draw.random(len(t)) < 1 / (1 + np.exp(3 - 4 * eta))).astype(float),
    }[family]()
    y[draw.random(len(y)) < 0.1] = np.nan
    weights = 1 + np.arange(n)[unit] % 3
    data = pd.DataFrame({"id": [f"u{i:03d}" for i in unit], "t": t, "y": y, "e": exposure, "w": weights})
    return data.assign(male=male[unit]).sample(frac=1, random_state=1)


@pytest.fixture(scope="module", params=list(OPTIONS))
def case(request) -> tuple[pd.DataFrame, ft.TrajectoryFit]:
    data = panel(request.param)
    return data, ft.traj("y ~ t | id", data, **OPTIONS[request.param])


def log_densities(fit: ft.TrajectoryFit, rows: pd.DataFrame) -> np.ndarray:
    """By scipy's distributions, shape (K, n)."""
    p, found = fit.params, []
    for g in range(1, fit.n_groups + 1):
        eta = (p[f"g{g}:Intercept"] + p[f"g{g}:t"] * rows["t"]).to_numpy()
        found.append(
            {
                "gaussian": lambda eta=eta: stats.norm.logpdf(rows["y"], eta, p.get("sigma")),
                "poisson": lambda eta=eta: stats.poisson.logpmf(rows["y"], rows["e"] * np.exp(eta)),
                "logit": lambda eta=eta: stats.bernoulli.logpmf(rows["y"], 1 / (1 + np.exp(-eta))),
            }[fit.family.name]()
        )
    return np.array(found)


def prior(fit: ft.TrajectoryFit, male: float) -> np.ndarray:
    p = fit.params
    odds = [1.0]
    for g in range(2, fit.n_groups + 1):
        odds.append(math.exp(p[f"membership[{g}]:Intercept"] + male * p.get(f"membership[{g}]:male", 0.0)))
    return np.array(odds) / sum(odds)


def test_adequacy_is_that_of_sums_over_units(case) -> None:
    data, fit = case
    weight = (
        data.groupby("id")["w"].first() if fit.family.name != "poisson" else 1.0 + 0 * data.groupby("id")["w"].first()
    )
    table = fit.adequacy()
    total, told = 0.0, 0.0
    units: dict[int, list[tuple[float, float]]] = {g: [] for g in range(1, fit.n_groups + 1)}
    for unit, row in fit.posterior.iterrows():
        w = float(weight[unit])
        total += w
        told += w * sum(p * math.log(p) for p in row if p > 0)
        g = max(row.index, key=lambda k, row=row: row[k])
        units[g].append((w, float(row[g])))
        assert fit.groups[unit] == g
    for g, own in units.items():
        size = sum(w for w, _ in own)
        appa = sum(w * p for w, p in own) / size
        spread = math.sqrt(sum(w * (p - appa) ** 2 for w, p in own) / (size - 1))
        share = fit.shares.at[g, "share"]
        odds = appa / (1 - appa)
        expected = {
            "share": share,
            "assigned_share": size / total,
            "mismatch": share - size / total,
            "assigned": size,
            "appa": appa,
            "occ_estimated": odds / (share / (1 - share)),
            "occ_assigned": odds / (size / (total - size)),
            "sd_posterior": spread,
        }
        np.testing.assert_allclose(table.loc[g, list(expected)], list(expected.values()), rtol=1e-11)
        assert list(table.columns) == list(expected)
    assert fit.entropy == pytest.approx(1 + told / (total * math.log(fit.n_groups)), rel=1e-12)
    assert 0.1 < fit.entropy < 0.99


def test_adequacy_outlives_the_units(case) -> None:
    _, fit = case
    for bare in (fit.remove_data(), pickle.loads(pickle.dumps(fit)), fit.with_vcov("OPG")):
        pd.testing.assert_frame_equal(bare.adequacy(), fit.adequacy())
        assert bare.entropy == fit.entropy


def test_entropy_lies_between_knowing_nothing_and_all() -> None:
    weights = np.array([1.0, 2.0, 5.0])
    nothing, everything = np.full((3, 4), 0.25), np.eye(4)[:3]
    assert Classification.of(nothing, weights, nothing.mean(0)).entropy == pytest.approx(0, abs=1e-15)
    assert Classification.of(everything, weights, nothing.mean(0)).entropy == 1
    assert math.isnan(Classification.of(np.ones((3, 1)), weights, np.ones(1)).entropy)


def test_weights_of_units_repeat_them() -> None:
    draw = np.random.default_rng(0)
    posterior, weights = draw.dirichlet(np.ones(3), 40), draw.integers(0, 4, 40)
    weighted = Classification.of(posterior, weights.astype(float), np.array([0.5, 0.3, 0.2]))
    repeated = Classification.of(np.repeat(posterior, weights, 0), np.ones(weights.sum()), np.array([0.5, 0.3, 0.2]))
    for name in ("assigned", "appa", "spread", "entropy"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-12)


def test_doubt_keeps_its_digits_near_certainty() -> None:
    posterior = np.array([[1.0, 3e-20], [1.0, 1e-20], [0.0, 1.0]])
    found = Classification.of(posterior, np.ones(3), np.array([0.5, 0.5]))
    np.testing.assert_allclose(found.odds_of_correct(found.share), [1 / 2e-20, np.inf], rtol=1e-12)
    np.testing.assert_allclose(found.odds_of_correct(found.assigned_share), [1 / 4e-20, np.inf], rtol=1e-12)


def test_a_group_without_units_has_no_adequacy() -> None:
    posterior = np.array([[0.9, 0.1], [0.8, 0.2]])
    found = Classification.of(posterior, np.ones(2), posterior.mean(0))
    assert found.assigned.tolist() == [2, 0]
    assert np.isnan([found.appa[1], found.spread[1], found.odds_of_correct(found.share)[1]]).all()


def test_one_group_has_nothing_to_classify() -> None:
    fit = ft.traj("y ~ t | id", panel("gaussian"), groups=1)
    assert fit.adequacy()["appa"].tolist() == [1]
    assert fit.adequacy()[["occ_estimated", "occ_assigned"]].isna().all(axis=None)
    assert math.isnan(fit.entropy)


def test_posteriors_by_wave_are_those_of_the_rows_so_far(case) -> None:
    data, fit = case
    rows = data.dropna().reset_index(drop=True)
    density, found = log_densities(fit, rows), fit.posterior_by_wave()
    assert found.index.names == ["id", "t"]
    assert len(found) == len(rows)
    for (unit, time), row in found.iloc[::7].iterrows():
        so_far = (rows["id"] == unit) & (rows["t"] <= time)
        joint = np.log(prior(fit, rows["male"][so_far].iloc[0])) + density[:, so_far].sum(axis=1)
        expected = np.exp(joint - joint.max())
        np.testing.assert_allclose(row, expected / expected.sum(), rtol=1e-8, atol=1e-14)
    last = found.groupby(level="id").last()
    pd.testing.assert_frame_equal(last, fit.posterior, rtol=1e-9, check_index_type=False, check_column_type=False)


def test_posteriors_by_wave_of_other_rows(case) -> None:
    data, fit = case
    some = data[data["id"].isin(["u003", "u010"])]
    found = fit.posterior_by_wave(some, time="t")
    # Rows without a response stay, and change nothing.
    assert len(found) == len(some)
    known = fit.posterior_by_wave().loc[["u003", "u010"]]
    pd.testing.assert_frame_equal(found.loc[known.index], known, rtol=1e-9, check_categorical=False)
    steps = found.groupby(level="id").diff().abs().max(axis=1)
    missing = some.set_index(["id", "t"])["y"].isna().reindex(found.index)
    assert (steps[missing & steps.notna()] < 1e-12).all()
    pd.testing.assert_frame_equal(found, fit.posterior_by_wave(some.iloc[::-1]))


def test_rows_of_one_time_arrive_together() -> None:
    data = panel("gaussian").assign(year=lambda d: np.floor(d["t"] / 2))
    fit = ft.traj("y ~ t | id", data, groups=2)
    by_year, by_time = fit.posterior_by_wave(time="year"), fit.posterior_by_wave()
    assert by_year.index.is_unique
    ends = data.dropna().groupby(["id", "year"])["t"].max()
    at = pd.MultiIndex.from_arrays([ends.index.get_level_values("id"), ends])
    np.testing.assert_allclose(by_year, by_time.loc[at], rtol=1e-12)


def test_times_may_be_dates() -> None:
    data = panel("gaussian").assign(day=lambda d: pd.Timestamp("2020-01-31") + pd.to_timedelta(31 * d["t"], "D"))
    fit = ft.traj("y ~ t | id", data, groups=2)
    found = fit.posterior_by_wave(time="day")
    np.testing.assert_array_equal(found, fit.posterior_by_wave())
    assert found.index.get_level_values("day").dtype.kind == "M"


def test_waves_that_cannot_be_told_are_refused() -> None:
    data = panel("gaussian").assign(text=lambda d: d["t"].astype(str), x=lambda d: d["t"] ** 2)
    fit = ft.traj("y ~ t | id", data, groups=2)
    with pytest.raises(DataError, match="`text`, used as time, holds text"):
        fit.posterior_by_wave(time="text")
    with pytest.raises(DataError, match="`t`, used as time, is missing in 1 of"):
        fit.posterior_by_wave(data.assign(t=data["t"].where(np.arange(len(data)) != 5)))
    with pytest.raises(DataError, match="every row is a unit"):
        ft.traj("y ~ t", data, groups=2).posterior_by_wave()
    with pytest.raises(FormulaError, match="several numeric columns"):
        ft.traj("y ~ t + e | id", data, groups=2).posterior_by_wave()
    with pytest.raises(DataRemovedError):
        fit.remove_data().posterior_by_wave()
    pd.testing.assert_frame_equal(fit.remove_data().posterior_by_wave(data.dropna()), fit.posterior_by_wave())


def test_membership_probabilities_are_a_softmax(case) -> None:
    data, fit = case
    found = fit.membership_probabilities()
    male = data.groupby("id")["male"].first()
    assert found.index.equals(fit.posterior.index)
    for unit, row in found.iloc[::11].iterrows():
        np.testing.assert_allclose(row, prior(fit, male[unit]), rtol=1e-12)
    weights = data.groupby("id")["w"].first() if fit.family.name != "poisson" else None
    np.testing.assert_allclose(np.average(found, axis=0, weights=weights), fit.shares["share"], rtol=1e-9)
    profiles = pd.DataFrame({"male": [0.0, 1.0, np.nan]}, index=list("abc"))
    new = fit.membership_probabilities(profiles)
    np.testing.assert_allclose(new.loc[["a", "b"]], [prior(fit, 0), prior(fit, 1)], rtol=1e-12)
    assert new.loc["c"].isna().all() == (fit.spec.membership is not None)


def test_shares_have_intervals_of_any_level(case) -> None:
    _, fit = case
    share, error = fit.shares["share"], fit.shares["std_error"]
    reach = stats.norm.ppf(0.9) * error / (share * (1 - share))
    logit = np.log(share / (1 - share))
    found = fit.shares_at(0.2)
    np.testing.assert_allclose(found["conf_low"], 1 / (1 + np.exp(reach - logit)), rtol=1e-12)
    np.testing.assert_allclose(found["conf_high"], 1 / (1 + np.exp(-reach - logit)), rtol=1e-12)
    pd.testing.assert_frame_equal(fit.shares_at(0.05), fit.shares)


def test_new_units_need_a_name_and_a_possible_response() -> None:
    data = panel("poisson")
    fit = ft.traj("y ~ t | id", data, groups=2, family="poisson")
    lost = data.reset_index(drop=True)
    lost.loc[[4, 9], "id"] = None
    with pytest.raises(DataError, match=r"`id`.*missing in 2 of \d+ rows \(first: row 4\)"):
        fit.assign(lost)
    with pytest.raises(DataError, match="is negative in"):
        fit.assign(data.assign(y=data["y"] - 5))


def test_a_density_of_ones_own_assigns_like_the_family_it_equals() -> None:
    data = panel("gaussian")
    fit = ft.traj("y ~ t | id", data, groups=2, dispersion="group", prior="weak")

    def normal(y: torch.Tensor, eta: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return -(((y - eta) / sigma) ** 2) / 2 - torch.log(sigma)

    own = ft.families.Density("my normal", normal, mean=lambda eta: eta, positive="sigma")
    other = replace(fit, spec=replace(fit.spec, family=own))
    pd.testing.assert_frame_equal(other.assign(data), fit.assign(data), rtol=1e-12)
