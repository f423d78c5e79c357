"""Weighted least squares, zero weights included."""
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "titanic.csv")
df["share"] = df.groupby(["cabin", "sex"])["people"].transform(lambda s: s / max(s.sum(), 1))
wls = smf.wls("share ~ cabin + sex * age", data=df, weights=df["people"] + 1).fit()
params, bse, p = wls.params, wls.bse, wls.pvalues
r2, n, dof, scale = wls.rsquared, wls.nobs, wls.df_resid, wls.scale
resid, wresid, fitted, pearson = wls.resid, wls.wresid, wls.fittedvalues, wls.resid_pearson
llf, aic = wls.llf, wls.aic
robust = smf.wls("share ~ cabin + sex", df, weights=df["people"] + 1).fit(cov_type="HC1").bse
zero = smf.wls("share ~ cabin + sex", data=df, weights=df["people"]).fit()
zero_params, zero_bse, zero_n, zero_dof = zero.params, zero.bse, zero.nobs, zero.df_resid
kept = zero.resid
hc = smf.wls("share ~ cabin + sex", data=df, weights=df["people"]).fit(cov_type="HC3").bse
group = smf.wls("share ~ sex", df, weights=df["people"]).fit(cov_type="cluster", cov_kwds={"groups": df["cabin"]}).bse
weights = zero.model.weights
constant = smf.wls("share ~ age", data=df).fit().params
model_name = type(wls.model).__name__
wexog, wendog = wls.model.wexog, wls.model.wendog
