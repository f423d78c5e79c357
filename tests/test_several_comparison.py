"""Tests between models of several predictors, of their terms and levels; the order of text; families of one's own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from scipy import stats
from torch import Tensor

import formula_torch as ft
from formula_torch.errors import DataError, DataRemovedError, FormulaTorchWarning, InferenceWarning
from formula_torch.families.several import Derivatives, Predictor, is_several
from formula_torch.families.several.protocol import Numeric, chosen

N = 300


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    x, z, g = rng.normal(size=N), rng.normal(size=N), rng.choice(list("abc"), N)
    counts = rng.negative_binomial(1 / 0.7, 1 / (1 + 0.7 * np.exp(0.6 + 0.2 * x + 0.3 * (g == "b")))).astype(float)
    latent = 0.5 * x + 0.4 * (g == "c") + rng.logistic(size=N)
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "g": g,
            "counts": counts,
            "inflated": np.where(rng.random(N) < 0.3, 0.0, counts),
            "level": pd.Categorical.from_codes(np.digitize(latent, [-0.6, 0.8]), ["low", "mid", "top"], True),
            "firm": rng.integers(0, 20, N),
        }
    )


def wald(fit: Any, rows: np.ndarray) -> float:
    """Of linear hypotheses, by hand."""
    effect = rows @ fit.params.to_numpy()
    return float(effect @ np.linalg.solve(rows @ fit.cov_params().to_numpy() @ rows.T, effect))


def unit(fit: Any, *names: str) -> np.ndarray:
    return np.eye(len(fit.names))[[fit.names.index(name) for name in names]]


# -- two models -----------------------------------------------------------------------------------


def test_likelihood_ratios_are_those_of_statsmodels(data: pd.DataFrame) -> None:
    design = sm.add_constant(data[["x", "z"]])
    for family, response, model in (
        ("negative_binomial", "counts", sm.NegativeBinomial),
        ("multinomial", "level", sm.MNLogit),
    ):
        codes = data[response].cat.codes if response == "level" else data[response]
        full = ft.fit(f"{response} ~ x + z", data, family=family)
        small = full.update(". ~ . - z")
        found = full.compare_lr_test(small)
        peers = [model(codes, columns).fit(disp=0, method="newton") for columns in (design, design[["const", "x"]])]
        assert found.statistic == pytest.approx(2 * (peers[0].llf - peers[1].llf), rel=1e-7)
        assert found.df_diff == full.n_params - small.n_params
        assert found.pvalue == pytest.approx(stats.chi2.sf(found.statistic, found.df_diff), rel=1e-12)


def test_wald_of_any_restrictions(data: pd.DataFrame) -> None:
    full = ft.fit("level ~ x + z", data, family="multinomial", vcov="HC1")
    rows = unit(full, "mid:x", "top:x") - unit(full, "mid:z", "top:z")
    found = full.compare_wald_test(ft.fit("level ~ I(x + z)", data, family="multinomial"))
    assert found.statistic == pytest.approx(wald(full, rows), rel=1e-9)
    assert found.df_diff == 2
    full = ft.fit("level ~ x + g", data, family="ordered_logit", vcov={"cluster": "firm"})
    found = full.compare_wald_test(ft.fit("level ~ x", data, family="ordered_logit"))
    f = wald(full, unit(full, "g[T.b]", "g[T.c]")) / 2
    assert found.statistic == pytest.approx(f, rel=1e-9)
    assert found.pvalue == pytest.approx(stats.f.sf(f, 2, 19), rel=1e-9)


def test_every_formula_may_be_restricted(data: pd.DataFrame) -> None:
    full = ft.fit("inflated ~ x + z", data, family="zip", inflation="~ g")
    small = ft.fit("inflated ~ x", data, family="zip")
    rows = unit(full, "z", "inflate_g[T.b]", "inflate_g[T.c]")
    assert full.compare_wald_test(small).statistic == pytest.approx(wald(full, rows), rel=1e-9)
    assert full.compare_lr_test(small).statistic == pytest.approx(2 * (full.llf - small.llf), rel=1e-12)
    full = ft.fit("counts ~ x", data, family="nb2", dispersion="~ z")
    found = full.compare_wald_test(ft.fit("counts ~ x", data, family="nb2"))
    assert found.statistic == pytest.approx(full.tvalues["alpha:z"] ** 2, rel=1e-9)


def test_an_offset_is_a_restriction(data: pd.DataFrame) -> None:
    full = ft.fit("counts ~ x + z", data, family="nb2")
    found = full.compare_wald_test(ft.fit("counts ~ x + offset(0.2 * z)", data, family="nb2"))
    z = (full.params["z"] - 0.2) / full.bse["z"]
    assert found.statistic == pytest.approx(z**2, rel=1e-8)


def test_what_does_not_compare(data: pd.DataFrame) -> None:
    full = ft.fit("inflated ~ x + z", data, family="zip", inflation="~ x")
    cases = {
        "not nested: in the linear predictor `mean`": ("inflated ~ g", "zip", None),
        "not nested: in the linear predictor `inflate`": ("inflated ~ x", "zip", "~ z"),
        "or only at a boundary": ("inflated ~ x", "hurdle_poisson", None),
        "from the smallest to the largest": ("inflated ~ x + z + g", "zip", "~ x"),
    }
    for message, (formula, family, inflation) in cases.items():
        with pytest.raises(DataError, match=message):
            full.compare_lr_test(ft.fit(formula, data, family=family, inflation=inflation))
    with pytest.raises(DataError, match="different rows"):
        full.compare_lr_test(ft.fit("inflated ~ x", data[:250], family="zip"))
    with pytest.raises(TypeError, match="several parameters"):
        full.compare_lr_test(ft.fit("inflated ~ x", data, family="poisson"))
    small = ft.fit("inflated ~ x", data, family="zip")
    with pytest.raises(DataRemovedError):
        full.compare_wald_test(small.remove_data())
    with pytest.warns(InferenceWarning, match="assumes the distribution"):
        full.with_vcov("HC1").compare_lr_test(small)


# -- tables ---------------------------------------------------------------------------------------


def test_anova_of_models(data: pd.DataFrame) -> None:
    fits = [ft.fit(f"level ~ {terms}", data, family="ordered_logit") for terms in ("1", "x", "x + g")]
    table = ft.anova(*fits)
    assert list(table) == ["df_resid", "llf", "df_diff", "chi2", "Pr(>chi2)"]
    assert np.allclose(table["chi2"][1:], 2 * np.diff([fit.llf for fit in fits]), rtol=1e-12)
    assert table["df_diff"][1:].tolist() == [1, 2]
    assert list(ft.anova(*fits, style="R")) == ["#Df", "LogLik", "Df", "Chisq", "Pr(>Chisq)"]
    robust = ft.anova(*fits[1:], vcov="HC1")
    assert robust["chi2"][1] == pytest.approx(fits[2].with_vcov("HC1").compare_wald_test(fits[1]).statistic, rel=1e-12)
    compared = ft.compare(*fits, test="LR")
    assert np.allclose(compared["statistic"][1:], table["chi2"][1:], rtol=1e-12)
    with pytest.raises(ValueError, match="several parameters have 'LR' and 'Wald'"):
        ft.compare(*fits, test="LM")


def test_anova_of_terms(data: pd.DataFrame) -> None:
    """W of a term and of those it is not adjusted for, less W of these alone."""
    fit = ft.fit("level ~ x * g + z", data, family="multinomial")
    names = {term: [name for name in fit.names if name.split(":", 1)[1] in own] for term, own in _columns(fit).items()}
    # By type, what a term is not adjusted for.
    free = {
        1: {"x": ["g", "z", "x:g"], "g": ["z", "x:g"], "z": ["x:g"], "x:g": []},
        2: {"x": ["x:g"], "g": ["x:g"], "z": [], "x:g": []},
        3: {"Intercept": [], "x": [], "g": [], "z": [], "x:g": []},
    }
    for typ, terms in free.items():
        table = ft.anova(fit, typ=typ)
        assert list(table.index) == list(terms)
        for term, others in terms.items():
            ignored = [name for other in others for name in names[other]]
            expected = wald(fit, unit(fit, *names[term], *ignored)) - (wald(fit, unit(fit, *ignored)) if ignored else 0)
            assert table["chi2"][term] == pytest.approx(expected, rel=1e-8)
            assert table["df"][term] == len(names[term])


def _columns(fit: Any) -> dict[str, list[str]]:
    names = fit.recipe.column_names
    return {term: [names[j] for j in own] for term, own in fit.recipe.columns_of_terms.items()}


def test_anova_of_further_formulas(data: pd.DataFrame) -> None:
    fit = ft.fit("inflated ~ x", data, family="zip", inflation="~ g + z", vcov={"cluster": "firm"})
    table = ft.anova(fit, typ=2)
    assert list(table.index) == ["x", "inflate_g", "inflate_z"]
    assert table["F"]["inflate_z"] == pytest.approx(fit.tvalues["inflate_z"] ** 2, rel=1e-9)
    with pytest.raises(ValueError, match="test='Wald'"):
        ft.anova(fit, test="LR")


def test_pairs_of_levels_in_every_predictor(data: pd.DataFrame) -> None:
    fit = ft.fit("level ~ g + x", data, family="multinomial")
    found = fit.t_test_pairwise("g", method="bonferroni")
    assert found.contrast_labels == [f"{level}:{pair}" for level in ("mid", "top") for pair in ("b-a", "c-a", "c-b")]
    row = (unit(fit, "top:g[T.c]") - unit(fit, "top:g[T.b]"))[0]
    own = found.result_frame.loc["top:c-b"]
    assert own["coef"] == pytest.approx(row @ fit.params, rel=1e-12)
    assert own["std err"] == pytest.approx(np.sqrt(row @ fit.cov_params() @ row), rel=1e-12)
    assert own["pvalue-bonferroni"] == pytest.approx(min(6 * own["P>|z|"], 1), rel=1e-12)


# -- the order of text ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "warned"),
    [
        (lambda c: c.astype(str), True),
        (lambda c: c.astype(str).astype("category"), True),
        (lambda c: c.astype(str).map({"low": "2 l", "mid": "9 m", "top": "10 t"}), True),
        (lambda c: c.astype(str).map({"low": "1 l", "mid": "2 m", "top": "3 t"}), False),
        (lambda c: pd.Categorical(c.astype(str), ["top", "mid", "low"]), False),
        (lambda c: pd.Categorical(c.astype(str), ["low", "mid", "top"], ordered=True), False),
        (lambda c: c.cat.codes, False),
    ],
)
def test_an_order_that_nobody_declared(values: Any, warned: bool, data: pd.DataFrame) -> None:
    own = data.assign(level=values(data["level"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = ft.fit("level ~ x", own, family="ordered_logit")
        ft.fit("level ~ x", own, family="multinomial")
    assert [w.category for w in caught] == [FormulaTorchWarning] * warned
    if warned:
        text = str(caught[0].message)
        assert " < ".join(fit.family.levels) in text
        assert "data['level'] = pd.Categorical(data['level'], ['lowest', ..., 'highest'], ordered=True)" in text
        assert caught[0].filename == __file__


def test_an_order_in_the_formula_is_declared(data: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = data.assign(level=data["level"].astype(str))
        fit = ft.fit("C(level, levels=['top', 'mid', 'low']) ~ x", own, family="ordered_logit")
    assert fit.family.levels == ("top", "mid", "low")


# -- families of one's own ------------------------------------------------------------------------


@dataclass(frozen=True)
class Normal(Numeric):
    """Normal, with a formula for the logarithm of sigma."""

    name = "normal"
    kind = "density"
    exponential = False
    predictors = (
        Predictor("mean", "main", "", "mean"),
        Predictor("sigma", "own", "sigma:", "scale", positive=True, argument="dispersion"),
    )

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        return -0.5 * ((y - eta[0]) * (-eta[1]).exp()) ** 2 - eta[1] - 0.5 * np.log(2 * np.pi)

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        precision = (-2 * eta[1]).exp()
        e = y - eta[0]
        first = torch.stack([e * precision, e**2 * precision - 1])
        second = {(0, 0): -precision, (0, 1): -2 * e * precision, (1, 1): -2 * e**2 * precision}
        return Derivatives(self.loglik(y, eta), first, chosen(second))

    def expected(self, eta: Tensor) -> Tensor:
        return eta[:1]

    def variance(self, eta: Tensor) -> Tensor:
        return (2 * eta[1:]).exp()

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:
        return torch.stack([y, torch.full_like(y, float(y.std().log()))])

    def refuse(self, y: Tensor) -> str:
        return ""

    def doubt(self, y: Tensor) -> str:
        return ""

    def without(self, predictor: str) -> None:
        """No predictor has a limit."""


def test_a_family_of_ones_own_needs_no_registration(data: pd.DataFrame) -> None:
    fit = ft.fit("z ~ x + g", data, family=Normal())
    peer = ft.fit("z ~ x + g", data)
    assert np.allclose(fit.params.iloc[:-1], peer.params, rtol=1e-9)
    assert fit.params["sigma"] == pytest.approx(np.sqrt(peer.ssr / N), rel=1e-9)
    assert fit.llf == pytest.approx(peer.llf, rel=1e-12)
    assert fit.compare_lr_test(fit.update(". ~ . - g")).df_diff == 2
    with pytest.raises(ValueError, match="cannot be chosen"):
        ft.fit("z ~ x", data, family=Normal(), link="log")


def test_what_is_no_family_says_what_it_lacks(data: pd.DataFrame) -> None:
    class Half(Numeric):
        predictors = ()

    assert not is_several(Normal)
    with pytest.raises(TypeError, match=r"Half is no family of several predictors: it lacks name, .*loglik"):
        ft.fit("z ~ x", data, family=Half())
