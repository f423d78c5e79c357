"""Trajectory models under hostile input: what must not matter does not, and what cannot be is said."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import DataError, DataRemovedError, FormulaError

FORMULA = "y ~ t + x | id"
N, WAVES = 60, 5


def panel(family: str = "gaussian", seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    group, unit, t = draw.integers(0, 2, N), np.repeat(np.arange(N), WAVES), np.tile(np.arange(WAVES) * 1.0, N)
    x, exposure = draw.normal(size=len(t)), draw.uniform(0.5, 3, len(t))
    eta = np.array([0.2, 1.5])[group][unit] + np.array([0.4, -0.2])[group][unit] * t + 0.3 * x
    y = {
        "gaussian": lambda: 2 * eta + draw.normal(size=len(t)),
        "poisson": lambda: draw.poisson(exposure * np.exp(eta)).astype(float),
        "logit": lambda: (draw.random(len(t)) < 1 / (1 + np.exp(2 - 2 * eta))).astype(float),
    }[family]()
    return pd.DataFrame(
        {
            "id": unit,
            "t": t,
            "x": x,
            "y": y,
            "e": exposure,
            "ses": (draw.normal(size=N) + group)[unit],
            "region": np.array(["n", "s", "w"])[draw.integers(0, 3, N)][unit],
            "w": draw.integers(1, 4, N)[unit],
        }
    )


def fitted(data: pd.DataFrame, formula: str = FORMULA, **options) -> ft.TrajectoryFit:
    return ft.traj(formula, data, **{"groups": 2, "starts": 6, **options})


def assert_same(one: ft.TrajectoryFit, other: ft.TrajectoryFit, tolerance: float = 1e-9) -> None:
    assert one.llf == pytest.approx(other.llf, abs=1e-8)
    np.testing.assert_allclose(one.params, other.params, atol=tolerance)
    np.testing.assert_allclose(one.bse, other.bse, atol=tolerance)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return panel()


@pytest.fixture(scope="module")
def fit(data) -> ft.TrajectoryFit:
    return fitted(data)


# -- identifiers and tables -------------------------------------------------------------------------

IDS = {
    "text": lambda v: v.astype(str).str.zfill(3),
    "fractions": lambda v: v + 0.5,
    "past exact floats": lambda v: v.astype("int64") + 2**53,
    "dates": lambda v: pd.to_datetime("2020-01-01") + pd.to_timedelta(v, unit="D"),
    "categories": lambda v: pd.Categorical(v.astype(str).str.zfill(3)),
    "nullable": lambda v: v.astype("Int64"),
    "objects": lambda v: v.astype(object),
}


@pytest.mark.parametrize("kind", list(IDS))
def test_identifiers_of_any_type(kind, data, fit) -> None:
    other = data.assign(id=IDS[kind](data["id"]))
    found = fitted(other)
    assert_same(found, fit)
    assert len(found.posterior) == N
    np.testing.assert_allclose(found.assign(other), found.posterior, atol=1e-12)
    np.testing.assert_allclose(found.predict(other, group="posterior"), fit.fittedvalues, atol=1e-9)


def test_tables_of_any_kind_and_order(data, fit) -> None:
    assert_same(fitted({name: data[name].tolist() for name in data}), fit)
    assert_same(fitted(data.set_axis(np.zeros(len(data), int), axis=0)), fit)
    shuffled = data.sample(frac=1, random_state=1)
    found = fitted(shuffled.set_axis([f"r{i}" for i in shuffled.index], axis=0))
    assert_same(found, fit)
    assert found.fittedvalues.index[0] == f"r{shuffled.index[0]}"
    np.testing.assert_allclose(found.fittedvalues, fit.fittedvalues.loc[shuffled.index], atol=1e-9)


def test_the_data_are_not_changed(data) -> None:
    before = data.copy()
    fitted(data, membership="ses", weights="w", vcov="robust")
    pd.testing.assert_frame_equal(data, before)


# -- rows that are missing --------------------------------------------------------------------------


def test_units_and_rows_without_a_response_leave(data) -> None:
    holes = data.assign(y=data["y"].where((data["id"] > 4) & (data.index % 7 > 0)))
    found = fitted(holes)
    assert_same(found, fitted(holes.dropna(subset="y")))
    assert found.n_units == N - 5 == len(found.posterior)
    assigned = found.assign(holes)
    np.testing.assert_allclose(assigned.loc[5:], found.posterior, atol=1e-12)
    np.testing.assert_allclose(assigned.loc[:4], np.tile(found.shares["share"], (5, 1)), atol=1e-12)


def test_arrays_follow_the_rows_that_stay(data) -> None:
    holes = data.assign(ses=data["ses"].where(data["id"] != 4), y=data["y"].where(data.index % 11 > 0))
    offset = np.sin(np.arange(len(data)))
    arrays = {"offset": offset, "weights": data["w"].to_numpy(), "vcov": {"cluster": data["region"].to_numpy()}}
    found = fitted(holes, membership="ses", **arrays)
    whole = holes.assign(o=offset).dropna()
    assert_same(found, fitted(whole, membership="ses", offset="o", weights="w", vcov={"cluster": "region"}))
    assert int(found.used.sum()) == len(whole)


# -- properties -------------------------------------------------------------------------------------

OPTIONS = {
    "gaussian": {"dispersion": "group", "membership": "ses"},
    "poisson": {"exposure": "e", "membership": "region"},
    "logit": {"offset": "x"},
}


@pytest.mark.parametrize("family", list(OPTIONS))
def test_units_twice_are_weights_of_two(family) -> None:
    data, options = panel(family), {"family": family, "vcov": "robust", **OPTIONS[family]}
    formula = "y ~ t | id"
    once = fitted(data, formula, **{**options, "vcov": "iid"})
    twice = fitted(pd.concat([data, data.assign(id=data["id"] + 1000)]), formula, **options)
    weighted = fitted(data.assign(w=2), formula, weights="w", **options)
    assert_same(weighted, twice)
    assert twice.llf == pytest.approx(2 * once.llf, abs=1e-7)
    np.testing.assert_allclose(weighted.with_vcov("iid").bse * np.sqrt(2), once.bse, rtol=1e-7)
    assert (weighted.n_units, weighted.bic, weighted.bic_rows) == pytest.approx((2 * N, twice.bic, twice.bic_rows))
    np.testing.assert_allclose(weighted.shares, twice.shares, atol=1e-9)
    assert weighted.entropy == pytest.approx(once.entropy, abs=1e-10)


def test_units_of_weight_zero_are_as_if_absent(data) -> None:
    weighted = data.assign(w=np.where(data["id"] < 10, 0.0, 1.5))
    for vcov in ("robust", {"cluster": "region"}):
        found = fitted(weighted, weights="w", vcov=vcov)
        without = fitted(weighted[weighted["w"] > 0], weights="w", vcov=vcov)
        assert_same(found, without)
        np.testing.assert_allclose(found.shares, without.shares, atol=1e-9)
        assert (found.bic, found.bic_rows, found.entropy) == pytest.approx(
            (without.bic, without.bic_rows, without.entropy)
        )


@pytest.mark.parametrize("family", list(OPTIONS))
def test_probabilities_agree_with_one_another(family) -> None:
    data = panel(family)
    found = fitted(data, family=family, **OPTIONS[family])
    posterior = found.posterior
    np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-12)
    # With a constant in membership the score of gamma is zero: shares are mean posteriors.
    np.testing.assert_allclose(posterior.mean(), found.shares["share"], atol=1e-8)
    np.testing.assert_allclose(found.assign(data), posterior, atol=1e-10)
    prior = found.membership_probabilities(data).to_numpy()
    each = np.column_stack([found.predict(data, group=g) for g in (1, 2)])
    np.testing.assert_allclose(found.predict(data), (prior * each).sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(
        found.fittedvalues, (posterior.loc[data["id"]].to_numpy() * each).sum(axis=1), rtol=1e-12
    )


@pytest.mark.parametrize("scale", [1e9, -1e-9, 1e-100])
def test_scales_do_not_matter(scale, data, fit) -> None:
    bent = fitted(data.assign(y=5 * scale + scale * data["y"], x=data["x"] * 1e9))
    assert bent.llf == pytest.approx(fit.llf - len(data) * np.log(abs(scale)), rel=1e-10)
    np.testing.assert_allclose(bent.params[["g1:t", "g2:t"]] / scale, fit.params[["g1:t", "g2:t"]], rtol=1e-8)
    np.testing.assert_allclose(bent.bse[["g1:x", "g2:x"]] * 1e9 / abs(scale), fit.bse[["g1:x", "g2:x"]], rtol=1e-8)
    np.testing.assert_allclose(bent.shares, fit.shares, rtol=1e-8)
    np.testing.assert_allclose(bent.posterior, fit.posterior, atol=1e-8)


@pytest.mark.parametrize("family", ["gaussian", "poisson", "logit"])
def test_a_group_more_never_lowers_the_value(family) -> None:
    data = panel(family)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ft.errors.InferenceWarning)
        values = [fitted(data, family=family, groups=k).llf for k in range(1, 5)]
    assert (np.diff(values) > -1e-7).all()


def test_a_dropped_column_is_as_if_absent(data, fit) -> None:
    with pytest.warns(ft.errors.CollinearityWarning):
        found = fitted(data, "y ~ t + x + I(2 * x) | id")
    names = list(fit.names)
    np.testing.assert_allclose(found.params[names], fit.params, atol=1e-10)
    np.testing.assert_allclose(found.bse[names], fit.bse, atol=1e-10)
    assert (found.n_params, found.aic) == pytest.approx((fit.n_params, fit.aic))
    np.testing.assert_allclose(found.predict(data), fit.predict(data), atol=1e-10)
    np.testing.assert_allclose(found.trajectories("t").iloc[:, 1:], fit.trajectories("t").iloc[:, 1:], atol=1e-10)


def test_redundant_constraints_are_one(data) -> None:
    once = fitted(data, constraints="g1:x = g2:x")
    assert_same(fitted(data, constraints=["g1:x = g2:x", "2 * g2:x = 2 * g1:x", "g1:x - g2:x = 0"]), once)
    assert once.n_params == fitted(data).n_params - 1


def test_coefficients_held_at_zero_are_a_smaller_formula(data) -> None:
    held, without = fitted(data, constraints=["g1:x = 0", "g2:x = 0"]), fitted(data, "y ~ t | id")
    names = list(without.names)
    assert held.llf == pytest.approx(without.llf, abs=1e-8)
    assert held.n_params == without.n_params
    np.testing.assert_allclose(held.params[names], without.params, atol=1e-7)
    np.testing.assert_allclose(held.bse[names], without.bse, rtol=1e-6)


# -- transforms remember the data of the fit --------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "membership"),
    [
        ("y ~ ns(t, 3) | id", "ns(ses, 3)"),
        ("y ~ bs(t, df=4) | id", "poly(ses, 2)"),
        ("y ~ poly(t, 2) + C(region) | id", "scale(ses)"),
    ],
)
def test_a_few_new_rows_are_read_as_those_of_the_fit(formula, membership, data) -> None:
    found = fitted(data, formula, membership=membership)
    few = data[data["id"] < 3]
    np.testing.assert_allclose(found.assign(few), found.posterior.loc[:2], atol=1e-12)
    np.testing.assert_allclose(found.predict(few), found.predict(data).loc[few.index], rtol=1e-12)


def test_scaled_covariates_of_membership_count_each_unit_once(data) -> None:
    unbalanced = data[(data["id"] > 30) | (data["t"] < 2)]
    plain, scaled = fitted(unbalanced, membership="ses"), fitted(unbalanced, membership="scale(ses)")
    assert scaled.llf == pytest.approx(plain.llf, abs=1e-8)
    spread = unbalanced.groupby("id")["ses"].first().std()
    assert scaled.params["membership[2]:scale(ses)"] == pytest.approx(plain.params["membership[2]:ses"] * spread)


# -- life -------------------------------------------------------------------------------------------


def test_copies_and_what_is_left_without_data(data) -> None:
    found = fitted(data, membership="ses + region")
    bare = (pickle.loads(pickle.dumps(found)), found.remove_data(), copy.copy(found), copy.deepcopy(found))
    for other in bare:
        assert_same(other, found, 0.0)
        np.testing.assert_allclose(other.predict(data), found.predict(data), rtol=1e-12)
        np.testing.assert_allclose(other.assign(data), found.posterior, atol=1e-12)
        pd.testing.assert_frame_equal(other.shares, found.shares)
        assert str(other.summary()) == str(found.summary())
    for name in ("posterior", "fittedvalues", "resid"):
        with pytest.raises(DataRemovedError):
            getattr(bare[0], name)
    with pytest.raises(DataRemovedError):
        bare[0].with_vcov("robust")


def test_a_seed_is_a_result(data) -> None:
    one, other = fitted(data, seed=5), fitted(data, seed=5)
    assert_same(one, other, 0.0)
    assert one.search == other.search
    assert_same(fitted(data, groups=np.int64(2), progress=True), fitted(data), 0.0)


# -- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        ({"id": lambda d: d["id"].where(d["id"] != 3)}, {}, DataError, "`id`.*missing in 5"),
        ({"ses": lambda d: d["ses"].where(d["t"] > 0)}, {"membership": "ses"}, DataError, "varies within"),
        ({"ses": lambda d: d["ses"] + d["t"]}, {"membership": "ses"}, DataError, "varies within 60 units"),
        ({"ses": lambda d: d["ses"].where(d["id"] > 0, np.inf)}, {"membership": "ses"}, DataError, "inf"),
        ({}, {"membership": "offset(ses)"}, FormulaError, "terms only"),
        ({}, {"vcov": {"cluster": "t"}}, DataError, "varies within"),
        ({}, {"weights": "t"}, DataError, "varies within"),
        ({"w": lambda d: d["w"].where(d["id"] > 0)}, {"weights": "w"}, DataError, "missing"),
        ({"w": lambda d: -d["w"]}, {"weights": "w"}, DataError, "negative"),
        ({}, {"offset": np.zeros(5)}, DataError, "300 rows"),
        ({}, {"exposure": "e"}, DataError, "exposure"),
        ({"e": lambda d: d["e"] * 0, "y": lambda d: d["t"]}, {"exposure": "e", "family": "poisson"}, DataError, "zero"),
        ({}, {"groups": 61}, DataError, "60 units"),
        ({}, {"groups": 2.0}, ValueError, "whole number"),
        ({}, {"constraints": "g1:x * g2:x = 1"}, FormulaError, "not linear"),
        ({}, {"constraints": "membership[2]:Intercept = g1:x"}, FormulaError, "mixes"),
        ({}, {"prior": np.nan}, ValueError, "prior"),
        ({}, {"vcov": "HC3"}, DataError, "leverage"),
        ({}, {"start": {"g1:t": 1.0}}, DataError, "lacks"),
    ],
)
def test_refusals(change, options, error, message, data) -> None:
    with pytest.raises(error, match=message):
        fitted(data.assign(**change), **options)


def test_new_rows_that_cannot_be_read(data) -> None:
    found = fitted(data, membership="region")
    with pytest.raises(DataError, match="levels"):
        found.predict(data.assign(region="q"))
    with pytest.raises(DataError, match="levels"):
        found.assign(data.assign(region="q"))
    # One curve does not depend on membership.
    np.testing.assert_allclose(found.predict(data[["t", "x"]], group=1), found.predict(data, group=1), rtol=1e-12)
    with pytest.raises(ft.errors.UnknownNameError):
        found.predict(data[["t", "x"]])
    with pytest.raises(DataError, match="not seen 60 units"):
        found.predict(data.assign(id=data["id"] + 1000), group="posterior")
    with pytest.raises(DataError, match="missing in 300"):
        found.assign(data.assign(id=np.nan))
    assert found.predict(data.assign(x=np.nan)).isna().all()
    assert found.assign(data.iloc[:0]).shape == (0, 2)
    assert found.predict(data.iloc[:0]).shape == (0,)
    assert found.assign(data.iloc[[7]]).shape == (1, 2)
    np.testing.assert_allclose(found.assign(data.assign(y=np.nan)), found.membership_probabilities(), rtol=1e-12)
