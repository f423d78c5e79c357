"""Tables taken out of the two summaries."""
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "investment.csv")
res = smf.ols("RealInv ~ RealGNP + RealInt", data=df).fit()
cells = [[cell.strip() for cell in row] for row in res.summary().tables[1].data]
table = pd.DataFrame(cells[1:], columns=cells[0]).set_index("")
coef = table["coef"].astype(float)
header = {row[0].strip(): row[1].strip() for row in res.summary().tables[0].data if row[0] not in ("Date:", "Time:")}
right = {row[2].strip(): row[3].strip() for row in res.summary().tables[0].data}
diagnostics = [[cell.strip() for cell in row] for row in res.summary().tables[2].data]
short = [len(t.data) for t in res.summary(slim=True).tables]
frame = res.summary2().tables[1]
b = res.summary2().tables[1]["Coef."]
bounds = res.summary2(alpha=0.1).tables[1].columns.tolist()
info = res.summary2().tables[0].drop(2)
foot = res.summary2().tables[2]
title = res.summary2().title
robust = smf.ols("RealInv ~ RealGNP + RealInt - 1", data=df).fit(cov_type="HAC", cov_kwds={"maxlags": 2})
hac_frame = robust.summary2().tables[1]
hac_header = [[c.strip() for c in row] for row in robust.summary().tables[0].data if row[0] not in ("Date:", "Time:")]
hac_cells = [[c.strip() for c in row] for row in robust.summary(alpha=0.1, xname=["a", "b"]).tables[1].data]
read_back = pd.read_csv(__import__("io").StringIO(res.summary2().tables[1].to_csv()), index_col=0)
is_text = isinstance(res.summary().as_text(), str), "RealGNP" in res.summary().as_latex(), "<table" in res.summary().as_html()
commas = "RealInt" in res.summary().as_csv()
