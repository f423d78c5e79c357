"""Scripts in the style of real ones give the same variables with one line changed."""

from __future__ import annotations

import numbers
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))
DATA = Path(__file__).parents[1] / "reference" / "inference"
HOMES = ("statsmodels", "formula_torch")


def run(text: str, name: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"DATA": DATA, "__name__": name}
    exec(compile(text, name, "exec"), namespace)
    return {
        key: value
        for key, value in namespace.items()
        if not key.startswith("__")
        and not callable(value)
        and not isinstance(value, (ModuleType, SimpleNamespace, Path))
    }


def is_result(value: Any) -> bool:
    return type(value).__module__.split(".")[0] in HOMES


def compare(ours: Any, theirs: Any, where: str) -> None:
    """The same type and names, numbers to 1e-8 (and 1e-10 absolutely, about zero)."""
    if is_result(theirs):
        assert is_result(ours), where
    elif isinstance(theirs, (bool, np.bool_, str)) or theirs is None:
        assert ours == theirs, where
    elif isinstance(theirs, numbers.Integral):
        assert isinstance(ours, numbers.Integral) or float(ours).is_integer(), where
        assert ours == theirs, where
    elif isinstance(theirs, numbers.Number):
        assert isinstance(ours, float), f"{where}: {type(ours)}"
        close(ours, theirs, where)
    else:
        assert type(ours) is type(theirs), f"{where}: {type(ours)}, not {type(theirs)}"
        compare_collection(ours, theirs, where)


def compare_collection(ours: Any, theirs: Any, where: str) -> None:
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), where
        for key in theirs:
            compare(ours[key], theirs[key], f"{where}[{key!r}]")
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), where
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            compare(one, other, f"{where}[{i}]")
    elif isinstance(theirs, pd.DataFrame):
        pd.testing.assert_index_equal(ours.columns, theirs.columns, obj=where)
        for position, name in enumerate(theirs.columns):
            compare(ours.iloc[:, position], theirs.iloc[:, position], f"{where}[{name!r}]")
    elif isinstance(theirs, pd.Series):
        pd.testing.assert_index_equal(ours.index, theirs.index, obj=where)
        assert ours.dtype == theirs.dtype, where
        compare(ours.to_numpy(), theirs.to_numpy(), where)
    elif isinstance(theirs, np.ndarray) and theirs.dtype.kind in "iuf":
        assert ours.shape == theirs.shape, where
        close(ours, theirs, where)
    else:
        assert list(np.ravel(ours)) == list(np.ravel(theirs)), where


def close(ours: Any, theirs: Any, where: str) -> None:
    size = np.nanmax(np.abs(theirs), initial=0) if np.size(theirs) else 0
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10 * min(max(float(size), 1e-3), 1e3), err_msg=where)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_one_line_changed(script: Path) -> None:
    text = script.read_text()
    assert text.count("import statsmodels.formula.api as smf") + text.count("from statsmodels.formula.api import") == 1
    theirs = run(text, "before")
    ours = run(text.replace("statsmodels.formula.api", "formula_torch.smf"), "after")
    assert list(ours) == list(theirs)
    assert any(not is_result(value) for value in theirs.values())
    for name in theirs:
        compare(ours[name], theirs[name], name)


def test_there_are_enough_of_them() -> None:
    assert len(SCRIPTS) >= 14
