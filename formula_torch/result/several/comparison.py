"""Tests of a model of several predictors against one with fewer parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from formula_torch.design import Coordinates, Design
from formula_torch.design.auxiliary import constant_alone
from formula_torch.errors import DataError
from formula_torch.inference.hypotheses import Hypotheses
from formula_torch.inference.nesting import distance_to_span, restrictions
from formula_torch.numerics.tails import chi2_sf
from formula_torch.result.auxiliary import solved
from formula_torch.result.nesting import NESTED, check_same_rows, offset_shift
from formula_torch.result.several.base import SeveralEstimates
from formula_torch.result.several.layout import key_of
from formula_torch.result.several.moments import designs_of
from formula_torch.result.wald_comparison import ModelTest, wald_against, warn_of_assumption

__all__ = ["SeveralComparisons"]

# The columns of a predictor, with the coordinates in which they are told apart.
Located = tuple[Design, Coordinates]


class SeveralComparisons(SeveralEstimates):
    """Tests of restrictions; the restricted model must be nested in this one, on the same rows."""

    @property
    def response_sums(self) -> tuple[float, ...]:
        """Observations and the log-likelihood of constants."""
        return self.nobs, self.llnull

    def check_restricted(self, restricted: SeveralComparisons) -> None:
        """Raise unless another model is this one with linear restrictions on its coefficients.

        Raises
        ------
        TypeError
            It is no model of several predictors.
        DataError
            Of another family, not nested, or not of the same rows.
        DataRemovedError
            The rows that would tell are gone.
        """
        if not isinstance(restricted, SeveralComparisons):
            raise TypeError("a model of several parameters is tested against another one; see ft.compare for AIC.")
        if restricted.family != self.family:
            raise DataError(
                f"models of {restricted.family.name} and {self.family.name} are not nested, or only at a boundary, "
                "where the statistic is not chi-squared; compare them by aic or bic."
            )
        check_same_rows((restricted, self))
        texts = f"{restricted.recipe.formula.text!r} and {self.recipe.formula.text!r}"
        if not restricted.n_params < self.n_params:
            raise DataError(
                f"{texts} have {restricted.n_params} and {self.n_params} parameters; give models from the smallest to "
                "the largest."
            )
        ours, theirs = self._located(), restricted._located()
        for predictor in self.family.predictors:
            inner, outer = theirs[predictor.name], ours[predictor.name]
            if distance_to_span(*inner, *outer, offset_shift(inner[0], outer[0])) > NESTED:
                raise DataError(
                    f"{texts} are not nested: in the linear predictor `{predictor.name}` columns of the first are not "
                    "linear combinations of those of the second; compare them by aic or bic."
                )

    def compare_lr_test(self, restricted: SeveralComparisons) -> ModelTest:
        """Likelihood ratio test: 2 (llf - llf_r), chi-squared.

        Parameters
        ----------
        restricted : SeveralFit
            Of the same family; any of its formulas may have fewer columns.

        Returns
        -------
        ModelTest
            statistic, pvalue, df_diff.

        Raises
        ------
        DataError
            The models are not nested, or of other rows or families.
        DataRemovedError
            A result no longer holds its rows.

        Warns
        -----
        InferenceWarning
            A covariance is robust: the likelihood assumes the distribution.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), family="negative_binomial")
        >>> round(fit.compare_lr_test(fit.update(". ~ . - private")).statistic, 3)
        14.386
        """
        self.check_restricted(restricted)
        warn_of_assumption((self, restricted), "likelihood ratio", "the distribution of the family")
        d = float(self.n_params - restricted.n_params)
        ratio = 2 * (self.llf - restricted.llf)
        return ModelTest(ratio, chi2_sf(ratio, d), d)

    def compare_wald_test(self, restricted: SeveralComparisons, *, use_f: bool | None = None) -> ModelTest:
        """Wald test of the restrictions under this fit's covariance, whichever it has.

        Parameters
        ----------
        restricted : SeveralFit
            Need not be a model with some terms left out: any linear restrictions.
        use_f : bool, optional
            F or chi-squared; by default F where the summary has t.

        Raises
        ------
        DataError
            The models are not nested, or of other rows or families.
        DataRemovedError
            The restrictions are read from the rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ private + age", ft.datasets.visits(), family="negative_binomial", vcov="HC1")
        >>> test = fit.compare_wald_test(fit.update(". ~ . - private"))
        >>> bool(abs(test.statistic - fit.tvalues["private"] ** 2) < 1e-8)
        True
        """
        self.check_restricted(restricted)
        d = float(self.n_params - restricted.n_params)
        return wald_against(self, self._restrictions(restricted), d, use_f)

    def _located(self) -> dict[str, Located]:
        """Columns of each predictor with the weights of the rows: those of a formula, or the constant."""
        designs = designs_of(self.held_rows("comparing models"), self.recipes)
        main = designs[""]
        columns: dict[str | None, Design] = {None: replace(constant_alone(main), offset=None)}
        columns.update(designs)
        known: dict[str | None, Located] = {}
        for key in {key_of(predictor, self.further) for predictor in self.family.predictors}:
            design = replace(columns[key], y=main.empty(main.n_rows).zero_(), weights=main.weights)
            known[key] = design, solved(replace(design, offset=None)).coordinates
        return {p.name: known[key_of(p, self.further)] for p in self.family.predictors}

    def _restrictions(self, restricted: SeveralComparisons) -> Hypotheses:
        """State as hypotheses on the parameters that the other model holds, which is nested in this one."""
        ours, theirs, found = self._located(), restricted._located(), []
        for predictor in self.family.predictors:
            inner, outer = theirs[predictor.name], ours[predictor.name]
            if inner[1].rank == outer[1].rank and offset_shift(inner[0], outer[0]) is None:
                continue
            own = self.coefficients_of(predictor.name)
            h = restrictions(*inner, *outer, own, offset_shift(inner[0], outer[0]))
            found.append((h.effect, h.null, self.layout.spread(h.jacobian, predictor.name)))
        effect, null, jacobian = (np.concatenate(part) for part in zip(*found, strict=True))
        texts = tuple(f"restriction {i + 1}" for i in range(len(effect)))
        return Hypotheses(texts, effect, null, jacobian, np.ones(len(effect), dtype=bool))
