"""Petersen's panel: clustering one way and two."""
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "petersen.csv")
plain = smf.ols("y ~ x", data=df).fit()
firm = smf.ols("y ~ x", data=df).fit(cov_type="cluster", cov_kwds={"groups": df["firm"]})
year = smf.ols("y ~ x", data=df).fit(cov_type="cluster", cov_kwds={"groups": df["year"]}, use_t=True)
both = smf.ols("y ~ x", data=df).fit(cov_type="cluster", cov_kwds={"groups": df[["firm", "year"]].values})
se = pd.concat([m.bse for m in (plain, firm, year, both)], axis=1, keys=["ols", "firm", "year", "both"])
t = {name: float(m.tvalues["x"]) for name, m in dict(plain=plain, firm=firm, year=year, both=both).items()}
p_year = year.pvalues
ci_year = year.conf_int().loc["x"].tolist()
f = firm.fvalue, firm.f_pvalue
dummies = smf.ols("y ~ x + C(year)", data=df).fit(cov_type="cluster", cov_kwds={"groups": df["firm"]})
slope = dummies.params.filter(like="x")
years = [name for name in dummies.params.index if name.startswith("C(year)")]
joint = dummies.f_test(" = ".join(years) + " = 0")
joint_numbers = float(joint.fvalue), float(joint.pvalue), joint.df_num, joint.df_denom
changed = plain.get_robustcov_results(cov_type="cluster", groups=df["firm"])
changed_p = changed.pvalues
