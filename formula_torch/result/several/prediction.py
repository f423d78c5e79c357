"""Means, probabilities and predictors of rows under a model of several predictors, and residuals."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import CollinearityWarning, DataError, check_known
from formula_torch.numerics.arrays import CELLS_AT_ONCE, as_tensor, slices
from formula_torch.result.new_rows import breaking, breaking_warning, offset_of_new
from formula_torch.result.several.base import SeveralEstimates
from formula_torch.result.several.layout import key_of
from formula_torch.result.several.moments import designs_of

__all__ = ["SeveralPredictions"]

KINDS = ("mean", "linear", "prob")
# Probabilities of more counts than this are not tabulated unless they are asked for.
MOST_COUNTS = 1000


class SeveralPredictions(SeveralEstimates):
    """Predictions of the rows of a fit, or of new ones."""

    def predict(
        self,
        newdata: Any = None,
        *,
        which: str = "mean",
        counts: Sequence[int] | None = None,
        offset: Any = None,
        exposure: Any = None,
        unseen: str = "error",
    ) -> Any:
        """Predict the mean response, or probabilities.

        Parameters
        ----------
        newdata : table, optional
            New rows; without it, the rows of the fit.
        which : {"mean", "linear", "prob"}
            The mean (of a response of levels their probabilities), the linear predictors of the main formula, or the
            probabilities of levels or counts.
        counts : sequence of int, optional
            Whose probabilities; by default 0 to the largest that was observed.
        offset, exposure : str or array of shape (n,), optional
            Needed where the fit was given its own as an array.
        unseen : {"error", "nan"}
            What to do with a factor level that the fit did not see.

        Returns
        -------
        Series, shape (n,), or DataFrame
            On the index of `newdata`; NaN where a predictor is missing. Levels and counts have a column each, and so
            have the predictors of a multinomial model.

        Raises
        ------
        DataError
            Unseen levels, an offset is needed, or the response has no probabilities.
        UnknownNameError
            A column is missing.
        """
        check_known("which", which, KINDS)
        _, eta, index = self._rows_and_eta(newdata, offset, exposure, unseen)
        if which == "linear":
            return self._linear(eta, index)
        if which == "prob" and not self.family.levels:
            return self._count_probabilities(eta, index, counts)
        return self._outcomes(self.limit.expected(eta), index)

    @property
    def fittedvalues(self) -> Any:
        """Mean response of the rows used, a Series; of a response of levels their probabilities, a DataFrame."""
        return self.predict()

    @property
    def resid(self) -> Any:
        """Response less its mean; of levels, whether it is that level less its probability."""
        _, eta, index = self._rows_and_eta(None, None, None, "error")
        return self._outcomes(self._observed("resid") - self.limit.expected(eta), index)

    @property
    def resid_pearson(self) -> Any:
        """Residuals over the standard deviation of the response, times the root of an analytic weight."""
        _, eta, index = self._rows_and_eta(None, None, None, "error")
        values = (self._observed("resid_pearson") - self.limit.expected(eta)) / self.limit.variance(eta).sqrt()
        weights = self.held_rows("resid_pearson").weight_values() if self.weights_type == "analytic" else None
        return self._outcomes(values if weights is None else values * as_tensor(np.sqrt(weights)), index)

    def pred_table(self) -> pd.DataFrame:
        """Count observed levels (rows) against the most probable ones (columns).

        Raises
        ------
        DataError
            The response has no levels.
        """
        if not self.family.levels:
            raise DataError(f"pred_table counts levels; the response of family={self.family.name!r} has none.")
        predicted, observed = self.predict().to_numpy().argmax(1), self._observed("pred_table").argmax(0).numpy()
        size = len(self.family.levels)
        weights = self.held_rows("pred_table").weight_values() if self.weights_type == "frequency" else None
        found = np.bincount(size * observed + predicted, weights=weights, minlength=size**2).reshape(size, size)
        return pd.DataFrame(found.astype(np.float64), index=self._level_index, columns=self._level_index)

    # -- rows -------------------------------------------------------------------------------------

    @property
    def _level_index(self) -> pd.Index:
        return pd.Index(self.recipe.response_levels, name=self.recipe.response_name)

    def _rows_and_eta(
        self, newdata: Any, offset: Any, exposure: Any, unseen: str
    ) -> tuple[dict[str, Design], Tensor, pd.Index | None]:
        """Rows of the fit, or new ones: their designs, predictors, shape (m, n), and index.

        Called by what the user calls, whose caller is warned.
        """
        if newdata is None:
            if offset is not None or exposure is not None:
                raise DataError("offset= and exposure= go with newdata; the rows of the fit have their own.")
            designs = designs_of(self.held_rows("predict without newdata"), self.recipes)
            return designs, self.predictors_of(designs), self.sample.index
        frame = as_frame(newdata)
        designs = self.new_designs(frame, offset, exposure, unseen)
        return designs, self._blanked(self.predictors_of(designs), designs), frame.index

    def new_designs(self, frame: Frame, offset: Any, exposure: Any, unseen: str = "error") -> dict[str, Design]:
        """Designs of new rows under the names of `recipes`; that of the main formula with the whole offset."""
        designs = {key: recipe.apply(frame, unseen=unseen) for key, recipe in self.recipes.items()}
        own, written = offset_of_new(frame, (self.offset, offset), (self.exposure, exposure)), designs[""].offset
        if own is not None:
            whole = as_tensor(own) if written is None else written + as_tensor(own)
            designs[""] = replace(designs[""], offset=whole)
        return designs

    def _blanked(self, eta: Tensor, designs: Mapping[str, Design]) -> Tensor:
        """Put NaN where coefficients of dropped columns would matter."""
        lost = np.logical_or.reduce([breaking(designs[key], found) for key, found in self.null_spaces.items()])
        if not lost.any():
            return eta
        warnings.warn(breaking_warning(lost, self._dropped), CollinearityWarning, stacklevel=4)
        return torch.where(torch.from_numpy(lost), torch.nan, eta)

    def _observed(self, what: str) -> Tensor:
        """The response as ``expected`` has it: itself, shape (1, n), or the indicators of its levels, shape (J, n)."""
        rows = self.held_rows(what)
        y = as_tensor(self.recipe.response(rows.used_frame()))
        if y.ndim > 1:
            name = self.recipe.response_name
            raise DataError(f"{what}: the response `{name}` has several columns, and no residuals.")
        if not self.family.levels:
            return y[None]
        return torch.nn.functional.one_hot(y.long(), len(self.family.levels)).mT.double()

    def _outcomes(self, values: Tensor, index: pd.Index | None) -> Any:
        if self.family.levels:
            return pd.DataFrame(values.mT.numpy(), index=index, columns=self._level_index)
        return pd.Series(values[0].numpy(), index=index)

    def _linear(self, eta: Tensor, index: pd.Index | None) -> Any:
        main = [j for j, p in enumerate(self.limit.predictors) if key_of(p, self.further) == ""]
        if len(main) == 1:
            return pd.Series(eta[main[0]].numpy(), index=index)
        names = [self.limit.predictors[j].name for j in main]
        return pd.DataFrame(eta[main].mT.numpy(), index=index, columns=names)

    def _count_probabilities(self, eta: Tensor, index: pd.Index | None, counts: Sequence[int] | None) -> pd.DataFrame:
        if self.family.kind != "probability":
            raise DataError(f"family={self.family.name!r} has a density, not probabilities; use which='mean'.")
        if counts is None and self.largest > MOST_COUNTS:
            raise DataError(f"counts reach {self.largest:g}; say whose probabilities are wanted: counts=range(20).")
        wanted = list(range(int(self.largest) + 1) if counts is None else counts)
        n, found = eta.shape[1], []
        for part in slices(len(wanted), CELLS_AT_ONCE // max(n, 1)):
            some = torch.tensor(wanted[part], dtype=torch.float64)
            logs = self.limit.loglik(some.repeat_interleave(n), eta.repeat(1, len(some)))
            found.append(logs.exp().reshape(len(some), n))
        return pd.DataFrame(torch.cat(found).mT.numpy(), index=index, columns=wanted)
