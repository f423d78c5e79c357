"""The checks of arguments that every floor makes."""

from __future__ import annotations

from typing import Any

import pytest

from formula_torch.errors import check_known


@pytest.mark.parametrize("given", [True, False, "both", None])
def test_known_spellings_pass(given: Any) -> None:
    check_known("adjust", given, (True, False, "both", None))


@pytest.mark.parametrize("given", [1, 0.0, "Both", ["both"], {}])
def test_unknown_spellings_list_the_known_ones(given: Any) -> None:
    with pytest.raises(ValueError, match="use one of True, False, 'both', None"):
        check_known("adjust", given, (True, False, "both", None))
