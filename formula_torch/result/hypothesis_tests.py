"""Tests of hypotheses about the coefficients of any fit."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from formula_torch.data import suggest
from formula_torch.errors import FormulaError, InferenceWarning, UnknownNameError
from formula_torch.formula.encode import Levels
from formula_torch.inference.hypotheses import Hypotheses, read_hypotheses
from formula_torch.inference.multiplicity import adjust_pvalues
from formula_torch.inference.wald import wald_statistic
from formula_torch.result.contrasts import TTest, WaldTest
from formula_torch.result.estimates import Estimates
from formula_torch.result.term_tests import PairwiseTests, TermTests

__all__ = ["HypothesisTests"]


class HypothesisTests(Estimates):
    """Tests under whatever covariance the fit has.

    A hypothesis is text, ``"x = 1"``, ``"x = z = 0"``, ``"x + 2*z = 3, w = 0"``, in which coefficients go by
    the names that the summary prints (in backticks where a sign follows that could belong to a name); also a
    matrix R, a tuple (R, q), a list of texts, or a dict of names with values. Text may be nonlinear,
    ``"x / z = 1"``, ``"exp(x) = 2"``: such hypotheses are tested by the delta method,
    sd = (g' V g)^1/2 with g the gradient at the estimates, and the answer then depends on how they are
    written. Where ``exp(x)`` is itself a coefficient, that is meant.
    """

    @property
    def term_columns(self) -> dict[str, list[int]]:
        """Positions of the coefficients of each term of the formula."""
        return self.recipe.columns_of_terms

    def main_effects(self, term: str) -> dict[str, list[int]]:
        """Positions of the coefficients of a term, by what stands before their names; one set for each predictor."""
        return {"": self.term_columns[term]}

    def _df(self, use_t: bool) -> float:
        return self.df_denom if use_t else math.inf

    def _read(self, hypotheses: Any) -> Hypotheses:
        return read_hypotheses(hypotheses, self.names, self.coefficients)

    def t_test(self, hypotheses: Any, *, use_t: bool | None = None, adjust: str | None = None) -> TTest:
        """Test hypotheses, each alone.

        Parameters
        ----------
        hypotheses : str, list of str, dict, array or tuple (R, q)
            See the class.
        use_t : bool, optional
            Student's t or the normal; by default as in the summary.
        adjust : str, optional
            Adds p-values adjusted for the number of hypotheses: ``"holm"``, ``"fdr_bh"``, ... as
            ``adjust_pvalues`` knows them.

        Returns
        -------
        TTest
            effect, sd, tvalue, pvalue, conf_int(), summary(), summary_frame().

        Raises
        ------
        FormulaError, UnknownNameError
            The text cannot be read.
        DataError
            R has another shape, or an aliased coefficient is touched.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits())
        >>> fit.t_test("educ = 0.1, chronic / educ = 10").summary_frame().round(3)["coef"].tolist()
        [0.185, 11.195]
        """
        h = self._read(hypotheses)
        df = self._df(self.use_t if use_t is None else use_t)
        return TTest(h.texts, h.effect, h.standard_errors(self.covariance.matrix), h.null, df, adjust)

    def f_test(self, hypotheses: Any) -> WaldTest:
        """Test hypotheses together by F, whatever the fit's own tests use.

        Parameters
        ----------
        hypotheses : str, list of str, dict, array or tuple (R, q)
            See the class.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits())
        >>> round(fit.f_test("age = educ = 0").fvalue, 3)
        19.768
        """
        return self._wald(self._read(hypotheses), use_f=True, scalar=True)

    def wald_test(self, hypotheses: Any, *, use_f: bool | None = None, scalar: bool = True) -> WaldTest:
        """Test hypotheses together: W = d' (J V J')^-1 d with d = g(theta) - null.

        Parameters
        ----------
        hypotheses : str, list of str, dict, array or tuple (R, q)
            See the class.
        use_f : bool, optional
            F = W / q with q hypotheses, or chi-squared; by default F where the summary has t.
        scalar : bool
            Numbers rather than arrays of shape (1, 1), as statsmodels since 0.15.

        Warns
        -----
        InferenceWarning
            Hypotheses follow from one another, or the covariance has a smaller rank than there
            are hypotheses; the degrees of freedom are reduced.

        Raises
        ------
        DataError
            Hypotheses contradict each other, or an aliased coefficient is touched.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits())
        >>> round(fit.wald_test("age = 0, educ = 0.1", use_f=False).statistic, 3)
        9.299
        """
        return self._wald(self._read(hypotheses), use_f=self.use_t if use_f is None else use_f, scalar=scalar)

    def _wald(self, h: Hypotheses, *, use_f: bool, scalar: bool) -> WaldTest:
        test = wald_statistic(h, self.covariance.matrix)
        if test.rank < len(h.texts):
            why = (
                f"only {test.independent} of them are independent"
                if test.rank == test.independent
                else f"the covariance of their effects ({self.covariance.label}) has rank {test.rank}"
            )
            warnings.warn(
                f"{len(h.texts)} hypotheses are tested with {test.rank} degrees of freedom: {why}.",
                InferenceWarning,
                stacklevel=3,
            )
        return WaldTest(test.chi2, float(test.rank), self._df(use_f), use_f, scalar)

    def wald_test_terms(self, skip_single: bool = False, combine_terms: Sequence[str] = ()) -> TermTests:
        """Test each term of the formula: all its coefficients are zero.

        Parameters
        ----------
        skip_single : bool
            Leave out terms of one coefficient.
        combine_terms : sequence of str
            Texts; for each, the terms whose name contains it are also tested together.

        Returns
        -------
        TermTests
            With ``table``: statistic, pvalue, df_constraint (and df_denom for F), one row a term.

        Raises
        ------
        DataError
            A term has an aliased coefficient.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + C(chronic)", ft.datasets.visits())
        >>> fit.wald_test_terms().table["df_constraint"].to_dict()
        {'Intercept': 1, 'age': 1, 'C(chronic)': 8}
        """
        columns = self.term_columns
        tested = [(name, found) for name, found in columns.items() if not skip_single or len(found) > 1]
        tested += [(part, _containing(part, columns)) for part in combine_terms]
        identity = np.eye(len(self.names))
        tests = [self.wald_test(identity[found]) for _, found in tested]
        table = pd.DataFrame(
            {
                "statistic": [t.statistic for t in tests],
                "pvalue": [t.pvalue for t in tests],
                "df_constraint": [int(t.df_num) for t in tests],
                **({"df_denom": [t.df_denom for t in tests]} if self.use_t else {}),
            },
            index=[name for name, _ in tested],
        )
        return TermTests(table, "F" if self.use_t else "chi2")

    def t_test_pairwise(self, term: str, method: str = "hs", alpha: float = 0.05) -> PairwiseTests:
        """Compare all pairs of levels of a factor, with p-values adjusted for their number.

        The levels differ by their main effects: where the factor is in an interaction, these are
        the differences at zero (or the reference level) of what it interacts with. In a multinomial model they
        are compared in each of its linear predictors, and all p-values are adjusted together.

        Parameters
        ----------
        term : str
            As the formula has it: ``"g"``, ``"C(g)"``.
        method : str
            As ``adjust_pvalues`` knows it; ``"hs"`` is Holm's with Sidak's bounds.
        alpha : float
            Level of the rejections, and one less that of the intervals, which are not adjusted.

        Returns
        -------
        PairwiseTests
            With ``result_frame``, a row a pair.

        Raises
        ------
        UnknownNameError, FormulaError
            There is no such term, or it is no factor.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ C(actlim) + age", ft.datasets.visits())
        >>> fit.t_test_pairwise("C(actlim)").contrast_labels
        ['1-0']
        """
        columns = self.term_columns
        if term not in columns:
            raise UnknownNameError(
                f"`{term}` is not a term{suggest(term, columns)} The terms are {', '.join(columns)}."
            )
        levels, coding = self._coding(term)
        pairs = list(itertools.combinations(range(len(levels)), 2))
        effects = self.main_effects(term)
        contrasts = np.zeros((len(effects) * len(pairs), len(self.names)))
        for p, positions in enumerate(effects.values()):
            contrasts[p * len(pairs) : (p + 1) * len(pairs), positions] = [coding[j] - coding[i] for i, j in pairs]
        labels = [f"{prefix}{levels[j]}-{levels[i]}" for prefix in effects for i, j in pairs]
        test = self.t_test(contrasts)
        adjusted = adjust_pvalues(np.atleast_1d(test.pvalue), method)
        frame = test.summary_frame(labels, alpha).assign(
            **{f"pvalue-{method}": adjusted, f"reject-{method}": adjusted <= alpha}
        )
        return PairwiseTests(frame, contrasts, labels, term, coding)

    def _coding(self, name: str) -> tuple[list[str], np.ndarray]:
        """Levels of a factor and the rows of columns that code them."""
        for term in (t for t in self.recipe.terms if len(t.factors) == 1):
            encoding = self.recipe.encodings[term.factors[0]]
            if encoding.text == name and isinstance(encoding, Levels):
                ((_, reduced),) = term.pieces[0].factors
                return [str(level) for level in encoding.levels], encoding.coding(reduced).table()
        raise FormulaError(
            f"`{name}` is no factor by itself: t_test_pairwise compares the levels of one, such as `C(g)`."
        )


def _containing(part: str, columns: Mapping[str, list[int]]) -> list[int]:
    """Positions of the coefficients of all terms whose name contains a text."""
    found = [j for name, positions in columns.items() if part in name for j in positions]
    if not found:
        raise UnknownNameError(f"no term contains {part!r}; the terms are {', '.join(map(repr, columns))}.")
    return found
