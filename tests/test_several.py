"""Models of several predictors: against statsmodels, against autograd in the parameters, and what must not matter."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from statsmodels.discrete.count_model import ZeroInflatedNegativeBinomialP, ZeroInflatedPoisson
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.othermod.betareg import BetaModel

from formula_torch.errors import (
    CollinearityWarning,
    ConvergenceWarning,
    DataError,
    DataRemovedError,
    FormulaError,
    InferenceWarning,
)
from formula_torch.families.several import Ordered, PoissonCounts, SeveralFamily, resolve_several
from formula_torch.fitting.further import further_formulas, learn_together
from formula_torch.fitting.several import solve_several
from formula_torch.inference.vcov import resolve_vcov
from formula_torch.result.call import Call, table_reference
from formula_torch.result.rows import Rows
from formula_torch.result.several import SeveralFit

N = 400


def fit(formula: str, data: pd.DataFrame, family: Any, **given: Any) -> SeveralFit:
    chosen = resolve_several(family, given.pop("link", None))
    estimator = resolve_vcov(given.pop("vcov", "iid"))
    further = further_formulas(chosen, {name: given.pop(name, None) for name in ("inflation", "dispersion")})
    weights_type = given.pop("weights_type", "analytic")
    problem, others = learn_together(formula, further, data, reading=chosen.reading, hold=estimator.columns, **given)
    call = Call(f"fit({formula!r})", "torch", "cpu", None, table_reference(data))
    rows = Rows.of(problem, given.get("weights"), given.get("offset"), given.get("exposure"))
    return solve_several(problem, rows, call, estimator, chosen, further=others, weights_type=weights_type)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    x, z, g = rng.normal(size=N), rng.normal(size=N), rng.choice(list("abc"), N)
    counts = rng.negative_binomial(1 / 0.7, 1 / (1 + 0.7 * np.exp(0.6 + 0.4 * x + 0.3 * (g == "b")))).astype(float)
    zeros = rng.random(N) < 1 / (1 + np.exp(0.7 - 0.8 * z))
    latent = 0.7 * x - 0.4 * z + rng.logistic(size=N)
    share = 1 / (1 + np.exp(-0.3 - 0.6 * x))
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "g": g,
            "counts": counts,
            "inflated": np.where(zeros, 0.0, counts),
            "level": pd.Categorical.from_codes(
                np.digitize(latent, [-1, 0.3, 1.5]), ["low", "mid", "high", "top"], True
            ),
            "share": rng.beta(8 * share, 8 * (1 - share)),
            "w": rng.integers(1, 4, N),
            "t": rng.uniform(0.5, 3.0, N),
            "firm": rng.integers(0, 25, N),
        }
    )


# formula, family, further formulas
CASES: dict[str, tuple[str, str, dict[str, str]]] = {
    "nb2": ("counts ~ x + g", "negative_binomial", {}),
    "nb1": ("counts ~ x + g", "nb1", {}),
    "nb2 with a formula for alpha": ("counts ~ x", "nb2", {"dispersion": "~ z"}),
    "zip": ("inflated ~ x + g", "zip", {"inflation": "~ z"}),
    "zinb": ("inflated ~ x + z", "zinb", {"inflation": "~ z"}),
    "zip of factors": ("inflated ~ x * g", "zip", {"inflation": "~ g"}),
    "hurdle": ("inflated ~ x + g", "hurdle_poisson", {"inflation": "~ z"}),
    "hurdle nb": ("inflated ~ x", "hurdle_negative_binomial", {}),
    "beta": ("share ~ x + g", "beta", {}),
    "beta with a formula for phi": ("share ~ x", "beta", {"dispersion": "z"}),
    "multinomial": ("level ~ x + z", "multinomial", {}),
    "ordered logit": ("level ~ x + g", "ordered_logit", {}),
    "ordered probit": ("level ~ x + z", "ordered_probit", {}),
}


def fitted(name: str, data: pd.DataFrame, **given: Any) -> SeveralFit:
    formula, family, further = CASES[name]
    return fit(formula, data, family, **further, **given)


@pytest.fixture(scope="module", params=CASES)
def own(request: pytest.FixtureRequest, data: pd.DataFrame) -> SeveralFit:
    return fitted(request.param, data, vcov={"cluster": "firm"})


# -- the same numbers as statsmodels ----------------------------------------------------------------


def columns(data: pd.DataFrame, *names: str) -> np.ndarray:
    return sm.add_constant(data[list(names)].to_numpy())


@pytest.mark.parametrize("name", ["negative_binomial", "nb1"])
def test_negative_binomial_is_statsmodels(name: str, data: pd.DataFrame) -> None:
    own = fit("counts ~ x + z", data, name)
    method = "nb1" if name == "nb1" else "nb2"
    model = sm.NegativeBinomial(data.counts, columns(data, "x", "z"), loglike_method=method)
    peer = model.fit(disp=0, method="newton", maxiter=100)
    assert own.names == ("Intercept", "x", "z", "alpha")
    assert np.allclose(own.params, peer.params, rtol=1e-9, atol=1e-10)
    assert np.allclose(own.bse, peer.bse, rtol=1e-9)
    assert own.llf == pytest.approx(peer.llf, rel=1e-12)
    # Its optimiser stops a little below.
    assert peer.llnull <= own.llnull + 1e-10 < peer.llnull + 1e-5
    assert own.prsquared == pytest.approx(peer.prsquared, abs=1e-8)
    assert own.llr_pvalue == pytest.approx(peer.llr_pvalue, rel=1e-5)
    assert (own.aic, own.df_model) == (pytest.approx(peer.aic), peer.df_model)
    assert np.allclose(own.fittedvalues, peer.predict())
    assert np.allclose(own.resid_pearson, peer.resid_pearson)
    assert np.allclose(own.predict(which="prob"), peer.predict(which="prob"), atol=1e-12)


@pytest.mark.parametrize("family", ["zip", "zinb"])
def test_zero_inflated_is_statsmodels(family: str, data: pd.DataFrame) -> None:
    own = fit("inflated ~ x", data, family, inflation="~ z")
    maker = ZeroInflatedPoisson if family == "zip" else ZeroInflatedNegativeBinomialP
    model = maker(data.inflated, columns(data, "x"), exog_infl=columns(data, "z"))
    order = ["inflate_Intercept", "inflate_z", "Intercept", "x", *(["alpha"] if family == "zinb" else [])]
    # At our parameters its gradient is zero, which tells more than where its optimiser stopped.
    assert np.abs(model.score(own.params[order].to_numpy())).max() < 1e-6
    assert own.llf == pytest.approx(model.loglike(own.params[order].to_numpy()), rel=1e-12)


def test_multinomial_is_statsmodels(data: pd.DataFrame) -> None:
    own = fit("level ~ x + z", data, "multinomial")
    peer = sm.MNLogit(data.level.cat.codes, columns(data, "x", "z")).fit(disp=0, method="newton")
    assert np.allclose(own.params, peer.params.to_numpy().T.ravel(), rtol=1e-10)
    assert np.allclose(own.bse, peer.bse.to_numpy().T.ravel(), rtol=1e-10)
    assert own.llf == pytest.approx(peer.llf, rel=1e-13)
    assert own.llnull == pytest.approx(peer.llnull, abs=1e-6)
    assert (own.aic, own.bic) == (pytest.approx(peer.aic), pytest.approx(peer.bic))
    assert own.names[3] == "high:Intercept"
    assert np.allclose(own.predict(), peer.predict())
    assert own.predict().columns.tolist() == ["low", "mid", "high", "top"]
    assert np.array_equal(own.pred_table(), peer.pred_table())
    assert own.wald_test_terms().table.loc["x", "df_constraint"] == 3


@pytest.mark.parametrize("distr", ["logit", "probit"])
def test_ordered_is_statsmodels(distr: str, data: pd.DataFrame) -> None:
    own = fit("level ~ x + z", data, f"ordered_{distr}")
    model = OrderedModel(data.level, data[["x", "z"]], distr=distr)
    peer = model.fit(disp=0, method="bfgs", gtol=1e-8, maxiter=500)
    assert own.names == ("x", "z", "low|mid", "mid|high", "high|top")
    assert np.allclose(own.params[:2], peer.params[:2], atol=1e-7)
    assert np.allclose(own.params[2:], model.transform_threshold_params(peer.params)[1:-1], atol=1e-7)
    assert np.allclose(own.bse[:2], peer.bse[:2], rtol=1e-6)
    assert own.llf == pytest.approx(peer.llf, rel=1e-12)
    assert own.llnull == pytest.approx(peer.llnull, rel=1e-9)
    assert own.df_model == 2
    assert np.allclose(own.predict(), peer.predict(), atol=1e-7)


def test_beta_is_statsmodels(data: pd.DataFrame) -> None:
    own = fit("share ~ x", data, "beta", dispersion="~ z")
    peer = BetaModel(data.share, columns(data, "x"), exog_precision=columns(data, "z")).fit(disp=0, method="newton")
    assert own.names == ("Intercept", "x", "phi:Intercept", "phi:z")
    assert np.allclose(own.params, peer.params, atol=1e-8)
    assert np.allclose(own.bse, peer.bse, rtol=1e-6)
    assert own.llf == pytest.approx(peer.llf, rel=1e-12)


# -- the log-likelihood in the parameters ------------------------------------------------------------


def by_hand(own: SeveralFit, data: pd.DataFrame) -> Callable[[torch.Tensor], torch.Tensor]:
    """Log-likelihoods of rows as a function of the parameters, from dense matrices alone."""
    dense = {key: torch.tensor(recipe.apply(data).dense()) for key, recipe in own.recipes.items()}
    y = torch.tensor(own.recipe.response(data))

    def loglik(params: torch.Tensor) -> torch.Tensor:
        eta = []
        for predictor in own.family.predictors:
            where = own.layout.columns[predictor.name]
            key = "" if predictor.takes == "main" else predictor.name
            if key in dense:
                eta.append(dense[key][:, where >= 0] @ params[where[where >= 0]])
            else:
                own_value = params[where[0]]
                eta.append((own_value.log() if own.layout.positive[where[0]] else own_value).expand(len(y)))
        return own.family.loglik(y, torch.stack(eta))

    return loglik


def test_score_is_zero_and_errors_are_those_of_the_hessian(own: SeveralFit, data: pd.DataFrame) -> None:
    loglik, params = by_hand(own, data), torch.tensor(own.params.to_numpy())
    assert float(loglik(params).sum()) == pytest.approx(own.llf, rel=1e-12)
    gradient = torch.autograd.functional.jacobian(lambda p: loglik(p).sum(), params)
    hessian = torch.autograd.functional.hessian(lambda p: loglik(p).sum(), params)
    covariance = np.linalg.inv(-hessian.numpy())
    assert float(gradient.numpy() @ covariance @ gradient.numpy()) < 1e-14
    found = own.with_vcov("iid").cov_params()
    assert np.allclose(found, covariance, rtol=1e-6, atol=1e-9 * np.abs(covariance).max())


def test_robust_covariances_are_those_of_the_rows_scores(own: SeveralFit, data: pd.DataFrame) -> None:
    loglik, params = by_hand(own, data), torch.tensor(own.params.to_numpy())
    steps = 1e-5 * torch.eye(len(params), dtype=torch.float64)
    scores = torch.stack([(loglik(params + s) - loglik(params - s)) / 2e-5 for s in steps], dim=1).numpy()
    bread = own.with_vcov("iid").cov_params().to_numpy()
    k = len(params)
    assert np.allclose(own.with_vcov("HC0").cov_params(), bread @ scores.T @ scores @ bread, rtol=1e-6, atol=1e-9)
    hc1 = N / (N - k) * bread @ scores.T @ scores @ bread
    assert np.allclose(own.with_vcov("HC1").cov_params(), hc1, rtol=1e-6, atol=1e-9)
    assert np.allclose(own.with_vcov("OPG").cov_params(), np.linalg.inv(scores.T @ scores), rtol=1e-5, atol=1e-7)
    sums = pd.DataFrame(scores).groupby(data.firm.to_numpy()).sum().to_numpy()
    factor = 25 / 24 * (N - 1) / (N - k)
    assert np.allclose(own.cov_params(), factor * bread @ sums.T @ sums @ bread, rtol=1e-6, atol=1e-9)
    with pytest.raises(DataError, match="one linear predictor"):
        own.with_vcov("HC3")


# -- what must not matter -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_frequency_weights_are_repeated_rows(name: str, data: pd.DataFrame) -> None:
    own = fitted(name, data, weights="w", weights_type="frequency")
    repeated = data.loc[data.index.repeat(data.w)].reset_index(drop=True)
    twice = fitted(name, repeated)
    assert own.nobs == twice.nobs
    for found, expected in ((own.params, twice.params), (own.bse, twice.bse)):
        assert np.allclose(found, expected, rtol=1e-7, atol=1e-9)
    for vcov in ("HC1", {"cluster": "firm"}):
        assert np.allclose(own.with_vcov(vcov).bse, twice.with_vcov(vcov).bse, rtol=1e-6)
    assert (own.llf, own.llnull, own.bic) == pytest.approx((twice.llf, twice.llnull, twice.bic), rel=1e-9)


@pytest.mark.parametrize("name", ["nb2", "multinomial", "ordered logit", "zip", "beta"])
def test_units_and_origins_of_columns_do_not_matter(name: str, data: pd.DataFrame) -> None:
    own = fitted(name, data)
    moved = fitted(name, data.assign(x=1e6 * (data.x + 3000), z=1e-7 * data.z - 5))
    assert moved.llf == pytest.approx(own.llf, rel=1e-11)
    slopes = [term for term in own.names if term.split(":")[-1] == "x"]
    assert np.allclose(moved.tvalues[slopes], own.tvalues[slopes], rtol=1e-6)
    assert np.allclose(moved.params[slopes] * 1e6, own.params[slopes], rtol=1e-6)


def test_analytic_weights_multiply_the_log_likelihood(data: pd.DataFrame) -> None:
    one, half = fit("counts ~ x", data, "nb2"), fit("counts ~ x", data, "nb2", weights=np.full(N, 0.5))
    assert np.allclose(one.params, half.params, rtol=1e-9)
    assert np.allclose(half.bse, one.bse * np.sqrt(2), rtol=1e-8)
    assert half.llf == pytest.approx(one.llf / 2)
    assert half.nobs == N
    assert np.allclose(half.with_vcov("HC1").bse, one.with_vcov("HC1").bse, rtol=1e-7)


def test_exposure_and_offset_go_to_the_mean(data: pd.DataFrame) -> None:
    for family in ("nb2", "zip", "hurdle_poisson"):
        exposed = fit("inflated ~ x", data, family, exposure="t")
        offset = fit("inflated ~ x", data, family, offset=np.log(data.t.to_numpy()))
        inside = fit("inflated ~ x + offset(np.log(t))", data, family)
        assert np.allclose(exposed.params, offset.params, rtol=1e-9)
        assert np.allclose(exposed.params, inside.params, rtol=1e-9)
        assert exposed.llnull == pytest.approx(inside.llnull)
        assert np.allclose(exposed.predict(data), exposed.fittedvalues)
        assert np.allclose(offset.predict(data, offset=np.log(data.t)), inside.predict(data))
        with pytest.raises(DataError, match="array as offset"):
            offset.predict(data)
    with pytest.raises(FormulaError, match="no offset"):
        fit("level ~ x", data, "multinomial", offset="t")


def test_two_levels_are_a_logit(data: pd.DataFrame) -> None:
    binary = data.assign(level=data.level > "mid")
    peer = sm.Logit(binary.level.astype(float), columns(data, "x")).fit(disp=0)
    multinomial = fit("level ~ x", binary, "multinomial")
    ordered = fit("level ~ x", binary, "ordered_logit")
    assert np.allclose(multinomial.params, peer.params, rtol=1e-9)
    assert np.allclose(ordered.params, peer.params.to_numpy()[::-1] * [1, -1], rtol=1e-9)
    assert ordered.names == ("x", "False|True")


def test_a_hurdle_is_two_models(data: pd.DataFrame) -> None:
    own = fit("inflated ~ x", data, "hurdle_poisson", inflation="~ z")
    peer = sm.Logit((data.inflated > 0).astype(float), columns(data, "z")).fit(disp=0)
    assert np.allclose(own.params[["zero_Intercept", "zero_z"]], peer.params, rtol=1e-9)
    assert np.allclose(own.bse[["zero_Intercept", "zero_z"]], peer.bse, rtol=1e-8)


# -- boundaries and dependence --------------------------------------------------------------------------


def test_without_overdispersion_the_fit_is_poisson(data: pd.DataFrame) -> None:
    even = data.assign(y=np.random.default_rng(0).binomial(6, 0.4, N))
    peer = sm.Poisson(even.y, columns(data, "x")).fit(disp=0)
    for family in ("nb2", "nb1", "zinb", "zip"):
        with pytest.warns(ConvergenceWarning, match="boundary"):
            own = fit("y ~ x", even, family)
        assert np.allclose(own.params[["Intercept", "x"]], peer.params, rtol=1e-9)
        assert np.allclose(own.bse[["Intercept", "x"]], peer.bse, rtol=1e-8)
        assert own.llf == pytest.approx(peer.llf, rel=1e-11)
        assert isinstance(own.limit, PoissonCounts)
        assert own.bse[2:].isna().all()
        assert own.pvalues[2:].isna().all()
        assert np.allclose(own.predict(data), peer.predict())
        if "alpha" in own.names:
            assert own.params["alpha"] == 0
        assert "boundary" in str(own.summary())


def test_dependent_columns_are_named_and_nan(data: pd.DataFrame) -> None:
    more = data.assign(x2=2 * data.x - 1)
    for family, y in (("nb2", "counts"), ("ordered_logit", "level"), ("multinomial", "level")):
        with pytest.warns(CollinearityWarning, match=r"`x2` depends on"):
            own = fit(f"{y} ~ x + x2", more, family)
        plain = fit(f"{y} ~ x", data, family)
        aliased = own.params.isna()
        assert aliased.sum() == (3 if family == "multinomial" else 1)
        assert np.allclose(own.params[~aliased], plain.params, rtol=1e-8)
        assert np.allclose(own.bse[~aliased], plain.bse, rtol=1e-8)
        assert (own.llf, own.df_model, own.aic) == pytest.approx((plain.llf, plain.df_model, plain.aic))
        with pytest.warns(CollinearityWarning, match="cannot be predicted"):
            lost = own.predict(pd.DataFrame({"x": [1.0, 1.0], "x2": [1.0, 5.0]}))
        assert np.asarray(lost.isna()).reshape(2, -1)[:, 0].tolist() == [False, True]


def test_separated_levels_have_no_errors() -> None:
    x = np.arange(40.0)
    apart = pd.DataFrame({"x": x, "y": np.where(x < 20, "a", "b")})
    with pytest.warns(InferenceWarning, match="not determined"):
        own = fit("y ~ x", apart, "multinomial")
    assert own.bse.isna().all()


def test_rows_missing_in_a_further_formula_leave_all(data: pd.DataFrame) -> None:
    holes = data.assign(z=data.z.where(data.index % 10 != 0), x=data.x.where(data.index % 7 != 0))
    own = fit("inflated ~ x", holes, "zip", inflation="~ z", vcov={"cluster": "firm"})
    complete = fit("inflated ~ x", holes.dropna(), "zip", inflation="~ z", vcov={"cluster": "firm"})
    assert np.allclose(own.params, complete.params, rtol=1e-10)
    assert np.allclose(own.bse, complete.bse, rtol=1e-8)
    assert own.nobs == len(holes.dropna())
    assert own.used.sum() == own.nobs
    assert own.fittedvalues.index.equals(holes.dropna().index)
    assert "rows dropped (x: 58, z: 40)" in str(own.summary())
    assert np.isnan(own.predict(holes)[0])


def test_parts_that_a_family_has_not_are_refused(data: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match="no part that inflation"):
        fit("counts ~ x", data, "nb2", inflation="~ z")
    with pytest.raises(FormulaError, match="terms only"):
        fit("inflated ~ x", data, "zip", inflation="y ~ z")
    with pytest.raises(FormulaError, match="leave out - 1"):
        fit("level ~ x - 1", data, "ordered_logit")
    with pytest.raises(DataError, match="`inflated` has no zeros"):
        fit("inflated ~ x", data[data.inflated > 0], "zip")


# -- what a result says ---------------------------------------------------------------------------------


def test_predictions_of_the_fit_and_of_the_same_rows_anew_are_equal(own: SeveralFit, data: pd.DataFrame) -> None:
    assert np.allclose(own.predict(data), own.fittedvalues, rtol=1e-12)
    linear = own.predict(data.head(7), which="linear")
    assert len(linear) == 7
    if own.family.levels:
        assert np.allclose(own.fittedvalues.sum(axis=1), 1)
        assert np.allclose(own.resid.sum(axis=1), 0, atol=1e-12)
    elif own.family.kind == "probability":
        p = own.predict(data.head(7), which="prob", counts=range(200))
        assert np.allclose(p.sum(axis=1), 1, atol=1e-9)
        assert np.allclose(p.to_numpy() @ np.arange(200), own.predict(data.head(7)), rtol=1e-6)
    else:
        with pytest.raises(DataError, match="density"):
            own.predict(which="prob")


def test_tables_have_a_row_a_parameter(own: SeveralFit, data: pd.DataFrame) -> None:
    table, ratios = own.tidy(), own.tidy(exp=True)
    assert table["term"].tolist() == list(own.names)
    assert ("component" in table) == (len(set(own.components)) > 1)
    natural = np.array([n in ("alpha", "phi") or "|" in n for n in own.names])
    assert np.allclose(ratios["estimate"][natural], table["estimate"][natural])
    assert np.allclose(ratios["conf_high"][~natural], np.exp(table["conf_high"][~natural]))
    assert own.glance().loc[0, "log_lik"] == own.llf
    augmented = own.augment()
    assert len(augmented) == N
    assert "fitted" in augmented
    text = str(own.summary(exp=True, stars="stars"))
    assert all(term in text for term in own.names)
    assert own.family.name in text
    assert own.family.name in repr(own)


def test_alpha_is_tested_by_no_p_value_and_its_interval_goes_through_the_logarithm(data: pd.DataFrame) -> None:
    own = fit("counts ~ x", data, "nb2")
    assert np.isnan(own.pvalues["alpha"])
    low, high = own.conf_int().loc["alpha"]
    estimate, error = own.params["alpha"], own.bse["alpha"]
    assert np.log([low, high]) == pytest.approx(np.log(estimate) + np.array([-1, 1]) * 1.959964 * error / estimate)


def test_a_pickle_has_no_rows_and_predicts(data: pd.DataFrame) -> None:
    own = fit("level ~ x + g", data, "ordered_logit")
    kept = pickle.loads(pickle.dumps(own))
    assert np.allclose(kept.predict(data), own.predict(data))
    assert str(kept.summary()) == str(own.summary())
    with pytest.raises(DataRemovedError):
        kept.with_vcov("HC1")
    with pytest.raises(DataRemovedError):
        _ = kept.resid


def test_many_levels_of_a_factor_are_never_expanded(data: pd.DataFrame) -> None:
    own = fit("counts ~ x + C(firm)", data, "nb2")
    peer = sm.NegativeBinomial.from_formula("counts ~ x + C(firm)", data).fit(disp=0, method="newton", maxiter=100)
    names = list(own.names)
    assert np.allclose(own.params, peer.params[names], atol=1e-8)
    assert np.allclose(own.bse, peer.bse[names], rtol=1e-7)


def test_families_of_other_links_and_of_other_values(data: pd.DataFrame) -> None:
    own = fit("level ~ x", data, Ordered(), link="cloglog")
    family: SeveralFamily = own.family
    assert family.name == "ordered_cloglog"
    assert own.converged
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit("share ~ x", data, "beta", link="probit").converged
