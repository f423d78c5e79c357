"""Write covariances_peers.json: covariances by statsmodels and pyfixest for the models of covariance_models.json.

Rerun with: python tests/reference/inference/covariances.py
Written with statsmodels 0.15.0 and pyfixest 0.60.0.

A record is the text of the peer's call, what it returned, and our estimator for it; numbers are written by `repr`.
Coefficients stand in our order.
"""

import json
import warnings
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from pyfixest import feols, ssc
from statsmodels.formula.api import ols, wls

HERE = Path(__file__).parent
MODELS = json.loads((HERE / "covariance_models.json").read_text())
INDEPENDENT = (
    *("employment_sectors", "employment_weighted", "schools", "schools_weighted", "public_schools", "warpbreaks"),
    *("investment", "titanic"),
)
PANEL = (["year"], ["firm"], ["firm", "year"])
CLUSTERED = {
    "petersen": PANEL,
    "employment": PANEL,
    "employment_weighted": PANEL,
    "grunfeld": PANEL,
    "schools": (["county"],),
    "schools_weighted": (["county"],),
    "titanic": (["cabin"],),
}
# Models and lags.
PANELS = (
    *(("petersen", 2), ("employment", 1), ("employment_gaps", 2), ("employment_weighted", 2)),
    *(("grunfeld", 0), ("grunfeld", 3)),
)

# statsmodels' `use_correction` for panels, and our `adjust`.
CORRECTIONS = {False: False, "hac": True, "cluster": "clusters"}
# pyfixest's small-sample settings, and our `adjust`: for clusters of one way, and of several.
UNADJUSTED = {"k_adj": False, "G_adj": False}
RULES = (
    ({"k_adj": True, "G_adj": True, "G_df": "conventional"}, "both"),
    ({"k_adj": False, "G_adj": True, "G_df": "conventional"}, "clusters"),
    ({"k_adj": True, "G_adj": False}, "parameters"),
    (UNADJUSTED, False),
)
RULES_OF_FEWEST = (
    ({"k_adj": True, "G_adj": True, "G_df": "min"}, "min"),
    ({"k_adj": False, "G_adj": True, "G_df": "min"}, "min-clusters"),
)


def frame(model):
    """The rows of a model, in order of time where there is a `period`: no peer but ours sorts them."""
    about = MODELS[model]
    data = pd.read_csv(HERE / about["data"], keep_default_na=False, na_values=[""])
    if "subset" in about:
        data = data[data.eval(about["subset"].replace("%%", "%"))]
    if about.get("weights_type") == "frequency":
        data = data[data[about["weights"]] > 0]
    if "period" in data:
        data = data.sort_values("period")
    if "firm" in data:
        data = data.assign(unit=codes(data["firm"]))  # pyfixest reads no strings as panel_id
    return data.dropna().reset_index(drop=True)


def codes(column):
    """Whole numbers from 0, in order of the labels: statsmodels reads no strings."""
    return np.unique(column, return_inverse=True)[1]


def repeated(data, counts):
    return data.loc[data.index.repeat(data[counts])].reset_index(drop=True)


@cache
def known(model):
    """What a call may name: data, formula, weights, and for statsmodels the model."""
    about = MODELS[model]
    data, weights = frame(model), about.get("weights")
    frequency = about.get("weights_type") == "frequency"
    rows = repeated(data, weights) if frequency else data
    plain = weights is None or frequency
    fitted = ols(about["formula"], rows) if plain else wls(about["formula"], rows, weights=rows[weights])
    kinds = {"weights": weights, "weights_type": "fweights" if frequency else "aweights"}
    return {"data": data, "rows": rows, "formula": about["formula"], "model": fitted, "kinds": kinds if weights else {}}


def record(model, peer, call, vcov, fit, tests):
    """Make a record of (names, params, covariance) and of p-values and intervals by what they were asked for."""
    names, params, cov = fit
    order = [list(names).index(name) for name in MODELS[model]["names"]]
    pick = lambda values: np.asarray(values, dtype=float)[order].tolist()  # noqa: E731
    tested = [{**test, "pvalues": pick(test["pvalues"]), "conf_int": pick(test["conf_int"])} for test in tests]
    about = {"model": model, "peer": f"{peer} {version(peer)}", "call": call, "vcov": vcov}
    return {**about, "params": pick(params), "cov": np.asarray(cov)[np.ix_(order, order)].tolist(), "tests": tested}


# -- statsmodels


def statsmodels(model, kind, kwds, vcov, *, asked=(False, True)):
    """Take p-values and intervals for the `use_t` of `asked`: where degrees of freedom are not ours, not for t."""
    call = f"model.fit(cov_type={kind!r}" + (f", cov_kwds=dict({kwds})" if kwds else "")
    fits = {use_t: eval(f"{call}, use_t={use_t})", {"codes": codes, **known(model)}) for use_t in asked}
    tests = [{"use_t": t, "pvalues": fit.pvalues, "conf_int": fit.conf_int()} for t, fit in fits.items()]
    fit = fits[asked[0]]
    yield record(model, "statsmodels", f"{call})", vcov, (fit.params.index, fit.params, fit.cov_params()), tests)


def rows(model):
    for kind, estimator in (("nonrobust", "IID"), *((f"HC{i}", f"HC{i}") for i in range(4))):
        yield from statsmodels(model, kind, "", {"estimator": estimator})


def groups(by):
    return "groups=" + (f"codes(rows['{by[0]}'])" if len(by) == 1 else f"rows[{[*by]}].apply(codes)")


def cluster(by, adjust, **kind):
    return {"estimator": "Cluster", "by": by, **kind, "adjust": adjust}


def clustered(model, *by):
    for adjust in (True, False):
        yield from statsmodels(model, "cluster", f"{groups(by)}, use_correction={adjust}", cluster(by, adjust))
    options = f"{groups(by)}, df_correction=False"
    yield from statsmodels(model, "cluster", options, cluster(by, True, df="residual"), asked=(True,))


def jackknifed(model, by):
    for adjust in (True, False):
        options = f"{groups([by])}, use_correction={adjust}"
        yield from statsmodels(model, "cluster-crv3", options, cluster([by], adjust, kind="CRV3"))
        yield from statsmodels(model, "cluster-jk", options, cluster([by], adjust, kind="CRV3", centre="mean"))


def hac(model, lags, time=None, kernel="bartlett"):
    for adjust in (False, True):
        options = f"maxlags={lags}, kernel='{kernel}', use_correction={adjust}"
        ours = {"estimator": "NeweyWest", "lags": lags, "adjust": adjust, "time": time, "kernel": kernel}
        yield from statsmodels(model, "HAC", options, ours)


def panel(model, lags, kernel="bartlett"):
    """A lag is a row of the unit, whatever its time."""
    for correction, adjust in CORRECTIONS.items():
        options = f"groups=codes(rows['firm']), maxlags={lags}, kernel='{kernel}', use_correction={correction!r}"
        ours = {"estimator": "PanelHAC", "unit": "firm", "time": "year", "step": "row", "lags": lags}
        yield from statsmodels(model, "hac-panel", options, {**ours, "adjust": adjust, "kernel": kernel})


def driscoll_kraay(model, lags, kernel="bartlett"):
    """For t, statsmodels counts the units where it means the periods: no p-values are recorded."""
    for correction, adjust in CORRECTIONS.items():
        options = f"time=codes(rows['year']), maxlags={lags}, kernel='{kernel}', use_correction={correction!r}"
        ours = {"estimator": "DriscollKraay", "time": "year", "lags": lags, "adjust": adjust, "kernel": kernel}
        yield from statsmodels(model, "hac-groupsum", options, ours, asked=(False,))


# -- pyfixest


def pyfixest(model, vcov, options, ours, adjusted, *, tested=True):
    rule = "ssc(" + ", ".join(f"{name}={value!r}" for name, value in adjusted.items()) + ")"
    arguments = f"vcov={vcov!r}, " + (f"vcov_kwargs={options!r}, " if options else "")
    call = f"feols(formula, data, {arguments}ssc={rule}, **kinds)"
    fit = eval(call, {"feols": feols, "ssc": ssc, **known(model)})
    test = {"use_t": None, "df": float(fit._df_t), "pvalues": fit.pvalue(), "conf_int": fit.confint()}
    coef = fit.coef()
    return record(model, "pyfixest", call, ours, (coef.index, coef, fit._vcov), [test] * tested)


def fixest_rows(model):
    yield pyfixest(model, "iid", None, {"estimator": "IID"}, {"k_adj": True})
    for adjust in (True, False):
        for kind in ("HC1", "HC2", "HC3"):
            yield pyfixest(model, kind, None, {"estimator": kind, "adjust": adjust}, {"k_adj": adjust})


def fixest_clustered(model, *by):
    for adjusted, adjust in RULES + (RULES_OF_FEWEST if len(by) > 1 else ()):
        yield pyfixest(model, {"CRV1": "+".join(by)}, None, cluster(by, adjust), adjusted)


def fixest_jackknifed(model, by):
    for adjusted, adjust in RULES:
        yield pyfixest(model, {"CRV3": by}, None, cluster([by], adjust, kind="CRV3"), adjusted)


def fixest_time(model, vcov, options, ours, adjust=None):
    """Record no factor, and pyfixest's own, T / (T - 1) (n - 1) / (n - k) with T periods, where ours has it.

    Tests take T - 1 degrees of freedom; only for Driscoll and Kraay's covariance are these ours.
    """
    yield pyfixest(model, vcov, options, {**ours, "adjust": False}, UNADJUSTED, tested=vcov == "DK")
    if adjust is not None:
        adjusted = {"k_adj": True, "G_adj": True}
        yield pyfixest(model, vcov, options, {**ours, "adjust": adjust}, adjusted, tested=vcov == "DK")


def fixest_series(model, lags):
    """The factor of n periods is n / (n - k)."""
    ours = {"estimator": "NeweyWest", "lags": lags, "time": "period"}
    yield from fixest_time(model, "NW", {"time_id": "period", "lag": lags}, ours, True)


def fixest_panel(model, lags):
    """Newey-West within units has the factor of the number of periods; ours has that of units."""
    options = {"time_id": "year", "panel_id": "unit", "lag": lags}
    within = {"estimator": "PanelHAC", "unit": "firm", "time": "year", "step": "row", "lags": lags}
    yield from fixest_time(model, "NW", options, within)
    across = {"estimator": "DriscollKraay", "time": "year", "lags": lags}
    yield from fixest_time(model, "DK", options, across, "clusters")


def records():
    for model in INDEPENDENT:
        yield from rows(model)
        yield from fixest_rows(model)
    for model, ways in CLUSTERED.items():
        for by in ways:
            yield from clustered(model, *by)
            yield from fixest_clustered(model, *by)
        yield from jackknifed(model, ways[0][0])
        yield from fixest_jackknifed(model, ways[0][0])
    for model, lags in PANELS:
        yield from panel(model, lags)
        yield from driscoll_kraay(model, lags)
        yield from fixest_panel(model, lags)
    yield from panel("grunfeld", 3, "uniform")
    yield from driscoll_kraay("grunfeld", 3, "uniform")
    for model, lags in (("macro", 0), ("macro", 4), ("macro", 12), ("macro_weighted", 4)):
        yield from hac(model, lags, "period")
        yield from fixest_series(model, lags)
    yield from hac("macro", 4, "period", "uniform")
    yield from hac("investment", 2)
    yield from hac("titanic", 3)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    lines = [json.dumps(found) for found in records()]
    (HERE / "covariances_peers.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(len(lines), "records")
