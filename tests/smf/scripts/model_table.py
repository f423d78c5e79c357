"""Models side by side, as in a paper."""
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "california_schools.csv")
df["score"] = (df["read"] + df["math"]) / 2
specs = {
    "(1)": "score ~ english",
    "(2)": "score ~ english + lunch",
    "(3)": "score ~ english + lunch + income",
    "(4)": "score ~ english * lunch + income",
}
fits = {name: smf.ols(f, data=df).fit(cov_type="HC1") for name, f in specs.items()}
coef = pd.DataFrame({name: m.params for name, m in fits.items()})
se = pd.DataFrame({name: m.bse for name, m in fits.items()})
stats = pd.DataFrame(
    {name: {"N": m.nobs, "R2": m.rsquared, "RMSE": m.mse_resid**0.5, "F": m.fvalue, "p": m.f_pvalue} for name, m in fits.items()}
)
cells = coef.round(2).astype(str) + " (" + se.round(2).astype(str) + ")"
marked = {
    name: [f"{b:.2f}{'*' * sum(p < q for q in (0.1, 0.05, 0.01))}" for b, p in zip(m.params, m.pvalues)] for name, m in fits.items()
}
frames = pd.concat({name: m.summary2().tables[1] for name, m in fits.items()})
longest = max(len(m.params) for m in fits.values())
residuals = pd.DataFrame({name: m.resid for name, m in fits.items()})
correlation = residuals.corr()
