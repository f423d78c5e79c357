"""Every number of a summary equals statsmodels', over formulas of all kinds of terms."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import formula_torch as ft

FORMULAS = [
    "drvisits ~ private + medicaid + age + educ + actlim + chronic",
    "drvisits ~ 1",
    "drvisits ~ age",
    "drvisits ~ age - 1",
    "drvisits ~ 0 + age + educ",
    "np.log(drvisits + 1) ~ age + chronic",
    "drvisits ~ np.log(age) + np.sqrt(educ)",
    "drvisits ~ age + I(age ** 2)",
    "drvisits ~ I((age - 70) / 10) * chronic",
    "drvisits ~ age:educ + private",
    "drvisits ~ age * private",
    "drvisits ~ (age + educ + private) ** 2",
    "drvisits ~ age * educ * chronic - age:educ:chronic",
    "drvisits ~ C(few)",
    "drvisits ~ C(few) - 1",
    "drvisits ~ C(few) * age",
    "drvisits ~ C(few):age",
    "drvisits ~ region",
    "drvisits ~ region + age",
    "drvisits ~ region * sex",
    "drvisits ~ region:sex",
    "drvisits ~ region / age",
    "drvisits ~ region * sex * age",
    "drvisits ~ region - 1 + age",
    "drvisits ~ C(region, Treatment('south'))",
    'drvisits ~ C(region, Treatment(reference="west")) * educ',
    "drvisits ~ C(region, Sum)",
    "drvisits ~ C(region, Sum) * C(sex, Sum)",
    "drvisits ~ C(region, Helmert)",
    "drvisits ~ C(region, Diff) + age",
    "drvisits ~ C(region, Poly)",
    "drvisits ~ old",
    "drvisits ~ old * age",
    "drvisits ~ old:age - 1",
    "drvisits ~ I(age > 75) + educ",
    "drvisits ~ bs(age, df=5)",
    "drvisits ~ bs(age, knots=[70, 80], degree=2) + educ",
    "drvisits ~ center(age) * private",
    "drvisits ~ standardize(age) + standardize(educ)",
    "drvisits ~ Q('age') + educ",
]
# R, statsmodels and we read these alike.
ALSO_IN_R = [
    *("y ~ 1", "y ~ x", "y ~ x + z + k + year", "y ~ x - 1", "y ~ 0 + x + z", "y ~ x + z + 0", "y ~ x:z", "y ~ x*z*k"),
    *("y ~ (x + z + k)**3 - x:z:k", "y ~ x*z - x", "y ~ x - 1 + 1", "y ~ a", "y ~ a + b + g + l", "y ~ a - 1"),
    *("y ~ 0 + b + a", "y ~ l - 1", "y ~ l + x + l:x", "y ~ l:x", "y ~ C(year)", "y ~ x*a", "y ~ a:x", "y ~ a*b"),
    *("y ~ a + a:b", "y ~ a*b - a", "y ~ a*b - b", "y ~ a*b - 1", "y ~ a:b - 1", "y ~ a*b*x", "y ~ a*b*x - a:b:x"),
    *("y ~ a*b*l", "y ~ a:b:x", "y ~ x:z:a + x", "y ~ a*g", "y ~ a*b*g", "y ~ a/b", "y ~ a/x", "y ~ a/x - 1"),
    *("y ~ a/(b + x)", "y ~ (a + b)/x", "y ~ b:x + z:x", "y ~ x + a + x:a - a", "y ~ x + I(x**3)", "y ~ I(x > 0)"),
    *("y ~ np.log(z) + np.sqrt(n)", "y ~ I((k > 1) * x) + I(x * (x > 0))", "y ~ I(x > 0):z", "y ~ center(x)"),
    *("y ~ standardize(x)", "y ~ bs(z, df = 5)", "y ~ bs(z, 4, degree = 2)", "y ~ bs(year, df = 4) + a"),
    *("y ~ bs(z, df = 6, include_intercept = True) - 1", "y ~ bs(z, df = 5)*a", "y ~ C(a, Treatment('mid')) + x"),
    *("y ~ C(a, Sum)*C(b, Sum)", "y ~ C(a, [[1, 1], [0, -2], [-1, 1]])", "y ~ x_na", "y ~ a_na*z"),
]
REFERENCE = Path(__file__).parent / "reference"
SERIES = ["params", "bse", "tvalues", "pvalues"]
SCALARS = [
    "rsquared",
    "rsquared_adj",
    "fvalue",
    "f_pvalue",
    "llf",
    "aic",
    "bic",
    "nobs",
    "df_model",
    "df_resid",
    "ssr",
    "ess",
    "centered_tss",
    "uncentered_tss",
    "mse_model",
    "mse_resid",
    "mse_total",
    "scale",
]


@pytest.fixture(scope="module")
def data(visits) -> pd.DataFrame:
    draw = np.random.default_rng(3)
    n = len(visits)
    extra = {"region": draw.choice(["north", "south", "west"], n), "sex": draw.choice(["f", "m"], n)}
    return visits.assign(
        **extra, old=visits["age"] > 78, few=visits["chronic"].clip(upper=4), w=draw.uniform(0.5, 2, n)
    )


def agree(ours, theirs, scale: float = 0.0) -> None:
    """1e-10 relative, with a floor of 1e-12 of `scale` where a value is near zero."""
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-10, atol=1e-12 * scale)


def pair(formula: str, data: pd.DataFrame, weights: str | None):
    model = smf.wls(formula, data, weights=data[weights]) if weights else smf.ols(formula, data)
    return ft.fit(formula, data, weights=weights), model.fit()


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_numbers(formula: str, weights: str | None, data: pd.DataFrame) -> None:
    compare(*pair(formula, data, weights))


@pytest.mark.parametrize("formula", ALSO_IN_R)
def test_numbers_that_r_gives_too(formula: str) -> None:
    """On the data of the R references, where test_against_r.py checks the same formulas."""
    mixed = pd.read_csv(REFERENCE / "mixed.csv")
    compare(*pair(formula, mixed, None))


def test_r_has_these_formulas() -> None:
    recorded = {
        case["formula"] for case in json.loads((REFERENCE / "r_formulas.json").read_text()) if not case["options"]
    }
    assert set(ALSO_IN_R) <= recorded


def compare(ours, theirs) -> None:
    assert set(ours.params.index) == set(theirs.params.index)
    order = theirs.params.index
    for name in SERIES:
        reference = getattr(theirs, name)
        size = float(theirs.bse.max()) if name == "params" else 1.0
        agree(getattr(ours, name)[order], reference, size)
    for name in SCALARS:
        reference = getattr(theirs, name)
        # Sums of squares and what is made of them are differences of larger numbers.
        size = {"ess": theirs.centered_tss, "mse_model": theirs.mse_total, "fvalue": 1}.get(name, 0.0)
        size = 1.0 if name.startswith("rsquared") else size
        agree(getattr(ours, name), reference, size)
    agree(ours.conf_int().loc[order], theirs.conf_int(), float(theirs.bse.max()))
    agree(ours.conf_int(0.01).loc[order], theirs.conf_int(0.01), float(theirs.bse.max()))
    covariance = theirs.cov_params()
    agree(ours.cov_params().loc[order, order], covariance, float(np.abs(covariance).to_numpy().max()))
    # statsmodels takes eigenvalues of X'X, which lose twice the digits of the condition number.
    assert ours.condition_number == pytest.approx(theirs.condition_number, rel=1e-6)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_rows(formula: str, weights: str | None, data: pd.DataFrame) -> None:
    ours, theirs = pair(formula, data, weights)
    size = float(data["drvisits"].max())
    for name in ("resid", "fittedvalues", "wresid"):
        pd.testing.assert_index_equal(getattr(ours, name).index, getattr(theirs, name).index)
        agree(getattr(ours, name), getattr(theirs, name), size)
    agree(ours.resid_pearson, theirs.resid_pearson, 10)
    new = data.sample(20, random_state=1)
    agree(ours.predict(new), theirs.predict(new), size)


@pytest.mark.parametrize("formula", FORMULAS)
def test_diagnostics_and_printed_table(formula: str, data: pd.DataFrame) -> None:
    ours, theirs = pair(formula, data, None)
    ours_table = {row[0]: row[1:] for row in ours.summary().tables[1].data[1:]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        summary = theirs.summary()
    for row in summary.tables[1].data[1:]:
        # The printed cells hold three decimals or three significant digits, ours more where that hides the number.
        printed = [float(cell) for cell in row[1:]]
        assert [float(c) for c in ours_table[row[0].strip()]] == pytest.approx(printed, rel=6e-3, abs=1.1e-3)
    for ours_row, theirs_row in zip(ours.summary().tables[2].data, summary.tables[2].data, strict=True):
        for i in (1, 3):
            assert float(ours_row[i]) == pytest.approx(float(theirs_row[i]), rel=6e-3, abs=1.1e-3)


@pytest.mark.parametrize("weights", [None, "w"])
def test_residual_statistics(weights: str | None, data: pd.DataFrame) -> None:
    from statsmodels.stats.stattools import durbin_watson, jarque_bera, omni_normtest

    ours, theirs = pair(FORMULAS[0], data, weights)
    s = ours.residual_statistics
    agree([s.jarque_bera, s.jarque_bera_p, s.skew, s.kurtosis], jarque_bera(theirs.wresid))
    agree([s.omnibus, s.omnibus_p], omni_normtest(theirs.wresid))
    agree(s.durbin_watson, durbin_watson(theirs.wresid))


@pytest.mark.parametrize("crit", ["aic", "bic", "aicc", "hqic"])
def test_info_criteria(crit: str, data: pd.DataFrame) -> None:
    ours, theirs = pair(FORMULAS[0], data, None)
    agree(ours.info_criteria(crit), theirs.info_criteria(crit))


def test_shapes_and_types(data: pd.DataFrame) -> None:
    ours, theirs = pair(FORMULAS[0], data, None)
    for name in [*SERIES, "resid", "fittedvalues"]:
        assert isinstance(getattr(ours, name), pd.Series)
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    assert list(ours.conf_int().columns) == [0, 1]
    assert isinstance(ours.nobs, float)
    assert isinstance(ours.predict(data.head()), pd.Series)
    agree(ours.eigenvals, theirs.eigenvals, theirs.eigenvals[0])
