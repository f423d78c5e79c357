"""Likelihoods of one's own, against scipy, R's survreg, least squares and the families they are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import optimize, stats

import formula_torch as ft
from formula_torch.errors import DataError, FormulaError, InferenceWarning
from formula_torch.families import Density, resolve_several

PAGE = Path(__file__).parents[1] / "docs" / "likelihood.md"
REFERENCE = Path(__file__).parent / "reference" / "likelihood"
N = 300


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    x, z = rng.normal(size=N), rng.normal(size=N)
    duration, end = np.exp(1 + 0.5 * x) * rng.weibull(1.6, N), rng.exponential(6, N)
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "y": 1 + 2 * x - z + np.exp(0.3 * z) * rng.standard_t(4, N),
            "counts": rng.poisson(rng.gamma(2, 0.5, N) * np.exp(0.5 + 0.4 * x)),
            "time": np.minimum(duration, end),
            "event": duration <= end,
            "above": stats.truncnorm.rvs((0 - 0.5 - x) / 1.2, np.inf, 0.5 + x, 1.2, random_state=3),
            "w": rng.uniform(0.5, 2, N),
            "f": rng.integers(1, 4, N),
            "t": rng.uniform(0.5, 3, N),
            "firm": rng.integers(0, 20, N),
        },
        index=np.arange(N) + 1000,
    )


def student(y: Any, mu: Any, sigma: Any, df: Any) -> Any:
    return torch.distributions.StudentT(df, mu, sigma).log_prob(y)


def normal(y: Any, mu: Any, sigma: Any) -> Any:
    return torch.distributions.Normal(mu, sigma).log_prob(y)


def poisson(y: Any, eta: Any) -> Any:
    return y * eta - torch.exp(eta) - torch.lgamma(y + 1)


def negative_binomial(y: Any, eta: Any, alpha: Any) -> Any:
    size, mu = 1 / alpha, torch.exp(eta)
    counts = torch.lgamma(y + size) - torch.lgamma(size) - torch.lgamma(y + 1)
    return counts + size * torch.log(size / (size + mu)) + y * torch.log(mu / (size + mu))


def gumbel(y: Any, mu: Any, beta: Any) -> Any:
    z = (y - mu) / beta
    return -z - torch.exp(-z) - torch.log(beta)


def above_zero(y: Any, mu: Any, sigma: Any) -> Any:
    return normal(y, mu, sigma) - torch.special.log_ndtr(mu / sigma)


def durations(log_density: Callable[[Any], Any], log_survival: Callable[[Any], Any]) -> Any:
    """Of log(time) = mu + sigma z, cut short."""

    def log_likelihood(y: Any, mu: Any, sigma: Any) -> Any:
        time, event = y
        z = (torch.log(time) - mu) / sigma
        return torch.where(event == 1, log_density(z) - torch.log(sigma * time), log_survival(z))

    return log_likelihood


softplus = torch.nn.functional.softplus
CENSORED = {
    "weibull": durations(lambda z: z - torch.exp(z), lambda z: -torch.exp(z)),
    "lognormal": durations(lambda z: -(z**2) / 2 - np.log(2 * np.pi) / 2, lambda z: torch.special.log_ndtr(-z)),
    "loglogistic": durations(lambda z: z - 2 * softplus(z), lambda z: -softplus(z)),
}


def identity(mu: Any) -> Any:
    return mu


STUDENT = Density("Student's t", student, mean=identity, positive=["sigma", "df"])
NORMAL = Density("own normal", normal, mean=identity, positive="sigma", kind="density")
POISSON = Density("own poisson", poisson, mean=torch.exp, exponential=True, kind="probability")
NB2 = Density("own nb", negative_binomial, torch.exp, "alpha", exponential=True, kind="probability")
WEIBULL = Density(
    "Weibull",
    CENSORED["weibull"],
    mean=lambda mu, sigma: torch.exp(mu + torch.lgamma(1 + sigma)),
    positive="sigma",
)


# -- the page -------------------------------------------------------------------------------------


def test_the_documented_example_has_fewer_than_fifteen_lines_and_runs() -> None:
    cells = re.findall(r"```\{code-cell\}\n(?!:tags)(.*?)```", PAGE.read_text(), re.DOTALL)
    example = cells[0]
    lines = [line for line in example.splitlines() if line.strip()]
    assert len(lines) < 15
    assert {"import torch", "import formula_torch as ft"} <= set(lines)
    found: dict[str, Any] = {}
    exec(example.replace("print(model.summary())", "text = str(model.summary())"), found)
    assert "print(model.summary())" in example
    assert "Student's t Regression Results" in found["text"]
    assert np.isfinite(found["model"].bse).all()


# -- against other computations -------------------------------------------------------------------


def curvature(value: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Hessian by central differences of the fourth order."""
    steps, weights = np.array([-2, -1, 1, 2]), np.array([1, -8, 8, -1]) / 12
    h = 1e-3 * np.maximum(np.abs(at), 0.3)
    out, eye = np.zeros((len(at), len(at))), np.eye(len(at))
    for i in range(len(at)):
        for j in range(i + 1):
            moved = [
                a * b * value(at + s * h[i] * eye[i] + t * h[j] * eye[j])
                for a, s in zip(weights, steps, strict=True)
                for b, t in zip(weights, steps, strict=True)
            ]
            out[i, j] = out[j, i] = sum(moved) / (h[i] * h[j])
    return out


def check_against_scipy(fit: Any, value: Callable[[np.ndarray], float], begin: list[float]) -> None:
    """Compare with a maximum found by scipy and errors by differences, all on the natural scale."""
    found = optimize.minimize(lambda p: -value(p), begin, method="Nelder-Mead", options={"maxiter": 300})
    found = optimize.minimize(lambda p: -value(p), found.x, method="BFGS", options={"gtol": 1e-7})
    hessian = curvature(value, found.x)
    # One step of Newton from where rounding stops BFGS.
    slope = optimize.approx_fprime(found.x, value, 1e-6 * np.maximum(np.abs(found.x), 1))
    top = found.x - np.linalg.solve(hessian, slope)
    np.testing.assert_allclose(fit.params, top, rtol=1e-5, atol=1e-6)
    assert fit.llf >= value(top) - 1e-9
    assert fit.llf == pytest.approx(value(fit.params.to_numpy()), rel=1e-12)
    errors = np.sqrt(np.diag(np.linalg.inv(-curvature(value, fit.params.to_numpy()))))
    np.testing.assert_allclose(fit.bse, errors, rtol=1e-5)


def test_student_against_scipy(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x + z", data, family=STUDENT)
    y, columns = data["y"].to_numpy(), np.column_stack([np.ones(N), data["x"], data["z"]])

    def value(p: np.ndarray) -> float:
        return float(stats.t.logpdf(y, p[4], columns @ p[:3], p[3]).sum()) if min(p[3:]) > 0 else -1e10

    assert list(fit.params.index) == ["Intercept", "x", "z", "sigma", "df"]
    check_against_scipy(fit, value, [0, 0, 0, 1, 5])


def test_a_formula_for_the_scale_against_scipy(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x", data, family=STUDENT, formulas={"sigma": "~ z"})
    y, x, z = (data[name].to_numpy() for name in "yxz")

    def value(p: np.ndarray) -> float:
        sigma = np.exp(p[2] + p[3] * z)
        return float(stats.t.logpdf(y, p[4], p[0] + p[1] * x, sigma).sum()) if p[4] > 0 else -1e10

    assert list(fit.params.index) == ["Intercept", "x", "sigma:Intercept", "sigma:z", "df"]
    check_against_scipy(fit, value, [0, 0, 0, 0, 5])
    constant = ft.fit("y ~ x", data, family=STUDENT)
    assert fit.compare_lr_test(constant).statistic == pytest.approx(2 * (fit.llf - constant.llf))
    assert list(fit.update(". ~ . - x").params.index) == ["Intercept", "sigma:Intercept", "sigma:z", "df"]


def test_gumbel_and_truncated_normal_against_scipy(data: pd.DataFrame) -> None:
    x = data["x"].to_numpy()
    largest = data.assign(y=1 + x + 0.8 * np.random.default_rng(2).gumbel(size=N))
    fit = ft.fit("y ~ x", largest, family=Density("Gumbel", gumbel, positive="beta"))

    def of_gumbel(p: np.ndarray) -> float:
        return float(stats.gumbel_r.logpdf(largest["y"], p[0] + p[1] * x, p[2]).sum()) if p[2] > 0 else -1e10

    check_against_scipy(fit, of_gumbel, [0, 0, 1])
    fit = ft.fit("above ~ x", data, family=Density("truncated", above_zero, positive="sigma"))

    def of_truncated(p: np.ndarray) -> float:
        mu, y = p[0] + p[1] * x, data["above"]
        return float((stats.norm.logpdf(y, mu, p[2]) - stats.norm.logcdf(mu / p[2])).sum()) if p[2] > 0 else -1e10

    check_against_scipy(fit, of_truncated, [1, 0, 1])


@pytest.mark.parametrize("name", list(CENSORED))
def test_censored_durations_against_survreg(name: str) -> None:
    peer = json.loads((REFERENCE / "durations_r.json").read_text())[name]
    durations = pd.read_csv(REFERENCE / "durations.csv")
    fit = ft.fit("cbind(time, event) ~ x + group", durations, family=Density(name, CENSORED[name], positive="sigma"))
    np.testing.assert_allclose(fit.params, [*peer["coefficients"], peer["scale"]], rtol=1e-8)
    *errors, of_log_scale = peer["errors"]
    np.testing.assert_allclose(fit.bse, [*errors, of_log_scale * peer["scale"]], rtol=1e-7)
    assert fit.llf == pytest.approx(peer["loglik"], rel=1e-12)
    assert fit.llnull == pytest.approx(peer["null"], rel=1e-10)


@pytest.mark.parametrize("options", [{}, {"vcov": "HC0"}, {"vcov": {"cluster": "firm"}}, {"weights": "w"}])
def test_a_poisson_by_hand_is_poisson(data: pd.DataFrame, options: dict[str, Any]) -> None:
    own = ft.fit("counts ~ x + z", data, family=POISSON, exposure="t", **options)
    peer = ft.fit("counts ~ x + z", data, family="poisson", exposure="t", **options)
    np.testing.assert_allclose(own.params, peer.params, rtol=1e-8)
    np.testing.assert_allclose(own.bse, peer.bse, rtol=1e-8)
    assert own.llf == pytest.approx(peer.llf, rel=1e-10)
    new = data.head(5)
    np.testing.assert_allclose(own.predict(new), peer.predict(new), rtol=1e-8)
    ours, theirs = (fit.get_prediction(new).summary_frame() for fit in (own, peer))
    np.testing.assert_allclose(ours, theirs[ours.columns], rtol=1e-7)
    ours, theirs = (fit.marginal_effects().margeff for fit in (own, peer))
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_a_normal_by_hand_is_least_squares_in_any_unit(data: pd.DataFrame, scale: float) -> None:
    moved = data.assign(y=scale * (data["y"] + 100))
    own, peer = ft.fit("y ~ x + z", moved, family=NORMAL), ft.fit("y ~ x + z", moved)
    np.testing.assert_allclose(own.params.iloc[:-1], peer.params, rtol=1e-9)
    sigma = np.sqrt(peer.ssr / N)
    assert own.params["sigma"] == pytest.approx(sigma, rel=1e-9)
    np.testing.assert_allclose(own.bse.iloc[:-1], peer.bse * np.sqrt(peer.df_resid / N), rtol=1e-9)
    assert own.bse["sigma"] == pytest.approx(sigma / np.sqrt(2 * N), rel=1e-9)
    assert own.llf == pytest.approx(peer.llf, rel=1e-12)
    np.testing.assert_allclose(own.resid, peer.resid, rtol=1e-7, atol=1e-9 * scale)
    assert own.converged


def test_frequency_weights_are_repeated_rows(data: pd.DataFrame) -> None:
    weighted = ft.fit("y ~ x", data, family=STUDENT, weights="f", weights_type="frequency", vcov="HC0")
    repeated = ft.fit("y ~ x", data.loc[data.index.repeat(data["f"])], family=STUDENT, vcov="HC0")
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-8)
    np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-8)


def test_a_negative_binomial_by_hand_is_the_family_with_a_formula_too(data: pd.DataFrame) -> None:
    own = ft.fit("counts ~ x", data, family=NB2, formulas={"alpha": "z"}, exposure="t")
    peer = ft.fit("counts ~ x", data, family="negative_binomial", dispersion="~ z", exposure="t")
    same = ft.fit("counts ~ x", data, family="negative_binomial", formulas={"alpha": "~ z"}, exposure="t")
    assert list(own.params.index) == list(peer.params.index)
    np.testing.assert_allclose(own.params, peer.params, rtol=1e-7)
    np.testing.assert_allclose(own.bse, peer.bse, rtol=1e-7)
    np.testing.assert_array_equal(same.params, peer.params)
    table = own.predict(data.head(3), which="prob", counts=[0, 1, 2])
    np.testing.assert_allclose(table, peer.predict(data.head(3), which="prob", counts=[0, 1, 2]), rtol=1e-7)
    np.testing.assert_allclose(ft.compare(own, peer)["aic"].diff().iloc[1], 0, atol=1e-7)


def test_derivatives_of_a_parameter_that_may_be_any_number() -> None:
    def skewed(y: Any, mu: Any, sigma: Any, slant: Any) -> Any:
        z = (y - mu) / sigma
        return -(z**2) / 2 - torch.log(sigma) + torch.special.log_ndtr(slant * z)

    family = resolve_several(Density("skew normal", skewed, positive="sigma"))
    assert [p.name for p in family.predictors] == ["mu", "sigma", "slant"]
    draw = torch.Generator().manual_seed(1)
    y, eta = (torch.randn(size, generator=draw, dtype=torch.float64) for size in ((40,), (3, 40)))
    found, h = family.derivatives(y, eta), 1e-4
    np.testing.assert_array_equal(found.value, family.loglik(y, eta))

    def moved(j: int, by: float) -> torch.Tensor:
        return eta + by * torch.eye(3, dtype=torch.float64)[j][:, None]

    for j in range(3):
        slope = (family.loglik(y, moved(j, h)) - family.loglik(y, moved(j, -h))) / (2 * h)
        np.testing.assert_allclose(found.first[j], slope, rtol=1e-6, atol=1e-6)
        ends = [family.derivatives(y, moved(j, by)).first for by in (h, -h)]
        for k in range(j, 3):
            np.testing.assert_allclose(found.second(j, k), (ends[0] - ends[1])[k] / (2 * h), rtol=1e-6, atol=1e-6)


# -- a response of several columns ----------------------------------------------------------------


def test_columns_of_the_response_are_dropped_together_and_not_needed_to_predict(data: pd.DataFrame) -> None:
    holed = data.astype({"event": float})
    holed.loc[1003, "event"] = holed.loc[1007, "time"] = np.nan
    fit, peer = (ft.fit("cbind(time, event) ~ x", d, family=WEIBULL) for d in (holed, data.drop(index=[1003, 1007])))
    np.testing.assert_array_equal(fit.params, peer.params)
    assert fit.nobs == N - 2
    expected = np.exp(fit.params["Intercept"] + 2 * fit.params["x"]) * stats.gamma(1).moment(1)
    expected *= np.exp(torch.lgamma(torch.tensor(1 + fit.params["sigma"])).item())
    assert fit.predict({"x": [2.0]}).iloc[0] == pytest.approx(expected, rel=1e-12)
    with pytest.raises(DataError, match=r"`cbind\(time, event\)` has several columns, and no residuals"):
        _ = fit.resid
    assert list(fit.augment().columns) == ["x", "time", "event", "fitted"]
    with pytest.raises(DataError, match=r"in row .*1000.*; infinite"):
        ft.fit("cbind(time, w) ~ x", data.assign(w=np.where(data.index == 1000, np.inf, 1.0)), family=WEIBULL)


def test_models_of_several_columns_are_compared(data: pd.DataFrame) -> None:
    larger, smaller = (ft.fit(f"cbind(time, event) ~ {terms}", data, family=WEIBULL) for terms in ("x + z", "x"))
    z = larger.tvalues["z"]
    assert larger.compare_wald_test(smaller).statistic == pytest.approx(z**2, rel=1e-8)
    assert larger.compare_lr_test(smaller).statistic == pytest.approx(2 * (larger.llf - smaller.llf), rel=1e-12)
    assert ft.anova(larger)["chi2"].iloc[1] == pytest.approx(z**2, rel=1e-8)
    np.testing.assert_allclose(larger.update(". ~ . - z").params, smaller.params, rtol=1e-9)
    text = str(larger.remove_data().summary())
    assert "Weibull Regression Results" in text
    assert "cbind(time, event)" in text


def test_margins_of_a_mean_of_two_parameters_against_differences(data: pd.DataFrame) -> None:
    fit = ft.fit("cbind(time, event) ~ x", data, family=WEIBULL, formulas={"sigma": "~ z"})
    effects, h = fit.marginal_effects(), 1e-5
    for place, name in enumerate(["x", "z"]):
        up, down = (fit.predict(data.assign(**{name: data[name] + by})).mean() for by in (h, -h))
        assert effects.margeff[place] == pytest.approx((up - down) / (2 * h), rel=1e-7)


@pytest.mark.parametrize("case", ["student", "weibull"])
def test_resampling_fits_every_draw(data: pd.DataFrame, case: str) -> None:
    formula, family = {"student": ("y ~ x", STUDENT), "weibull": ("cbind(time, event) ~ x", WEIBULL)}[case]
    few = data.iloc[:60]
    fit = ft.fit(formula, few, family=family)
    found = fit.jackknife()
    for i in (0, 31):
        own = ft.fit(formula, few.drop(index=few.index[i]), family=family)
        np.testing.assert_allclose(found.left_out.iloc[i], own.params, rtol=1e-6)


# -- one value for both verbs ---------------------------------------------------------------------


def test_the_same_value_in_traj_and_fit() -> None:
    def student4(y: Any, mu: Any, sigma: Any, df: float = 4.0) -> Any:
        return student(y, mu, sigma, torch.as_tensor(df, dtype=torch.float64))

    family = Density("student(4)", student4, mean=identity, positive="sigma")
    panel = ft.datasets.simulated_trajectories()
    rows, group = ft.fit("y ~ t", panel, family=family), ft.traj("y ~ t | id", panel, groups=1, family=family)
    np.testing.assert_allclose(group.params, rows.params, rtol=1e-6)
    assert group.llf == pytest.approx(rows.llf, rel=1e-10)


def test_traj_says_which_densities_it_cannot_take() -> None:
    panel = ft.datasets.simulated_trajectories()
    with pytest.raises(ValueError, match=r"has the parameters sigma, df; groups of trajectories can have one"):
        ft.traj("y ~ t | id", panel, groups=2, family=STUDENT)
    with pytest.raises(ValueError, match="the mean of family='Weibull' depends on sigma"):
        ft.traj("y ~ t | id", panel, groups=2, family=WEIBULL)


# -- where to begin -------------------------------------------------------------------------------


def test_the_climb_begins_from_the_users_values_and_ends_at_the_same_top(data: pd.DataFrame) -> None:
    begun = Density("t", student, positive=["sigma", "df"], start={"mu": 0.5, "df": 3.0})
    y = torch.from_numpy(data["y"].to_numpy(copy=True))
    begin = resolve_several(begun).begin(y, None)
    assert begin[0].unique().item() == 0.5
    assert begin[2].exp().unique().item() == pytest.approx(3.0)
    one, other = (ft.fit("y ~ x", data, family=family) for family in (begun, STUDENT))
    np.testing.assert_allclose(one.params, other.params, rtol=1e-7)


def test_a_place_that_torch_refuses_is_none_to_begin_from(data: pd.DataFrame) -> None:
    def exponential(y: Any, rate: Any) -> Any:
        return torch.distributions.Exponential(rate).log_prob(y)

    # Without columns the rate is one over the mean; zero and the logarithm of the mean are no rates here.
    small = data.assign(y=data["time"] / 100)
    fit = ft.fit("y ~ 1", small, family=Density("exponential", exponential))
    assert fit.params["Intercept"] == pytest.approx(1 / small["y"].mean(), rel=1e-8)


def test_a_parameter_that_the_data_do_not_determine_is_said(data: pd.DataFrame) -> None:
    light = data.assign(y=data["x"] + np.random.default_rng(1).uniform(size=N))
    with pytest.warns(InferenceWarning, match="1 parameters are not determined by the data: `df`"):
        fit = ft.fit("y ~ x", light, family=STUDENT)
    assert np.isnan(fit.bse["df"])
    assert np.isfinite(fit.bse.iloc[:3]).all()


# -- what is wrong --------------------------------------------------------------------------------


def off_range(y: Any, mu: Any) -> Any:
    return torch.where(y > 0, -((y - mu) ** 2), -((y - mu) ** 2) + 0 * torch.sqrt(mu - mu))


MISTAKES: dict[str, tuple[Any, str, str]] = {
    "a sum": (lambda y, mu: (-((y - mu) ** 2)).sum(), "", r"returns the shape \(\) for 300 rows"),
    "numpy": (lambda y, mu: (y - mu).detach().numpy(), "", r"returns ndarray, not a tensor"),
    "float32": (lambda y, mu: (-((y - mu) ** 2)).float(), "", r"returns torch\.float32"),
    "kinks": (lambda y, mu, s: -torch.abs(y - mu) / s - s.log(), "s", r"in mu is zero in every row: .* straight"),
    "rows together": (lambda y, mu: -((y - y.mean() - mu) ** 2), "", "changes with the other rows"),
    "unused": (lambda y, mu, s: -((y - mu) ** 2), "s", "does not depend on s"),
    "detached": (lambda y, mu, s: normal(y, mu.detach(), s), "s", "does not depend on mu"),
    "no number": (
        lambda y, mu, s: -(((y.log() - mu) / s) ** 2),
        "s",
        r"`y` has a log-density that is no finite number in",
    ),
    "where": (off_range, "", r"derivative of the log-density in mu that is no finite number.*torch\.where"),
    "outside": (lambda y, k: torch.distributions.Exponential(k).log_prob(y), "", "fails wherever it is begun from: E"),
}


@pytest.mark.parametrize("case", list(MISTAKES))
def test_mistakes_are_told_before_the_climb(data: pd.DataFrame, case: str) -> None:
    log_density, positive, message = MISTAKES[case]
    family = Density("mine", log_density, positive=positive or ())
    with pytest.raises((TypeError, DataError), match=message):
        ft.fit("y ~ x", data, family=family)


def test_rows_without_a_log_density_are_named(data: pd.DataFrame) -> None:
    spoiled = data.assign(time=np.where(np.isin(data.index, [1004, 1009]), -2.0, data["time"]))
    lognormal = Density("lognormal", lambda y, mu, s: -(((torch.log(y) - mu) / s) ** 2) - s.log(), positive="s")
    with pytest.raises(
        DataError, match=r"`time` .* in 2 of the 300 rows used \(from 0: 4, 9; the first has -2\), where"
    ):
        ft.fit("time ~ x", spoiled, family=lognormal)

    def refuse(y: torch.Tensor) -> str:
        return "is not positive." if bool((y <= 0).any()) else ""

    with pytest.raises(DataError, match="`time` is not positive"):
        ft.fit("time ~ x", spoiled, family=replace(lognormal, refuse=refuse))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"log_density": lambda y: y}, "is a function of y, the linear predictor"),
        ({"log_density": lambda *a: a}, r"has the arguments \*a"),
        ({"log_density": torch.add}, "does not name its arguments"),
        ({"positive": "scale"}, "positive= speaks of `scale`, .* it has sigma"),
        ({"start": {"nu": 1.0}}, "start= speaks of `nu`, .* it has mu, sigma"),
        ({"start": {"sigma": 0.0}}, "`sigma` is positive"),
        ({"mean": lambda mu, nu: mu}, "mean= speaks of `nu`"),
    ],
)
def test_a_density_that_cannot_be_is_refused_when_it_is_written(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Density(**{"name": "mine", "log_density": normal, "positive": "sigma", **options})


def test_without_a_mean_there_is_the_linear_predictor(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x", data, family=Density("bare", normal, positive="sigma"))
    linear = fit.predict(which="linear")
    np.testing.assert_allclose(linear, fit.params["Intercept"] + fit.params["x"] * data["x"], rtol=1e-12)
    for call in (fit.predict, fit.marginal_effects, fit.get_prediction, fit.augment):
        with pytest.raises(DataError, match=r"was given no mean=.*which='linear'"):
            call()
    with pytest.raises(DataError, match="the variance of family='own normal' is not known"):
        _ = ft.fit("y ~ x", data, family=NORMAL).resid_pearson


def test_formulas_name_parameters(data: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match=r"formulas= names 'nu', which is no parameter of .*; it has sigma, df"):
        ft.fit("y ~ x", data, family=STUDENT, formulas={"nu": "~ z"})
    with pytest.raises(FormulaError, match="'alpha' is given twice"):
        ft.fit("counts ~ x", data, family="nb2", dispersion="~ z", formulas={"alpha": "~ z"})
    with pytest.raises(FormulaError, match="formulas= names parameters"):
        ft.fit("y ~ x", data, family=STUDENT, dispersion="~ z")
    with pytest.raises(ValueError, match="formulas= is a formula of families that have such a part"):
        ft.fit("y ~ x", data, formulas={"sigma": "~ z"})


@pytest.mark.parametrize("given", [{"name": 3}, {"kind": "x"}, {"mean": "mu"}, {"log_density": 3}, {"refuse": 1}])
def test_a_density_is_checked_when_it_is_made(given) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        Density(**{"name": "own", "log_density": lambda y, mu: y - mu, **given})
