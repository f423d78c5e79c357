"""Options of trajectory models against a log-likelihood written in numpy, and numerical derivatives of it."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import gammaln

import formula_torch as ft

FORMULA = "y ~ t + I(t^2) | id"
CURVES = np.array([[0.5, 0.25, -0.02], [1.6, -0.15, 0.0], [2.4, 0.0, 0.0]])


def panel(family: str, n: int = 120, seed: int = 5) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    male, ses = (draw.random(n) < 0.5).astype(float), draw.normal(size=n)
    odds = np.column_stack([np.zeros(n), -0.5 + male, -1 + 0.8 * ses])
    share = np.exp(odds) / np.exp(odds).sum(1, keepdims=True)
    group = (share.cumsum(1) < draw.random(n)[:, None]).sum(1)
    unit, t = np.repeat(np.arange(n), 7), np.tile(np.arange(7.0), n)
    b = CURVES[group][unit]
    eta, e = b[:, 0] + b[:, 1] * t + b[:, 2] * t**2, draw.uniform(0.5, 2, size=len(t))
    y = {
        "gaussian": lambda: 2 * eta + draw.normal(size=len(t)) * (0.5 + 0.3 * group[unit]),
        "poisson": lambda: draw.poisson(e * np.exp(eta)).astype(float),
        "logit": lambda: (draw.random(len(t)) < 1 / (1 + np.exp(4 - 3 * eta))).astype(float),
    }[family]()
    y[draw.random(len(y)) < 0.1] = np.nan
    return pd.DataFrame({"id": unit + 1, "t": t, "y": y, "e": e, "male": male[unit], "ses": ses[unit]})


ARRAYS: dict[int, tuple] = {}


def arrays(data: pd.DataFrame) -> tuple:
    """Columns of the rows that are complete, and the covariates of their units; read once."""
    if id(data) not in ARRAYS:
        rows = data.dropna()
        codes, _ = pd.factorize(rows["id"], sort=True)
        units = {name: values.to_numpy() for name, values in rows.groupby("id").first()[["male", "ses"]].items()}
        # The data stay alive beside their arrays, so that no others take their place.
        ARRAYS[id(data)] = (rows["t"].to_numpy(), rows["y"].to_numpy(), codes, rows["e"].to_numpy(), units, data)
    return ARRAYS[id(data)][:-1]


def loglik(fit: ft.TrajectoryFit, data: pd.DataFrame, params: np.ndarray) -> tuple[float, float]:
    """Log-likelihood, and the average unit's summed over the groups; plain numpy, by the names."""
    named, k = dict(zip(fit.names, params, strict=True)), fit.n_groups
    t, y, codes, e, units = arrays(data)
    n, offset = len(units["male"]), np.log(e) if fit.spec.exposure else 0.0
    density, odds = np.zeros((k, n)), np.zeros((k, n))
    for g in range(1, k + 1):
        b = [named.get(f"g{g}:{name}", 0.0) for name in ("Intercept", "t", "I(t ** 2)")]
        eta = b[0] + b[1] * t + b[2] * t**2 + offset
        if fit.family.name == "gaussian":
            sigma = named.get("sigma", named.get(f"g{g}:sigma"))
            each = -0.5 * math.log(2 * math.pi) - np.log(sigma) - (y - eta) ** 2 / (2 * sigma**2)
        elif fit.family.name == "poisson":
            each = y * eta - np.exp(eta) - gammaln(y + 1)
        else:
            each = y * eta - np.logaddexp(0, eta)
        density[g - 1] = np.bincount(codes, each, n)
        for name in ("Intercept", "male", "ses"):
            value = named.get(f"membership[{g}]:{name}", 0.0)
            odds[g - 1] += value * (1.0 if name == "Intercept" else units[name])
    share = odds - np.log(np.exp(odds).sum(0))
    joint = density + share
    top = joint.max(0)
    return float(np.sum(top + np.log(np.exp(joint - top).sum(0)))), float(joint.sum() / n)


CASES = {
    "membership": ("gaussian", {"membership": "male + ses"}),
    "membership against the third": ("poisson", {"membership": "male + ses", "reference": 3}),
    "membership of 0/1": ("logit", {"membership": "~ ses", "groups": 2}),
    "degrees": ("gaussian", {"degrees": (2, 1, 0)}),
    "degrees of counts": ("poisson", {"degrees": (0, 2, 1), "membership": "male"}),
    "equal slopes": ("gaussian", {"constraints": "g1:t = g2:t, g1:I(t ** 2) = g2:I(t ** 2)"}),
    "a fixed value": ("poisson", {"constraints": ["g1:I(t ** 2) = -0.01"]}),
    "equal effects": ("poisson", {"membership": "male + ses", "constraints": "membership[2]:ses = membership[3]:ses"}),
    "exposure": ("poisson", {"exposure": "e"}),
    "a sigma each": ("gaussian", {"dispersion": "group"}),
    "a sigma each, constrained": ("gaussian", {"dispersion": "group", "constraints": "g1:t = g2:t"}),
    "prior": ("logit", {"prior": 0.5}),
    "prior and membership": ("poisson", {"prior": 0.5, "membership": "male + ses"}),
    "prior on sigmas": ("gaussian", {"dispersion": "group", "prior": "weak"}),
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request) -> tuple[pd.DataFrame, ft.TrajectoryFit]:
    family, options = CASES[request.param]
    data = panel(family)
    return data, ft.traj(FORMULA, data, **{"groups": 3, "family": family, **options})


def value(fit: ft.TrajectoryFit, data: pd.DataFrame, params: np.ndarray) -> float:
    own, density = loglik(fit, data, params)
    return own + fit.spec.prior * density


def test_the_value_is_that_of_the_parameters(case) -> None:
    data, fit = case
    assert fit.llf == pytest.approx(loglik(fit, data, fit.coefficients)[0], rel=1e-12)
    assert fit.penalised == pytest.approx(value(fit, data, fit.coefficients), rel=1e-12)
    assert (fit.penalised == fit.llf) == (fit.spec.prior == 0)


def free_directions(fit: ft.TrajectoryFit) -> np.ndarray:
    """Directions in which the parameters may move, scaled to their errors, shape (P, free)."""
    if not fit.spec.constraints:
        return np.linalg.cholesky(fit.covariance.matrix)
    values, vectors = np.linalg.eigh(fit.covariance.matrix)
    kept = values > 1e-10 * values.max() * 1e-6
    return vectors[:, kept] * np.sqrt(values[kept])


def test_errors_are_those_of_numerical_derivatives(case) -> None:
    data, fit = case
    root = free_directions(fit)
    size = root.shape[1]
    assert size == fit.n_params

    def at(z: np.ndarray) -> float:
        return value(fit, data, fit.coefficients + root @ z)

    step = np.eye(size) * 0.02
    gradient = np.array([at(e) - at(-e) for e in step]) / 0.04
    # Third derivatives leave 2e-4 or so in a central difference of this step.
    assert np.abs(gradient).max() < 2e-3
    tiny = np.eye(size) * 1e-4
    assert max(abs(at(e) - at(-e)) / 2e-4 for e in tiny) < 1e-4
    centre = at(np.zeros(size))
    hessian = np.array([[at(a + b) - at(a - b) - at(b - a) + at(-a - b) for b in step] for a in step]) / (4 * 0.02**2)
    # In units of the errors the information is the identity.
    np.testing.assert_allclose(-hessian, np.eye(size), atol=5e-3)
    assert centre == pytest.approx(fit.penalised, rel=1e-12)


def test_constraints_hold_and_free_fits_are_better(case) -> None:
    data, fit = case
    for text in fit.spec.constraints:
        for part in text.split(", "):
            left, right = (side.strip() for side in part.split("="))
            other = fit.params[right] if right in fit.params else float(right)
            assert fit.params[left] == pytest.approx(other, rel=1e-9)
    if fit.spec.constraints or fit.spec.degrees:
        free = fit.call.refit.keywords | {"constraints": (), "degrees": None}
        better = ft.traj(FORMULA, data, **free)
        assert better.llf > fit.llf
        assert better.n_params > fit.n_params


# -- degrees --------------------------------------------------------------------------------------


def test_degrees_find_their_groups() -> None:
    data = panel("gaussian", 200)
    fit = ft.traj("y ~ poly(t, 2) | id", data, groups=3, degrees=(0, 1, 2))
    fits = [ft.traj("y ~ t + I(t^2) | id", data, groups=3, degrees=d) for d in ((2, 1, 0), (1, 0, 2), (0, 2, 1))]
    assert [f.llf for f in fits] == pytest.approx([fit.llf] * 3, rel=1e-10)
    assert sorted(fit.spec.degrees) == [0, 1, 2]
    for group, degree in enumerate(fit.spec.degrees, 1):
        assert sum(name.startswith(f"g{group}:poly") for name in fit.names) == degree
    assert fit.search.replicated > 1
    times = np.arange(7.0)
    flat = fit.spec.degrees.index(0) + 1
    assert np.ptp(fit.predict({"t": times}, group=flat)) < 1e-9


@pytest.mark.parametrize(
    ("formula", "degrees", "message"),
    [
        (FORMULA, (1, 2), "3 whole numbers"),
        (FORMULA, (1, 2, -1), "whole numbers"),
        (FORMULA, (1, 2, 3), "degree 3, and the polynomial .* has degree 2"),
        ("y ~ t + e | id", (1, 1, 0), "one polynomial of one variable"),
        ("y ~ 1 | id", (0, 0, 0), "no polynomial"),
    ],
)
def test_degrees_that_cannot_be(formula, degrees, message) -> None:
    with pytest.raises((ValueError, ft.errors.FormulaError), match=message):
        ft.traj(formula, panel("gaussian"), groups=3, degrees=degrees)


# -- constraints, starts, order -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ("g1:t = g2:x", "g2:x"),
        ("g1:t * g2:t = 1", "not linear"),
        ("sigma = 1", "sigma"),
        ("g1:t = membership[2]:Intercept", "mixes"),
    ],
)
def test_constraints_that_cannot_be(constraint, message) -> None:
    with pytest.raises(ft.errors.FormulaTorchError, match=message):
        ft.traj(FORMULA, panel("gaussian"), groups=2, constraints=constraint)


def test_groups_are_renumbered_only_where_constraints_allow() -> None:
    data = panel("gaussian")
    all_equal = ft.traj(FORMULA, data, groups=3, constraints="g1:I(t ** 2) = g2:I(t ** 2) = g3:I(t ** 2)")
    assert all_equal.shares["share"].is_monotonic_decreasing
    assert not any("keep the numbers" in note for note in all_equal.notes)
    fixed = ft.traj(FORMULA, data, groups=3, constraints="g3:t = 0, g3:I(t ** 2) = 0")
    assert fixed.params["g3:t"] == pytest.approx(0, abs=1e-12)
    degrees = ft.traj(FORMULA, data, groups=3, degrees=(0, 2, 2))
    assert fixed.llf == pytest.approx(degrees.llf, rel=1e-10)


def test_a_start_is_where_the_search_begins() -> None:
    data = panel("gaussian")
    fit = ft.traj(FORMULA, data, groups=3)
    for start in (fit, fit.params, dict(fit.params)):
        again = ft.traj(FORMULA, data, groups=3, start=start, starts=0)
        assert again.llf == pytest.approx(fit.llf, rel=1e-13)
        np.testing.assert_allclose(again.params, fit.params, rtol=1e-9)
        assert again.search.starts == 1
    four = ft.traj(FORMULA, data, groups=4, start=fit, starts=0)
    assert four.llf > fit.llf
    moved = fit.params + 0.1
    local = ft.traj(FORMULA, data, groups=3, start=moved, starts=0)
    assert local.llf == pytest.approx(fit.llf, rel=1e-12)


@pytest.mark.parametrize(
    ("start", "message"), [({"x": 1}, "lacks g1:Intercept.*names x"), (3, "a fit of traj"), ("two", "a fit of traj")]
)
def test_starts_that_cannot_be(start, message) -> None:
    with pytest.raises(ft.errors.DataError, match=message):
        ft.traj(FORMULA, panel("gaussian"), groups=3, start=start)
    three = ft.traj(FORMULA, panel("gaussian"), groups=3)
    with pytest.raises(ft.errors.DataError, match="as many, or one fewer"):
        ft.traj(FORMULA, panel("gaussian"), groups=2, start=three)


def test_order_and_reference_are_names_only() -> None:
    data = panel("poisson")
    share = ft.traj(FORMULA, data, groups=3, family="poisson", membership="ses")
    mean = ft.traj(FORMULA, data, groups=3, family="poisson", membership="ses", order="mean", reference=2)
    assert mean.llf == pytest.approx(share.llf, rel=1e-13)
    level = [mean.predict(data.dropna(), group=g).mean() for g in (1, 2, 3)]
    assert level == sorted(level)
    assert "membership[2]:ses" not in mean.params
    # Effects against another group are differences of those against the first, errors too.
    place = {g: int(np.argmin(np.abs(share.share_values - mean.share_values[g - 1]))) + 1 for g in (1, 2, 3)}

    def effect(g: int) -> str:
        return f"membership[{place[g]}]:ses" if place[g] != 1 else "0 * membership[2]:ses"

    for g in (1, 3):
        difference = share.lincom(f"{effect(g)} - {effect(2)}").iloc[0]
        assert mean.params[f"membership[{g}]:ses"] == pytest.approx(difference["estimate"], rel=1e-8)
        assert mean.bse[f"membership[{g}]:ses"] == pytest.approx(difference["std_error"], rel=1e-8)


# -- membership -----------------------------------------------------------------------------------


def test_units_without_a_covariate_leave() -> None:
    data = panel("gaussian")
    holes = data.copy()
    holes.loc[holes["id"].isin([3, 7]), "ses"] = np.nan
    fit = ft.traj(FORMULA, holes, groups=3, membership="ses")
    rest = ft.traj(FORMULA, data[~data["id"].isin([3, 7])], groups=3, membership="ses")
    assert fit.llf == pytest.approx(rest.llf, rel=1e-12)
    assert any("2 units in which covariates of membership are missing (`ses` of 2)" in note for note in fit.notes)
    assert 3 not in fit.posterior.index
    with pytest.raises(ft.errors.DataError, match=r"2 units .* na_action"):
        ft.traj(FORMULA, holes.dropna(subset="y"), groups=3, membership="ses", na_action="raise")


def test_membership_that_cannot_be() -> None:
    data = panel("gaussian")
    with pytest.raises(ft.errors.DataError, match="`t`, a covariate of membership, varies within 120 units"):
        ft.traj(FORMULA, data, groups=2, membership="t")
    with pytest.raises(ft.errors.FormulaError, match="terms only"):
        ft.traj(FORMULA, data, groups=2, membership="y ~ ses")
    with pytest.raises(ft.errors.UnknownNameError, match="zzz"):
        ft.traj(FORMULA, data, groups=2, membership="zzz")
    twice = data.assign(again=2 * data["ses"])
    with pytest.warns(ft.errors.CollinearityWarning, match="`again` is a combination of"):
        fit = ft.traj(FORMULA, twice, groups=2, membership="ses + again")
    assert np.isnan(fit.params["membership[2]:again"])
    assert fit.llf == pytest.approx(ft.traj(FORMULA, data, groups=2, membership="ses").llf, rel=1e-12)


def test_factors_of_membership_are_of_any_coding() -> None:
    data = panel("poisson").assign(town=lambda d: np.array(["a", "b", "c"])[d["id"] % 3])
    fits = [
        ft.traj(FORMULA, data, groups=2, family="poisson", membership=m)
        for m in ("C(town)", "0 + C(town)", "C(town, Sum)", "~ town")
    ]
    assert [f.llf for f in fits] == pytest.approx([fits[0].llf] * 4, rel=1e-12)
    new = data[data["id"] < 10]
    for fit in fits:
        np.testing.assert_allclose(fit.assign(new), fit.posterior.loc[range(1, 10)], rtol=1e-8, atol=1e-10)


# -- exposure, weights ----------------------------------------------------------------------------


def test_exposure_is_an_offset() -> None:
    data = panel("poisson")
    fits = [
        ft.traj(FORMULA, data, groups=3, family="poisson", exposure="e"),
        ft.traj(FORMULA, data, groups=3, family="poisson", exposure=data["e"].to_numpy()),
        ft.traj(FORMULA, data, groups=3, family="poisson", offset=np.log(data["e"])),
        ft.traj(FORMULA.replace("| id", "+ offset(log(e)) | id"), data, groups=3, family="poisson"),
    ]
    for fit in fits[1:]:
        np.testing.assert_allclose(fit.params, fits[0].params, rtol=1e-9)
        np.testing.assert_allclose(fit.fittedvalues, fits[0].fittedvalues, rtol=1e-9)
    new = data.head(4)
    expected = fits[3].predict(new, group=1)
    np.testing.assert_allclose(fits[0].predict(new, group=1), expected, rtol=1e-10)
    with pytest.raises(ft.errors.DataError, match="array as exposure"):
        fits[1].predict(new)
    np.testing.assert_allclose(fits[1].predict(new, group=1, exposure=new["e"]), expected, rtol=1e-10)
    np.testing.assert_allclose(fits[2].assign(new, offset=np.log(new["e"])), fits[3].assign(new), rtol=1e-8)
    with pytest.raises(ft.errors.DataError, match="exposure is zero or negative in"):
        ft.traj(FORMULA, data.assign(e=0.0), groups=2, family="poisson", exposure="e")
    with pytest.raises(ft.errors.DataError, match="exposure= multiplies"):
        ft.traj(FORMULA, data, groups=2, exposure="e")


def test_weights_may_be_an_array_and_must_be_known() -> None:
    data = panel("gaussian").assign(w=lambda d: 1.0 + d["id"] % 2)
    named = ft.traj(FORMULA, data, groups=2, weights="w")
    array = ft.traj(FORMULA, data, groups=2, weights=data["w"].to_numpy())
    np.testing.assert_allclose(named.params, array.params, rtol=1e-12)
    with pytest.raises(ft.errors.DataError, match="negative, missing, infinite"):
        ft.traj(FORMULA, data.assign(w=np.nan), groups=2, weights="w")


# -- degenerate solutions -------------------------------------------------------------------------


def constant_units() -> pd.DataFrame:
    data = panel("gaussian", 60)
    data.loc[data["id"] <= 15, "y"] = 0.0
    return data


def test_collapsed_groups_are_left_out_and_counted() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit = ft.traj(FORMULA, constant_units(), groups=3, dispersion="group")
    assert any("sigma goes to zero" in str(w.message) for w in told)
    assert fit.search.collapsed > 0
    assert fit.sigma.min() > 0.05
    assert np.isfinite(fit.bse).all()
    weak = ft.traj(FORMULA, constant_units(), groups=3, dispersion="group", prior="weak")
    assert weak.search.collapsed == 0
    assert np.isfinite(weak.bse).all()
    only = constant_units().query("id <= 17")
    with pytest.raises(ft.errors.DataError, match="too many for these data"):
        ft.traj(FORMULA, only, groups=2, dispersion="group")


@pytest.mark.parametrize("family", ["logit", "poisson"])
def test_a_prior_keeps_coefficients_finite(family) -> None:
    data = panel(family)
    data.loc[data["id"] <= 30, "y"] = 0.0
    with pytest.warns(ft.errors.InferenceWarning, match="the data do not determine some parameters"):
        loose = ft.traj(FORMULA, data, groups=4, family=family)
    assert loose.bse.isna().any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weak = ft.traj(FORMULA, data, groups=4, family=family, prior="weak")
    assert weak.bse.max() < 50
    assert weak.llf < loose.llf
    with pytest.raises(ValueError, match="prior"):
        ft.traj(FORMULA, data, groups=2, family=family, prior="strong")


def test_only_what_moves_along_a_lost_direction_has_no_error() -> None:
    data = panel("poisson").assign(town=lambda d: (d["id"] % 3).astype(str))
    low = ft.traj(FORMULA, data, groups=2, family="poisson").groups
    # Nobody of town 0 is in the second group: its membership coefficients run off.
    data = data[~((data["town"] == "0") & data["id"].map(low == 2).fillna(value=False))]
    with pytest.warns(ft.errors.InferenceWarning, match=r"membership\[2\]:Intercept"):
        fit = ft.traj(FORMULA, data, groups=2, family="poisson", membership="C(town)")
    assert fit.bse.filter(like="membership").isna().all()
    assert fit.bse.drop(fit.bse.filter(like="membership").index).notna().all()


def test_fractional_counts_are_doubted() -> None:
    data = panel("poisson").assign(y=lambda d: d["y"] / 2)
    with pytest.warns(ft.errors.InferenceWarning, match="not a whole number in"):
        ft.traj(FORMULA, data, groups=2, family="poisson")


# -- a density of one's own -----------------------------------------------------------------------


def negative_binomial(y: torch.Tensor, eta: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Counts of mean exp(eta) and variance mu + sigma mu^2."""
    size, mu = 1 / sigma, eta.exp()
    return (
        torch.lgamma(y + size)
        - torch.lgamma(size)
        - torch.lgamma(y + 1)
        + size * (torch.log(size) - torch.log(size + mu))
        + y * (eta - torch.log(size + mu))
    )


def test_a_density_of_ones_own_climbs_to_its_maximum() -> None:
    draw = np.random.default_rng(3)
    unit, t = np.repeat(np.arange(150), 6), np.tile(np.arange(6.0), 150)
    mu = np.exp(np.where(unit % 3 == 0, 2.0 - 0.1 * t, 0.3 + 0.2 * t)) * draw.gamma(2, 0.5, len(t))
    data = pd.DataFrame({"id": unit, "t": t, "y": draw.poisson(mu)})
    family = ft.families.Density("nb", negative_binomial, torch.exp, positive="sigma", exponential=True)
    fit = ft.traj("y ~ t | id", data, groups=2, family=family)

    def value(params: np.ndarray) -> float:
        odds = np.array([0.0, params[5]])
        y = torch.from_numpy(data["y"].to_numpy(float))
        joint = np.zeros((2, 150))
        for g in range(2):
            eta = torch.from_numpy(params[2 * g] + params[2 * g + 1] * t)
            each = negative_binomial(y, eta, torch.tensor(params[4], dtype=torch.float64)).numpy()
            joint[g] = np.bincount(unit, each) + odds[g] - np.log(np.exp(odds).sum())
        return float(np.logaddexp(*joint).sum())

    assert fit.llf == pytest.approx(value(fit.coefficients), rel=1e-11)
    root = np.linalg.cholesky(fit.covariance.matrix)
    slopes = [value(fit.coefficients + 1e-4 * r) - value(fit.coefficients - 1e-4 * r) for r in root.T]
    assert np.abs(slopes).max() / 2e-4 < 1e-4
    curved = [value(fit.coefficients + 0.02 * r) + value(fit.coefficients - 0.02 * r) - 2 * fit.llf for r in root.T]
    np.testing.assert_allclose(np.array(curved) / 0.02**2, -1, atol=5e-3)
    assert fit.params["sigma"] == pytest.approx(0.5, abs=0.15)
    assert set(fit.groups.groupby(fit.groups.index % 3 == 0).nunique()) == {1, 2} or fit.shares["share"].max() < 0.75


# -- the call as text -----------------------------------------------------------------------------


def test_the_call_as_text() -> None:
    data = panel("poisson")
    text = "traj(y ~ poly(t, 2) | id, groups=3, family='poisson', degrees=(0, 2, 1), membership='male + ses')"
    fit = ft.fit(text, data, vcov="robust")
    same = ft.traj(
        "y ~ poly(t, 2) | id",
        data,
        groups=3,
        family="poisson",
        degrees=(0, 2, 1),
        membership="male + ses",
        vcov="robust",
    )
    assert isinstance(fit, ft.TrajectoryFit)
    np.testing.assert_array_equal(fit.params, same.params)
    np.testing.assert_array_equal(fit.bse, same.bse)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("traj(y ~ t | id)", "says nothing of groups="),
        ("traj(y ~ t | id, groups=2, colour='red')", "options that traj has not: colour"),
        ("trajectory(y ~ t | id, groups=2)", "calls `trajectory`"),
        ("traj(y ~ t | id, groups=two)", "no plain value"),
        ("traj(y ~ t | id, 2)", "not of the form name=value"),
        ("traj(y ~ t | id, groups=2, groups=3)", "twice"),
    ],
)
def test_texts_that_cannot_be(text, message) -> None:
    with pytest.raises(ft.errors.FormulaError, match=message):
        ft.fit(text, panel("poisson"))
    with pytest.raises(ValueError, match="given in the text and as an argument"):
        ft.fit("traj(y ~ t | id, groups=2, vcov='iid')", panel("poisson"), vcov="robust")


@pytest.mark.parametrize("option", [{"link": "log"}, {"bounds": {"t": (0, 1)}}, {"use_t": True}, {"inflation": "~ t"}])
def test_options_of_regressions_are_refused_of_a_text(option) -> None:
    with pytest.raises(ValueError, match="traj has no such option"):
        ft.fit("traj(y ~ t | id, groups=2)", panel("poisson"), **option)


def test_options_that_both_have_are_taken_of_a_text() -> None:
    assert ft.fit("traj(y ~ t | id, groups=1)", panel("poisson"), family="poisson").family.name == "poisson"
