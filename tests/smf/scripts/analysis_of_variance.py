"""Sums of squares of terms, by statsmodels' own function."""

import numpy as np
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

import formula_torch as ft

visits = ft.datasets.visits()


def half(x):
    return x / 2


model = smf.ols("drvisits ~ C(actlim) * private + half(age) + np.log(age)", data=visits).fit()
first = anova_lm(model)
second = anova_lm(model, typ=2)
third = anova_lm(model, typ="III", robust="hc3")
share = second["sum_sq"] / second["sum_sq"].sum()
smaller = smf.ols("drvisits ~ private + half(age)", data=visits).fit()
nested = anova_lm(smaller, model)
groups = list(first.index[:-1])
best = second["F"].idxmax()
