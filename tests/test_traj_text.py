"""A trajectory model written as one text: what reaches it, and whom its warnings name."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, InferenceWarning

TEXT = "traj(y ~ t | id, groups=2, starts=3)"


def panel() -> pd.DataFrame:
    draw = np.random.default_rng(1)
    unit, t = np.repeat(np.arange(40), 5), np.tile(np.arange(5.0), 40)
    y = np.where(unit < 2, 9.0, 0.0) + 0.2 * t + draw.normal(size=200)
    return pd.DataFrame({"id": unit, "t": t, "year": 2000 + t, "y": y})


DATA = panel()


def test_where_a_model_runs_is_not_passed_over() -> None:
    for device in ("cuda", "tpu"):
        with pytest.raises(ValueError, match=f"device='{device}': a trajectory model is fitted on the CPU"):
            ft.fit(TEXT, DATA, device=device)
    with pytest.raises(ValueError, match="engine='jax' is not known"):
        ft.fit(TEXT, DATA, engine="jax")
    with pytest.warns(InferenceWarning):
        assert ft.fit(TEXT, DATA, device="cpu").n_groups == 2


def test_warnings_name_the_line_of_the_call() -> None:
    text = "traj(y ~ t + year | id, groups=2, starts=3)"
    with pytest.warns() as caught:
        fit = ft.fit(text, DATA)
    with pytest.warns() as directly:
        ft.traj("y ~ t + year | id", DATA, groups=2, starts=3)
    assert [str(w.message) for w in caught] == [str(w.message) for w in directly]
    assert {w.category for w in caught} >= {CollinearityWarning, InferenceWarning}
    assert {w.filename for w in caught} == {__file__}
    assert fit.n_groups == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollinearityWarning)
        with pytest.raises(CollinearityWarning):
            ft.fit(text, DATA)
