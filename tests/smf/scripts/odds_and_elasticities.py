"""Exponentiated tables of a log-linear model."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "macro.csv")
df["post"] = (df["year"] >= 1980).astype(int)
model = smf.ols("np.log(realcons) ~ np.log(realdpi) + post + unemp + post:unemp", data=df).fit(
    cov_type="HAC", cov_kwds={"maxlags": 4}
)
conf = model.conf_int()
conf["ratio"] = model.params
conf.columns = ["2.5%", "97.5%", "ratio"]
ratios = np.exp(conf)
percent = 100 * (np.exp(model.params["post"]) - 1)
pretty = pd.DataFrame({"b": model.params.round(3), "se": model.bse.round(3), "p": model.pvalues.round(3)})
exponents = np.exp(model.params)
latex_row = " & ".join(f"{b:.3f}" for b in model.params)
corrected = smf.ols("np.log(realcons) ~ unemp + infl", df).fit(cov_type="HAC", cov_kwds={"maxlags": 4, "use_correction": True})
corrected_p = corrected.pvalues
trend = smf.ols("np.log(realcons) ~ period", df).fit().params
condition, eigenvalues = model.condition_number, model.eigenvals
