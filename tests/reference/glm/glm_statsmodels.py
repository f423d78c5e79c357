"""Write glm_statsmodels.json: generalized linear models by statsmodels, for the models of models.json.

Rerun with: python tests/reference/glm/glm_statsmodels.py
Written with statsmodels 0.15.0.

A climb is begun again from where it ended until its gradient, in standard errors, is below 1e-10 or falls no more.
Discrete models of a link that is not canonical take observed information; their marginal effects are given the
expected one of GLM, as ours have it.
"""

import json
import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from numpy import log  # noqa: F401 - of formulas

HERE = Path(__file__).parent
MODELS = json.loads((HERE / "models.json").read_text())
NEW = json.loads((HERE / "new_rows.json").read_text())
LINKS = {
    "identity": sm.families.links.Identity,
    "log": sm.families.links.Log,
    "sqrt": sm.families.links.Sqrt,
    "inverse": sm.families.links.InversePower,
    "inverse_squared": sm.families.links.InverseSquared,
    "logit": sm.families.links.Logit,
    "probit": sm.families.links.Probit,
    "cloglog": sm.families.links.CLogLog,
    "loglog": sm.families.links.LogLog,
    "cauchit": sm.families.links.Cauchy,
}
FAMILIES = {
    "gaussian": sm.families.Gaussian,
    "binomial": sm.families.Binomial,
    "poisson": sm.families.Poisson,
    "quasipoisson": sm.families.Poisson,
    "gamma": sm.families.Gamma,
    "inverse_gaussian": sm.families.InverseGaussian,
}
CANONICAL = {
    *(("gaussian", "identity"), ("binomial", "logit"), ("poisson", "log")),
    *(("gamma", "inverse"), ("inverse_gaussian", "inverse_squared")),
}
MARGINS = (
    {"at": "overall", "method": "dydx", "dummy": False},
    {"at": "mean", "method": "dydx", "dummy": False},
    {"at": "overall", "method": "eyex", "dummy": False},
    {"at": "overall", "method": "dyex", "dummy": False},
    {"at": "mean", "method": "eydx", "dummy": False},
    {"at": "overall", "method": "dydx", "dummy": True},
    {"at": "mean", "method": "dydx", "dummy": True},
)


@cache
def frame(name):
    return pd.read_csv(HERE / name)


def family_of(model):
    link = LINKS[model["link"]]()
    if power := re.match(r"tweedie\((.*)\)", model["family"]):
        return sm.families.Tweedie(link=link, var_power=float(power[1]))
    return FAMILIES[model["family"]](link=link)


def extras(model, data):
    """Offset, exposure and weights; a binomial's weights are trials, which two columns of response say."""
    named = {name: data[model[name]] for name in ("offset", "exposure") if name in model}
    if "weights" in model and "sm" not in model:
        kind = "freq_weights" if model.get("weights_type") == "frequency" else "var_weights"
        named[kind] = data[model["weights"]]
    return named


def rows_of(model):
    data = frame(model["data"])
    # Rows of zero weight are none here, and count there.
    return data[data[model["weights"]] > 0] if "weights" in model else data


def polished(model, fit):
    """Fit from one place to the next until nothing is gained."""
    best, left = None, np.inf
    start = None
    while True:
        again = fit(start)
        now = np.max(np.abs(model.score(again.params.to_numpy())) * again.bse.to_numpy())
        if best is not None and now >= 0.99 * left:
            break
        best, left, start = again, now, again.params.to_numpy()
        if left < 1e-10:
            break
    assert left < 1e-8, (model.formula, left)
    return best


def estimated(model):
    data = rows_of(model)
    glm = smf.glm(model.get("sm", model["formula"]), data, family=family_of(model), **extras(model, data))
    scale = {"scale": "X2"} if model["family"].startswith("quasi") else {}
    given = model.get("start")

    def fit(start):
        return glm.fit(start_params=given if start is None else start, tol=1e-15, maxiter=200, **scale)

    return polished(glm, fit)


def errors(model, found):
    """Robust ones, about observed information; statsmodels has no correction in HC1 of a GLM."""
    # With counts of rows they are not those of repeated rows.
    if model.get("weights_type") == "frequency":
        return []
    kinds = [({"estimator": "HC0"}, {"cov_type": "HC0"})]
    data = rows_of(model)
    for by in model.get("clusters", ()) if "weights" not in model else ():
        groups = np.column_stack([np.unique(data[name], return_inverse=True)[1] for name in by]).squeeze()
        for adjust in (True, False):
            about = {"estimator": "Cluster", "by": by, "adjust": adjust}
            kwds = {"groups": groups, "use_correction": adjust, "df_correction": False}
            kinds.append((about, {"cov_type": "cluster", "cov_kwds": kwds}))
    at = {"start_params": found.params.to_numpy(), "tol": 1e-15, "scale": found.scale}
    return [{**about, "bse": list(found.model.fit(**at, **options).bse)} for about, options in kinds]


def likelihood(model, fit):
    """What rests on the log-likelihood; a quasi-family has none."""
    if model["family"].startswith(("quasi", "tweedie")):
        return {}
    found = {"llf": fit.llf, "llnull": fit.llnull, "aic": fit.aic, "bic": fit.bic_llf}
    return {**found, "prsquared": fit.pseudo_rsquared("mcf")}


def rowwise(model, fit):
    if model.get("weights_type") == "frequency":
        return None
    data = rows_of(model)
    n = len(frame(model["data"]))
    wanted = [r for r in (np.array([0.03, 0.21, 0.5, 0.77, 0.98]) * n).astype(int) if r in data.index]
    at = data.index.get_indexer(wanted)
    influence = fit.get_influence(observed=False)
    kinds = ("resid_deviance", "resid_pearson")
    # Of two columns the others are totals, not means.
    kinds += ("resid_working", "resid_response") if "+" not in model.get("sm", "").split("~")[0] else ()
    taken = {kind: np.asarray(getattr(fit, kind))[at] for kind in (*kinds, "fittedvalues")}
    taken |= {"hat": influence.hat_matrix_diag[at], "cooks": influence.cooks_distance[0][at]}
    return {"rows": [int(r) for r in wanted], **{name: list(values) for name, values in taken.items()}}


def predictions(model, fit):
    new = pd.DataFrame(NEW[Path(model["data"]).name])
    named = {name: new[model[name]] for name in ("offset", "exposure") if name in model}
    # The exposure of a prediction is logged here, as that of the fit is.
    frame = fit.get_prediction(new, **named).summary_frame()
    linear = fit.predict(new, which="linear", **named)
    return {"linear": list(linear), **{name: list(frame[name]) for name in frame}}


def margins(fit):
    found = []
    for options in MARGINS:
        effects = fit.get_margeff(**options)
        terms = [name for name in fit.model.exog_names if name != "Intercept"]
        values = {"margeff": list(effects.margeff), "margeff_se": list(effects.margeff_se)}
        found.append({"options": options, "terms": terms, **values})
    return found


def discrete(model, expected):
    """The model as one of statsmodels.discrete, with the covariance of GLM."""
    make = getattr(smf, model["discrete"].lower())(model["formula"], frame(model["data"]))

    def fit(start):
        given = np.asarray(expected.params[make.exog_names]) if start is None else start
        return make.fit(start_params=given, method="newton", tol=1e-15, maxiter=20, disp=0)

    found = polished(make, fit)
    names = make.exog_names
    observed = list(found.bse)
    covariance = expected.cov_params().loc[names, names].to_numpy()
    found._results.cov_params_default = covariance
    return {
        "terms": names,
        "llf": found.llf,
        "llnull": found.llnull,
        "prsquared": found.prsquared,
        "llr": found.llr,
        "llr_pvalue": found.llr_pvalue,
        "aic": found.aic,
        "bic": found.bic,
        "bse_observed": observed,
        "margins": margins(found),
        "pred_table": found.pred_table().tolist() if model["discrete"] != "Poisson" else None,
    }


def record(name):
    model = MODELS[name]
    fit = estimated(model)
    names = list(fit.params.index)
    return {
        "model": name,
        "peer": "statsmodels 0.15.0",
        "terms": names,
        "params": list(fit.params),
        "bse": list(fit.bse),
        "scale": fit.scale,
        "deviance": fit.deviance,
        "null_deviance": fit.null_deviance,
        "pearson_chi2": fit.pearson_chi2,
        "df_resid": fit.df_resid,
        "df_model": fit.df_model,
        "nobs": float(fit.model.wnobs),
        **likelihood(model, fit),
        "canonical": (model["family"].removeprefix("quasi"), model["link"]) in CANONICAL,
        "vcov": errors(model, fit),
        "new": predictions(model, fit),
        "rows": rowwise(model, fit),
        "discrete": discrete(model, fit) if "discrete" in model else None,
    }


def main():
    wanted = [name for name, model in MODELS.items() if model.get("sm") is not False]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: the gradient is looked at instead
        text = [json.dumps(record(name), default=float) for name in wanted]
    (HERE / "glm_statsmodels.json").write_text("[\n" + ",\n".join(text) + "\n]\n")


if __name__ == "__main__":
    main()
