"""What statsmodels has and we do not, under its names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["unsupported"]


def unsupported(name: str, of: str) -> Callable[..., Any]:
    """Return a method that says how statsmodels does it.

    Parameters
    ----------
    name : str
    of : {"result", "model"}
    """
    where = {
        "result": f"result.to_statsmodels().{name}(...)",
        "model": f"model.fit().to_statsmodels().model.{name}(...)",
    }

    def method(self: Any, *args: Any, **options: Any) -> Any:
        raise NotImplementedError(f"{name} is not built; statsmodels has it: {where[of]}.")

    method.__name__ = name
    method.__doc__ = f"Raise NotImplementedError: {where[of]} has it."
    return method
