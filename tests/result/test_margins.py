"""Marginal effects of a fit: closed forms, predictions on shifted data, statsmodels, and bad input."""

from __future__ import annotations

import pickle
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import torch
from scipy import stats

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, FormulaError, UnknownNameError
from formula_torch.inference.margins import MeanFunction
from formula_torch.result import RegressionFit


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(21)
    n = 240
    frame = pd.DataFrame(
        {
            "x": draw.lognormal(size=n),
            "z": draw.uniform(1, 5, n),
            "g": draw.choice(["a", "b", "c"], n),
            "h": draw.choice(["u", "v"], n),
            "b": draw.random(n) > 0.4,
            "k": draw.integers(0, 4, n),
            "region": draw.choice(["north", "south", "west"], n),
            "w": draw.uniform(0.5, 2, n),
            "m": draw.integers(1, 4, n),
        },
        index=[f"r{i}" for i in range(n)],
    )
    frame["y"] = 20 + frame["x"] + frame["x"] * frame["z"] / 5 + (frame["g"] == "b") + draw.normal(size=n)
    return frame


def linear(fit, **weights: float) -> tuple[float, float]:
    """Estimate and error of a linear combination of coefficients given by name."""
    vector = pd.Series(0.0, index=fit.params.index)
    for name, value in weights.items():
        vector[name] = value
    return float(vector @ fit.params), float(np.sqrt(vector @ fit.cov_params() @ vector))


def same(effects, expected: tuple[float, float], row: int = 0, rtol: float = 1e-10) -> None:
    np.testing.assert_allclose([effects.margeff[row], effects.margeff_se[row]], expected, rtol=rtol)


# -- slopes ---------------------------------------------------------------------------------------


def test_polynomial_and_interaction(data) -> None:
    fit = ft.fit("y ~ x*z + I(x**2)", data)
    mean_x, mean_z = data["x"].mean(), data["z"].mean()
    effects = fit.marginal_effects()
    same(effects, linear(fit, **{"x": 1, "I(x ** 2)": 2 * mean_x, "x:z": mean_z}))
    same(effects, linear(fit, **{"z": 1, "x:z": mean_x}), row=1)
    table = effects.table
    assert list(table.columns) == [
        *("term", "contrast", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
    ]
    assert table["term"].tolist() == ["x", "z"]
    t = table["estimate"] / table["std_error"]
    np.testing.assert_allclose(table["statistic"], t)
    np.testing.assert_allclose(table["p_value"], 2 * stats.t.sf(np.abs(t), fit.df_resid), rtol=1e-8)
    half = stats.t.ppf(0.975, fit.df_resid) * table["std_error"]
    np.testing.assert_allclose(table["conf_high"] - table["estimate"], half, rtol=1e-8)


def test_at_values(data) -> None:
    fit = ft.fit("y ~ x*z + I(x**2)", data)
    effects = fit.marginal_effects("x", at={"x": [0, 2], "z": [3]})
    for row, x in enumerate((0, 2)):
        same(effects, linear(fit, **{"x": 1, "I(x ** 2)": 2 * x, "x:z": 3}), row=row)
    assert effects.table[["x", "z"]].to_numpy().tolist() == [[0, 3], [2, 3]]
    again = fit.marginal_effects("x", at=pd.DataFrame({"x": [0, 2], "z": [3, 3]}))
    pd.testing.assert_frame_equal(again.table, effects.table)
    assert effects.names == ["x, x=0, z=3", "x, x=2, z=3"]


def test_at_means_and_medians(data) -> None:
    fit = ft.fit("y ~ x*z + I(x**2) + g*x + C(k)", data)
    for place in ("mean", "median"):
        middle = data[["x", "z"]].agg(place)
        shares = {level: (data["g"] == level).mean() for level in "bc"}
        expected = linear(
            fit,
            **{"x": 1, "I(x ** 2)": 2 * middle["x"], "x:z": middle["z"]},
            **{f"g[T.{level}]:x": share for level, share in shares.items()},
        )
        same(fit.marginal_effects("x", at=place), expected)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ np.log(x) * g + z",
        "y ~ poly(x, 3) * b",
        "y ~ bs(x, df=5) + z:x",
        "y ~ scale(x) * C(g, Sum) + I(1 / x)",
        "y ~ ns(np.log(x), df=3) * z + offset(sqrt(x))",
    ],
)
def test_transforms_against_shifted_predictions(data, formula) -> None:
    fit = ft.fit(formula, data)
    inside = data[(data["x"] > data["x"].min() * 1.01) & (data["x"] < data["x"].max() * 0.99)]
    step = 1e-5 * inside["x"]
    slopes = (fit.predict(inside.assign(x=inside["x"] + step)) - fit.predict(inside.assign(x=inside["x"] - step))) / (
        2 * step
    )
    effects = fit.marginal_effects("x", newdata=inside)
    # The reference, plain central differences, has seven digits.
    np.testing.assert_allclose(effects.margeff, slopes.mean(), rtol=1e-7)
    # The error from a refit that knows the gradient: the mean row of shifted designs.
    high, low = (fit.recipe.apply(inside.assign(x=inside["x"] + sign * step)).dense() for sign in (1, -1))
    gradient = ((high - low) / (2 * step.to_numpy()[:, None])).mean(axis=0)
    np.testing.assert_allclose(effects.margeff_se, np.sqrt(gradient @ fit.covariance.matrix @ gradient), rtol=1e-6)


def test_elasticities(data) -> None:
    fit = ft.fit("y ~ x*z", data)
    slope = fit.params["x"] + fit.params["x:z"] * data["z"]
    mu = fit.fittedvalues
    expected = {"eyex": slope * data["x"] / mu, "dyex": slope * data["x"], "eydx": slope / mu}
    for method, rows in expected.items():
        effects = fit.marginal_effects("x", method=method)
        np.testing.assert_allclose(effects.margeff, rows.mean(), rtol=1e-10)
        gradient = np.zeros(4)
        for j, step in enumerate(1e-6 * np.eye(4)):
            b = [fit.params.to_numpy() + sign * step for sign in (1, -1)]
            gradient[j] = np.subtract(*(elasticity(data, v, method) for v in b)) / 2e-6
        # A numerical gradient: six digits.
        np.testing.assert_allclose(
            effects.margeff_se, np.sqrt(gradient @ fit.cov_params().to_numpy() @ gradient), rtol=1e-6
        )


def elasticity(data, b, method: str) -> float:
    x, z = data["x"], data["z"]
    rows = b[1] + b[3] * z
    rows = rows * x if "ex" in method else rows
    return float((rows / (b[0] + b[1] * x + b[2] * z + b[3] * x * z) if "ey" in method else rows).mean())


def test_offsets_count(data) -> None:
    fit = ft.fit("y ~ z", data, offset="x")
    effects = fit.marginal_effects(["x", "z"])
    np.testing.assert_allclose(effects.margeff, [1, fit.params["z"]], rtol=1e-12)
    assert effects.margeff_se[0] == 0
    assert np.isnan(effects.tvalues[0])
    assert fit.marginal_effects().table["term"].tolist() == ["z"]
    array = ft.fit("y ~ z", data, offset=data["x"].to_numpy())
    np.testing.assert_allclose(
        array.marginal_effects("z", method="eydx").margeff, fit.marginal_effects("z", method="eydx").margeff, rtol=1e-12
    )
    with pytest.raises(DataError, match="array as offset"):
        array.marginal_effects("z", newdata=data)


# -- contrasts ------------------------------------------------------------------------------------


def test_factors_are_differences_of_coefficients(data) -> None:
    fit = ft.fit("y ~ g + b + C(k) + x", data)
    effects = fit.marginal_effects(["g", "b", "k"])
    names = ["g[T.b]", "g[T.c]", "b[T.True]", "C(k)[T.1]", "C(k)[T.2]", "C(k)[T.3]"]
    np.testing.assert_allclose(effects.margeff, fit.params[names], rtol=1e-10)
    np.testing.assert_allclose(effects.margeff_se, fit.bse[names], rtol=1e-10)
    assert effects.names == ["g[b - a]", "g[c - a]", "b[True - False]", "k[1 - 0]", "k[2 - 0]", "k[3 - 0]"]
    np.testing.assert_allclose(effects.vcov, fit.cov_params().loc[names, names], atol=1e-14)


def test_kinds_of_contrast(data) -> None:
    fit = ft.fit("y ~ g*x", data)
    mean = data["x"].mean()
    b = linear(fit, **{"g[T.b]": 1, "g[T.b]:x": mean})
    c = linear(fit, **{"g[T.c]": 1, "g[T.c]:x": mean})
    between = linear(fit, **{"g[T.c]": 1, "g[T.c]:x": mean, "g[T.b]": -1, "g[T.b]:x": -mean})
    for contrast, expected in {"reference": [b, c], "sequential": [b, between], "pairwise": [b, c, between]}.items():
        effects = fit.marginal_effects("g", contrast=contrast)
        for row, value in enumerate(expected):
            same(effects, value, row=row)


@pytest.mark.parametrize(
    ("term", "reference"),
    [
        ("C(g, Treatment('b'))", "b"),
        ("relevel(g, ref='c')", "c"),
        ("C(g, Sum)", "a"),
        ("factor(g, labels=c('A','B','C'))", "a"),
    ],
)
def test_codings_do_not_matter_but_for_the_reference(data, term, reference) -> None:
    plain = ft.fit("y ~ g*x", data).marginal_effects("g", contrast="pairwise")
    values = dict(zip(plain.what["contrast"], plain.margeff, strict=True))
    effects = ft.fit(f"y ~ {term}*x", data).marginal_effects("g")
    for contrast, estimate in zip(effects.what["contrast"], effects.margeff, strict=True):
        high, low = contrast.split(" - ")
        assert low == reference
        expected = values[contrast] if contrast in values else -values[f"{low} - {high}"]
        np.testing.assert_allclose(estimate, expected, rtol=1e-9)


def test_interactions_of_factors_are_counterfactual(data) -> None:
    fit = ft.fit("y ~ h*x + interaction(g, b)", data)
    effects = fit.marginal_effects(["g", "h"])
    means = {
        (name, level): fit.predict(data.assign(**{name: level})).mean()
        for name in "gh"
        for level in data[name].unique()
    }
    expected = [means["g", "b"] - means["g", "a"], means["g", "c"] - means["g", "a"], means["h", "v"] - means["h", "u"]]
    np.testing.assert_allclose(effects.margeff, expected, rtol=1e-10)


def test_values_to_compare(data) -> None:
    fit = ft.fit("y ~ cut(x, c(0, 1, 3, 100)) + z + I(z**2)", data)
    effects = fit.marginal_effects({"x": [0.5, 2, 10], "z": [1, 3]})
    columns = [name for name in fit.params.index if name.startswith("cut")]
    np.testing.assert_allclose(effects.margeff[:2], fit.params[columns], rtol=1e-10)
    same(effects, linear(fit, **{"z": 2, "I(z ** 2)": 8}), row=2)
    assert effects.names[:2] == ["x[2 - 0.5]", "x[10 - 0.5]"]


def test_relative_contrasts(data) -> None:
    fit = ft.fit("y ~ g*x", data)
    effects = fit.marginal_effects("g", method="eydx")
    b, a = (np.log(fit.predict(data.assign(g=level))).mean() for level in "ba")
    np.testing.assert_allclose(effects.margeff[0], b - a, rtol=1e-10)


# -- rows -----------------------------------------------------------------------------------------


def test_groups_are_separate_averages(data) -> None:
    fit = ft.fit("y ~ x*z + I(x**2) + g*x", data)
    effects = fit.marginal_effects(["x", "g"], by="region")
    assert effects.table["region"].tolist() == ["north", "south", "west"] * 3
    for row, region in enumerate(["north", "south", "west"]):
        alone = fit.marginal_effects(["x", "g"], newdata=data[data["region"] == region])
        np.testing.assert_allclose(effects.margeff[row::3], alone.margeff, rtol=1e-11)
        np.testing.assert_allclose(effects.margeff_se[row::3], alone.margeff_se, rtol=1e-11)
    cells = fit.marginal_effects("x", by=["region", "b"])
    assert cells.table[["region", "b"]].to_numpy().tolist()[:2] == [["north", False], ["north", True]]
    # Their covariance makes differences testable: slopes of two regions differ by their means only.
    difference = np.array([1, -1, 0]) @ effects.margeff[:3]
    means = data.groupby("region")[["x", "z"]].mean().diff(-1).iloc[0]
    shares = {f"g[T.{v}]:x": -np.diff((data["g"] == v).groupby(data["region"]).mean())[0] for v in "bc"}
    expected = linear(fit, **{"I(x ** 2)": 2 * means["x"], "x:z": means["z"]}, **shares)
    spread = np.array([1, -1, 0]) @ effects.margeff_cov[:3, :3] @ np.array([1, -1, 0])
    np.testing.assert_allclose([difference, np.sqrt(spread)], expected, rtol=1e-8)


def test_groups_outside_the_formula(data) -> None:
    missing = data.assign(x=data["x"].where(data.index != "r4"))
    fit = ft.fit("y ~ x*z", missing)
    effects = fit.marginal_effects("x", by="region")
    means = missing.dropna().groupby("region")["z"].mean()
    np.testing.assert_allclose(effects.margeff, fit.params["x"] + fit.params["x:z"] * means, rtol=1e-11)
    with pytest.raises(UnknownNameError, match="did you mean `region`"):
        fit.marginal_effects("x", by="regio")
    with pytest.raises(UnknownNameError, match="its table is gone; pass newdata="):
        ft.fit("y ~ x*z", missing.copy()).marginal_effects("x", by="region")


def test_frequency_weights_are_repeated_rows(data) -> None:
    repeated = data.loc[data.index.repeat(data["m"])]
    for at in ("overall", "mean", "median", {"z": [2]}):
        options = {"at": at, "by": "region"} if at != "median" else {"at": at}
        one = ft.fit("y ~ x*z + g*x + b", data, weights="m", weights_type="frequency").marginal_effects(**options)
        other = ft.fit("y ~ x*z + g*x + b", repeated).marginal_effects(**options)
        np.testing.assert_allclose(one.margeff, other.margeff, rtol=1e-10)
        np.testing.assert_allclose(one.margeff_se, other.margeff_se, rtol=1e-10)
        np.testing.assert_allclose(one.pvalues, other.pvalues, rtol=1e-6, atol=1e-300)


def test_analytic_weights_weight_the_average(data) -> None:
    fit = ft.fit("y ~ x*z", data, weights="w")
    mean = np.average(data["z"], weights=data["w"])
    same(fit.marginal_effects("x"), linear(fit, **{"x": 1, "x:z": mean}))
    # New rows count equally.
    same(fit.marginal_effects("x", newdata=data), linear(fit, **{"x": 1, "x:z": data["z"].mean()}))


def test_units_do_not_matter(data) -> None:
    for formula in ("y ~ x*z + I(x**2)", "y ~ np.log(x) + bs(x, df=5)"):
        one = ft.fit(formula, data).marginal_effects("x")
        other = ft.fit(formula, data.assign(x=data["x"] * 1e6)).marginal_effects("x")
        np.testing.assert_allclose(other.margeff * 1e6, one.margeff, rtol=1e-8)
        np.testing.assert_allclose(other.tvalues, one.tvalues, rtol=1e-8)


def test_any_covariance_passes_through(data) -> None:
    fit = ft.fit("y ~ x*z + g", data)
    for vcov in ("HC3", {"cluster": "region"}):
        robust = fit.with_vcov(vcov)
        effects = robust.marginal_effects()
        same(effects, linear(robust, **{"x": 1, "x:z": data["z"].mean()}))
        assert effects.df == robust.covariance.df
    assert fit.with_vcov("HC1", use_t=False).marginal_effects().df == np.inf


def test_tables_of_other_libraries(data) -> None:
    pl = pytest.importorskip("polars")
    expected = ft.fit("y ~ x*g + b", data).marginal_effects(by="region").margeff
    fit = ft.fit("y ~ x*g + b", pl.from_pandas(data))
    np.testing.assert_allclose(fit.marginal_effects(newdata=pl.from_pandas(data), by="region").margeff, expected)
    np.testing.assert_allclose(
        ft.fit("y ~ x*g + b", data.to_dict("series")).marginal_effects(by="region", newdata=data).margeff, expected
    )


def test_users_data_are_not_changed(data) -> None:
    before = data.copy(deep=True)
    ft.fit("y ~ x*g + b", data).marginal_effects(at={"x": [1], "g": ["b"]}, by="b", variables=["x", "g"])
    pd.testing.assert_frame_equal(data, before)


# -- mean responses -------------------------------------------------------------------------------


def test_average_predictions(data) -> None:
    fit = ft.fit("y ~ g*x + z", data)
    overall = fit.average_predictions()
    same(overall, linear(fit, **dict(zip(fit.params.index, fit.recipe.apply(data).dense().mean(axis=0), strict=True))))
    adjusted = fit.average_predictions(at={"g": ["a", "b", "c"]})
    np.testing.assert_allclose(adjusted.margeff, [fit.predict(data.assign(g=v)).mean() for v in "abc"], rtol=1e-12)
    np.testing.assert_allclose(np.diff(adjusted.margeff[:2])[0], fit.marginal_effects("g").margeff[0], rtol=1e-9)
    groups = fit.average_predictions(by="region")
    np.testing.assert_allclose(groups.margeff, fit.fittedvalues.groupby(data["region"]).mean(), rtol=1e-12)
    assert list(groups.table.columns[:3]) == ["term", "region", "estimate"]
    assert groups.names[0] == "mean response, region=north"


# -- statsmodels' names ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dydx", "eyex", "dyex", "eydx"])
@pytest.mark.parametrize("at", ["overall", "mean"])
def test_against_statsmodels_gaussian(data, method, at) -> None:
    theirs = smf.glm("y ~ x + z", data, family=sm.families.Gaussian()).fit().get_margeff(at=at, method=method)
    fit = ft.fit("y ~ x + z", data).with_vcov("iid", use_t=False)
    for ours in (fit.get_margeff(at=at, method=method), fit.marginal_effects(at=at, method=method)):
        expected = theirs.summary_frame()
        found = ours.summary_frame()
        assert list(found.columns) == list(expected.columns)
        assert list(found.index) == list(expected.index)
        # p-values far out in the tail lose digits in the exponent.
        np.testing.assert_allclose(found.drop(columns="Pr(>|z|)"), expected.drop(columns="Pr(>|z|)"), rtol=1e-8)
        np.testing.assert_allclose(ours.pvalues, theirs.pvalues, rtol=1e-6, atol=1e-300)
        np.testing.assert_allclose(ours.conf_int(0.1), theirs.conf_int(0.1), rtol=1e-8)
        np.testing.assert_allclose(ours.margeff_cov, theirs.margeff_cov, rtol=1e-8, atol=1e-14)


def test_get_margeff_takes_columns_as_statsmodels(data) -> None:
    formula = "y ~ x*z + I(x**2) + g + k"
    theirs = smf.glm(formula, data, family=sm.families.Gaussian()).fit()
    fit = ft.fit(formula, data)
    for options in ({}, {"at": "median"}, {"dummy": True, "count": True}):
        expected = theirs.get_margeff(**options).summary_frame()
        found = fit.get_margeff(**options).summary_frame()
        np.testing.assert_allclose(found.loc[expected.index].iloc[:, :3], expected.iloc[:, :3], rtol=1e-7)


@pytest.mark.parametrize(
    "options", [{"at": "all"}, {"method": "x"}, {"dummy": True, "method": "eyex"}, {"count": True, "at": "median"}]
)
def test_get_margeff_refuses(data, options) -> None:
    with pytest.raises(ValueError, match=r"use|need"):
        ft.fit("y ~ x", data).get_margeff(**options)


def test_a_nonlinear_mean_gives_the_effects_of_a_logit(data) -> None:
    """What a generalised model will bring: its mean function, and nothing else."""

    class Logit(RegressionFit):
        @property
        def mean_function(self) -> MeanFunction:
            def p(eta: torch.Tensor) -> torch.Tensor:
                return torch.sigmoid(eta)

            return MeanFunction(
                p, lambda eta: p(eta) * (1 - p(eta)), lambda eta: p(eta) * (1 - p(eta)) * (1 - 2 * p(eta))
            )

    binary = data.assign(y=(data["y"] > data["y"].median()) * 1.0)
    theirs = smf.glm("y ~ x + z + k", binary, family=sm.families.Binomial()).fit()
    linear_fit = ft.fit("y ~ x + z + k", binary).with_vcov(theirs.cov_params().to_numpy(), use_t=False)
    held = {f.name: getattr(linear_fit, f.name) for f in fields(linear_fit)}
    fit = Logit(**{**held, "coefficients": theirs.params.to_numpy()})
    for at in ("overall", "mean"):
        for method in ("dydx", "eyex"):
            expected = theirs.get_margeff(at=at, method=method)
            found = fit.marginal_effects(at=at, method=method)
            np.testing.assert_allclose(found.margeff, expected.margeff, rtol=1e-8)
            np.testing.assert_allclose(found.margeff_se, expected.margeff_se, rtol=1e-8)
    np.testing.assert_allclose(fit.average_predictions().margeff, theirs.predict(binary).mean(), rtol=1e-10)


def test_it_shows_itself(data) -> None:
    effects = ft.fit("y ~ x*g", data).marginal_effects(level=0.9)
    assert "x    dy/dx" in repr(effects)
    assert "<table" in effects._repr_html_()
    text = str(effects.summary())
    assert "g[b - a]" in text
    assert "[0.05" in text
    assert "[0.025" in str(effects.summary(0.05))
    assert "tabular" in effects.summary().as_latex()


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"variables": "xx"}, UnknownNameError, "does not use `xx`.*did you mean `x`"),
        ({"variables": "region"}, UnknownNameError, "does not use `region`.*It uses `x`, `z`, `g`, `b`"),
        ({"variables": ["x", "y"]}, UnknownNameError, "does not use `y`"),
        ({"variables": {"x": [1]}}, ValueError, "at least two values"),
        ({"variables": {"x": 1}}, ValueError, "at least two values"),
        ({"variables": {"g": ["a", "q"]}}, DataError, "`g` has no level 'q'; its levels are 'a', 'b', 'c'"),
        ({"at": "means"}, ValueError, "at='means' is not known"),
        ({"at": {}}, ValueError, "names no value"),
        ({"at": {"region": "north"}}, UnknownNameError, "at: .*does not use `region`"),
        ({"at": {"x": np.nan}}, DataError, "missing value"),
        ({"at": {"x": "a"}}, DataError, "cannot be set to 'a'"),
        ({"at": {"b": 3}}, DataError, "`b` has no level 3"),
        ({"at": {"g": "q"}}, DataError, "`g` has no level 'q'"),
        ({"at": {"g": "a"}, "by": "g"}, ValueError, "`g` stands in at= and in by="),
        ({"method": "dxdy"}, ValueError, "method='dxdy' is not known"),
        ({"contrast": "all"}, ValueError, "contrast='all' is not known"),
        ({"level": 95}, ValueError, "level=95 must lie between 0 and 1"),
        ({"method": "eyex"}, FormulaError, r"`g` is compared by its levels.*variables=\['x', 'z'\]"),
    ],
)
def test_bad_input(data, options, error, message) -> None:
    with pytest.raises(error, match=message):
        ft.fit("y ~ x*z + g + b", data).marginal_effects(**options)


def test_elasticities_of_negative_means(data) -> None:
    fit = ft.fit("y ~ x + z", data.assign(y=data["y"] - data["y"].mean()))
    with pytest.raises(DataError, match=r"zero or negative in \d+ of 240 rows"):
        fit.marginal_effects("x", method="eyex")
    with pytest.raises(DataError, match=r"zero or negative in \d+ of 240 rows"):
        fit.get_margeff(method="eyex")


def test_terms_without_a_derivative(data) -> None:
    fit = ft.fit("y ~ cut(x, 3) + z", data)
    with pytest.raises(FormulaError, match=r"`cut\(x, 3\)` makes a factor of the numbers in `x`.*variables="):
        fit.marginal_effects()
    assert len(fit.marginal_effects("z").margeff) == 1


def test_missing_groups(data) -> None:
    fit = ft.fit("y ~ x", data)
    with pytest.raises(DataError, match="by: `region` is missing in 1 of 240 rows"):
        fit.marginal_effects(by="region", newdata=data.assign(region=data["region"].where(data.index != "r9")))


def test_rows_without_a_prediction(data) -> None:
    fit = ft.fit("y ~ np.log(x) + g", data)
    with pytest.raises(DataError, match="1 of 240 rows have no prediction"):
        fit.marginal_effects(newdata=data.assign(x=data["x"].where(data.index != "r9")))
    with pytest.raises(DataError, match="240 of 240 rows have no prediction"):
        fit.marginal_effects("g", at={"x": -1})
    with pytest.raises(UnknownNameError, match="`g` is not a column"):
        fit.marginal_effects(newdata=data[["x"]])


def test_a_pickled_fit_needs_new_rows(data) -> None:
    fit = ft.fit("y ~ z + g*bs(x, df=4)", data)
    bare = pickle.loads(pickle.dumps(fit))
    with pytest.raises(DataRemovedError, match="pass newdata="):
        bare.marginal_effects()
    with pytest.raises(DataRemovedError, match="pass newdata="):
        bare.get_margeff()
    np.testing.assert_allclose(bare.marginal_effects(newdata=data).margeff, fit.marginal_effects().margeff, rtol=1e-12)


def test_effects_of_dropped_columns_are_not_defined(data) -> None:
    with pytest.warns(CollinearityWarning):
        fit = ft.fit("y ~ x + x2 + z", data.assign(x2=2 * data["x"]))
    with pytest.warns(CollinearityWarning, match=r"2 effects \(x, x2\) depend on `x2`"):
        effects = fit.marginal_effects()
    assert np.isnan(effects.margeff).tolist() == [True, True, False]
    assert np.isnan(effects.margeff_se).tolist() == [True, True, False]
    # A dropped column that moves with its variable does no harm.
    with pytest.warns(CollinearityWarning):
        twice = ft.fit("y ~ x + I(2 * x) + z", data)
    plain = ft.fit("y ~ x + z", data)
    np.testing.assert_allclose(twice.marginal_effects().margeff, plain.marginal_effects().margeff, rtol=1e-9)
    np.testing.assert_allclose(twice.marginal_effects().margeff_se, plain.marginal_effects().margeff_se, rtol=1e-9)


def test_a_perfect_fit_has_no_degrees_of_freedom(data) -> None:
    few = data.iloc[:2]
    with pytest.warns(ft.errors.FormulaTorchWarning):
        fit = ft.fit("y ~ x", few)
    assert np.isnan(fit.marginal_effects().margeff_se).all()
