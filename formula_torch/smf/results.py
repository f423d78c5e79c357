"""What every result here has besides its vocabulary: covariances by statsmodels' names, and its life."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np

from formula_torch.inference.moments import Moments
from formula_torch.smf.covariances import COV_TYPES, Kind, Labelled, cov_estimate
from formula_torch.smf.inference import StatsmodelsTests

__all__ = ["StatsmodelsResults", "numpy_floats", "statsmodels_api"]


def numpy_floats(base: type, *names: str) -> Callable[[type], type]:
    """Make numbers of `base` numpy's floats, which scripts round by their method."""

    def decorate(cls: type) -> type:
        for name in names:
            setattr(cls, name, _numpy_float(getattr(base, name)))
        return cls

    return decorate


def _numpy_float(number: property) -> property:
    read = number.fget
    assert read is not None
    return property(lambda self: np.float64(read(self)), doc=number.__doc__)


@dataclass(frozen=True, eq=False, repr=False)
class StatsmodelsResults(StatsmodelsTests):
    """A fit under statsmodels' names and with its defaults.

    Parameters
    ----------
    cov_kwds : dict
        What the covariance was asked for with.
    """

    cov_kwds: dict[str, Any] = field(default_factory=dict, kw_only=True)
    cov_types: ClassVar[Mapping[str, Kind]] = COV_TYPES

    @property
    def model_name(self) -> str:
        """The class of the model: ``"OLS"``, ``"Logit"``, ..."""
        return type(self.formula_model).__name__

    @property
    def formula_model(self) -> Any:
        """The model, whatever its class."""
        return self.model  # type: ignore[attr-defined]

    # -- covariance -------------------------------------------------------------------------------

    @property
    def cov_type(self) -> str:
        """The covariance as it was asked for."""
        return self.covariance.label

    @property
    def df_resid_inference(self) -> float:
        """Degrees of freedom of t and F."""
        return self.df_denom

    @property
    def cov_params_default(self) -> np.ndarray:
        """Covariance of the coefficients, shape (k, k)."""
        return self.covariance.matrix.copy()

    def _moments_of(self, cov_type: str) -> Moments:  # noqa: ARG002 - the information may depend on it
        return self.moments()

    def robust(self, cov_type: str, use_t: bool, options: Mapping[str, Any]) -> Self:
        """Return the same fit under a covariance by statsmodels' name and keywords."""
        rows = self.held_rows("this covariance")
        labelled = Labelled(self.sample, rows.frame.index)
        moments = self._moments_of(cov_type)
        covariance = cov_estimate(cov_type, options, use_t, labelled, moments, self.cov_types)
        kwds = {"use_t": use_t, **options, "description": covariance.note}
        return replace(self, covariance=covariance, cov_kwds=kwds)

    def with_vcov(self, vcov: Any, use_t: bool | None = None) -> Self:
        """Return the same fit under a covariance by the spellings of ``formula_torch.fit``, with its defaults."""
        made = super().with_vcov(vcov, use_t)
        return replace(made, cov_kwds={"use_t": made.use_t, "description": made.covariance.note})

    # -- life -------------------------------------------------------------------------------------

    def remove_data(self) -> Self:
        """Return the result, and its model, without the rows of the data."""
        return replace(super().remove_data(), model=self.formula_model.without_data())  # type: ignore[call-arg]

    def save(self, fname: Any, remove_data: bool = False) -> None:  # noqa: ARG002 - a pickle has no rows in any case
        """Pickle to a file; the rows of the data are left out."""
        Path(fname).write_bytes(pickle.dumps(self))

    @classmethod
    def load(cls, fname: Any) -> Self:
        """Unpickle from a file that ``save`` wrote; like any pickle, one from a source you trust."""
        return pickle.loads(Path(fname).read_bytes())  # noqa: S301

    def _their_covariance(self) -> dict[str, Any]:
        """The arguments that ask statsmodels for the covariance."""
        kwds = {k: v for k, v in self.cov_kwds.items() if k not in ("use_t", "description")}
        rows = Labelled(self.sample, self.held_rows("to_statsmodels").frame.index)
        for name in {"groups", "time"} & set(kwds):
            codes = np.column_stack([c[self.sample.used] for c in rows.columns(kwds[name], name)])
            kwds[name] = np.squeeze(codes.astype(np.int64))
        return {"cov_type": self.cov_type, **({"cov_kwds": kwds} if kwds else {}), "use_t": self.use_t}


def statsmodels_api() -> ModuleType:
    """Return ``statsmodels.api``.

    Raises
    ------
    ImportError
        statsmodels is not installed.
    """
    try:
        import statsmodels.api as sm
    except ImportError as error:
        raise ImportError("to_statsmodels() needs statsmodels: pip install statsmodels.") from error
    return sm
