"""Every exception and warning of the package.

::

    FormulaTorchError
    ├── FormulaError (ValueError)        the formula cannot be read or evaluated
    │   └── UnknownNameError             a name is neither a column nor a function
    ├── DataError (ValueError)           the data cannot be used as they are
    └── DataRemovedError (RuntimeError)  the result no longer holds its rows

    FormulaTorchWarning (UserWarning)
    ├── CollinearityWarning              columns dropped, or nearly dependent
    ├── ConvergenceWarning               a maximum was not reached
    ├── DesignWarning                    a term lost, or nothing left to estimate errors from
    ├── InferenceWarning                 a standard error or a test that cannot be trusted or had
    └── SeparationWarning                estimates that are infinite, as the response is separated

Messages say what is wrong, where (column, first rows, counts) and what to do. The two checks of
arguments that every floor makes are here too, so that they are worded once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = [
    "CollinearityWarning",
    "ConvergenceWarning",
    "DataError",
    "DataRemovedError",
    "DesignWarning",
    "FormulaError",
    "FormulaTorchError",
    "FormulaTorchWarning",
    "InferenceWarning",
    "SeparationWarning",
    "UnknownNameError",
    "check_known",
    "check_share",
]


class FormulaTorchError(Exception):
    """The root of all errors raised on purpose."""


class FormulaError(FormulaTorchError, ValueError):
    """The formula cannot be read or evaluated."""


class UnknownNameError(FormulaError):
    """A name in the formula is neither a column of the data nor a known function."""


class DataError(FormulaTorchError, ValueError):
    """The data cannot be used as they are: wrong type, length, missing or infinite values."""


class DataRemovedError(FormulaTorchError, RuntimeError):
    """The result has been pickled or stripped and no longer holds the rows it was fitted on."""


class FormulaTorchWarning(UserWarning):
    """The root of all warnings raised on purpose."""


class CollinearityWarning(FormulaTorchWarning):
    """Columns of the design are linearly dependent, or so nearly that digits are lost."""


class ConvergenceWarning(FormulaTorchWarning):
    """A maximum of the likelihood was not reached, or lies at the edge of what is possible."""


class DesignWarning(FormulaTorchWarning):
    """The design lost a term, or leaves no degrees of freedom for standard errors."""


class InferenceWarning(FormulaTorchWarning):
    """A standard error or a test is not defined, or should not be trusted."""


class SeparationWarning(FormulaTorchWarning):
    """Columns predict rows with certainty, so that their estimates are infinite."""


def check_known(argument: str, given: Any, known: Iterable[Any]) -> None:
    """Raise unless an argument is one of the known spellings.

    Parameters
    ----------
    argument : str
        Name of the argument.
    given : object
    known : iterable
        Texts, truth values or None; 1 is not taken for True.

    Raises
    ------
    ValueError
        Lists the known spellings.

    Examples
    --------
    >>> check_known("kind", "mean", ("mean", "median"))
    """
    spellings = list(known)
    if not any(isinstance(given, type(k)) and given == k for k in spellings):
        raise ValueError(f"{argument}={given!r} is not known; use one of {', '.join(map(repr, spellings))}.")


def check_share(argument: str, given: float) -> None:
    """Raise unless a confidence level, or one less it, lies strictly between 0 and 1.

    Raises
    ------
    ValueError
        It does not.
    """
    if not 0 < given < 1:
        raise ValueError(f"{argument}={given} must lie between 0 and 1.")
