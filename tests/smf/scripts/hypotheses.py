"""Linear hypotheses as strings and matrices."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "employment.csv")
m = smf.ols("np.log(emp) ~ np.log(wage) + np.log(capital) + np.log(output)", df).fit(cov_type="HC1")
plain = smf.ols("emp ~ wage + capital + output", df).fit()
f = plain.f_test("wage = capital = 0")
f_numbers = float(f.fvalue), float(f.pvalue), f.df_denom, f.df_num
f_matrix = plain.f_test(np.eye(4)[1:])
f_same = abs(float(f_matrix.fvalue) - plain.fvalue) < 1e-8
t = plain.t_test("capital = 1.5")
t_numbers = t.effect, t.sd, t.tvalue, t.pvalue, t.conf_int()
frame = plain.t_test("wage + output = 0, capital - output = 1").summary_frame()
two = plain.t_test(np.array([[0, 1, 0, 0], [0, 0, 1, -1]]))
two_numbers = two.effect, two.tvalue, two.pvalue
w = m.wald_test("np.log(wage) = -0.5", scalar=True)
w_numbers = float(w.statistic), float(w.pvalue)
chi2 = plain.wald_test("wage = 0, output = 0", use_f=False, scalar=True)
chi2_numbers = float(chi2.statistic), float(chi2.pvalue)
z = m.t_test("np.log(capital) = 0.5")
z_numbers = z.tvalue, z.pvalue, z.conf_int(0.1)
terms = plain.wald_test_terms(scalar=True).table
