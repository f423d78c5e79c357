"""The scripts are run by their test, and are no modules; results are compared by every attribute that has a value."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

collect_ignore_glob = ["scripts/*"]


def compare_value(ours: Any, theirs: Any, name: str, rtol: float) -> None:
    """One type, index and shape; numbers to `rtol`, and to 1e-8 about zero."""
    if isinstance(theirs, (pd.Series, pd.DataFrame)):
        assert type(ours) is type(theirs), name
        pd.testing.assert_index_equal(ours.index, theirs.index, obj=name)
        if isinstance(theirs, pd.DataFrame):
            pd.testing.assert_index_equal(ours.columns, theirs.columns, obj=name)
    elif isinstance(theirs, np.ndarray) and theirs.ndim:
        assert type(ours) is type(theirs), name
        assert ours.shape == theirs.shape, name
    elif isinstance(theirs, (str, bool, np.bool_)):
        assert ours == theirs, name
        return
    elif isinstance(theirs, np.floating):
        assert isinstance(ours, np.float64), f"{name}: {type(ours)}"
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-8, err_msg=name)


@pytest.fixture
def compare() -> Callable[..., None]:
    """Compare every public attribute of statsmodels' result that is no method, but those left out."""

    def check(ours: Any, theirs: Any, *, leave: Iterable[str] = (), rtol: float = 1e-7) -> None:
        seen = 0
        for name in sorted(set(dir(theirs)) - set(leave) - {"initialize", "load"}):
            if name.startswith("_"):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = getattr(theirs, name)
            assert hasattr(ours, name), name
            if not callable(value):
                compare_value(getattr(ours, name), value, name, rtol)
                seen += 1
        assert seen > 20

    return check
