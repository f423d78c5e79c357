"""What a function of the user's makes of a column, and what is remembered of it."""

from __future__ import annotations

import pandas as pd

import formula_torch as ft


def middle(x):
    return x.mean()


def halves(x):
    return pd.cut(pd.Series(x), [0, 2, 9], labels=["upper", "lower"])


def test_a_single_number_is_remembered() -> None:
    data = {"y": [1.0, 3.0, 4.0, 9.0], "x": [1.0, 2.0, 3.0, 4.0]}
    fit = ft.fit("y ~ I(x - middle(x))", data, functions={"middle": middle})
    assert fit.params["Intercept"] == 4.25
    assert fit.predict({"x": [2.5]}).round(12).tolist() == [4.25]


def test_declared_categories_keep_their_order() -> None:
    data = {"y": [1.0, 3.0, 4.0, 9.0], "x": [1.0, 2.0, 3.0, 4.0]}
    fit = ft.fit("y ~ halves(x)", data, functions={"halves": halves})
    assert list(fit.params.index) == ["Intercept", "halves(x)[T.lower]"]
    assert fit.predict({"x": [1.0, 4.0]}).round(12).tolist() == [2.0, 6.5]
