"""Intervals of predictions, influential rows, nested models."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "public_schools.csv").dropna().set_index("state").rename_axis(None)
model = smf.ols("expenditure ~ income", data=df).fit()
bands = model.get_prediction(df.head(8)).summary_frame(alpha=0.1)
own = model.get_prediction().summary_frame()
upper = own["obs_ci_upper"]
mean = model.get_prediction(exog=pd.DataFrame({"income": [0.7, 0.8]})).predicted_mean
influence = model.get_influence()
leverage = influence.hat_matrix_diag
cooks, cooks_p = influence.cooks_distance
student = influence.resid_studentized_external
internal = influence.resid_studentized_internal
table = influence.summary_frame()
worst = table["cooks_d"].idxmax()
without = smf.ols("expenditure ~ income", data=df.drop(worst)).fit().params
outliers = model.outlier_test()
suspicious = outliers[outliers["bonf(p)"] < 0.05].index.tolist()
wider = smf.ols("expenditure ~ income + I(income**2)", data=df).fit()
f, p, extra = wider.compare_f_test(model)
lr, lr_p, lr_df = wider.compare_lr_test(model)
durbin = ((model.resid.diff().dropna()) ** 2).sum() / (model.resid**2).sum()
grid = pd.DataFrame({"income": np.linspace(0.5, 1.1, 4)})
robust = smf.ols("expenditure ~ income", df).fit(cov_type="HC3").get_prediction(grid).conf_int()
