"""A first regression, read off number by number."""
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "california_schools.csv")
df["str"] = df["students"] / df["expenditure"] * 1000
df["large"] = df["students"] > df["students"].median()

model = smf.ols(formula="math ~ income + english + lunch", data=df)
results = model.fit()

coefs = results.params
income_effect = results.params["income"]
income_or_nan = results.params.get("income", float("nan"))
nothing = results.params.get("absent", -1.0)
errors = results.bse
t = results.tvalues
p = results.pvalues
ci = results.conf_int()
low = ci[0]
high = ci.loc["income", 1]
wide = results.conf_int(alpha=0.01)
r2 = results.rsquared.round(4)
adj = round(results.rsquared_adj, 4)
n = int(results.nobs)
f, fp = results.fvalue, results.f_pvalue
fits = (results.aic, results.bic, results.llf, results.scale, results.ssr, results.ess, results.mse_resid)
dof = results.df_model, results.df_resid
names = list(results.params.index)
has = "income" in results.params
significant = results.pvalues[results.pvalues < 0.05].index.tolist()
values = results.params.values
stars = {name: "***" if q < 0.001 else "" for name, q in results.pvalues.items()}
covariance = results.cov_params()
