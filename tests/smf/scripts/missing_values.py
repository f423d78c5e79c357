"""Rows with missing values: residuals and groups keep the index of the data."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "employment.csv")
df.index = df["firm"].astype(str) + "-" + df["year"].astype(str)
df.loc[df.index[::17], "wage"] = np.nan
df.loc[df.index[5:9], "emp"] = np.nan
fit = smf.ols("np.log(emp) ~ np.log(wage) + np.log(capital)", data=df, missing="drop").fit()
n = fit.nobs
resid = fit.resid
fitted = fit.fittedvalues
df["resid"] = fit.resid
back = df["resid"]
largest = fit.resid.abs().nlargest(3).index.tolist()
rows = list(fit.model.data.row_labels[:5])
used = df.loc[fit.resid.index]
clustered = smf.ols("np.log(emp) ~ np.log(wage) + np.log(capital)", df).fit(
    cov_type="cluster", cov_kwds={"groups": df.dropna(subset=["emp", "wage"])["firm"]}
)
errors = clustered.bse
older = smf.ols("np.log(emp) ~ np.log(wage)", df, subset=df["year"] < 1980).fit()
older_params, older_n = older.params, older.nobs
picked = smf.ols("emp ~ wage", df, subset=df.index[:200]).fit().params
y, X = fit.model.endog, fit.model.exog
beta = np.linalg.solve(X.T @ X, X.T @ y)
dependent, regressors = fit.model.endog_names, fit.model.exog_names
