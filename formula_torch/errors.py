"""Every exception and warning of the package.

::

    FormulaTorchError
    ├── FormulaError (ValueError)        the formula cannot be read or evaluated
    │   └── UnknownNameError             a name is neither a column nor a function
    ├── DataError (ValueError)           the data cannot be used as they are
    └── DataRemovedError (RuntimeError)  the result no longer holds its rows

    FormulaTorchWarning (UserWarning)
    ├── CollinearityWarning              columns dropped, or nearly dependent
    ├── DesignWarning                    a term lost, or nothing left to estimate errors from
    └── InferenceWarning                 a standard error or a test that cannot be trusted or had

Messages say what is wrong, where (column, first rows, counts) and what to do.
"""

__all__ = [
    "CollinearityWarning",
    "DataError",
    "DataRemovedError",
    "DesignWarning",
    "FormulaError",
    "FormulaTorchError",
    "FormulaTorchWarning",
    "InferenceWarning",
    "UnknownNameError",
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


class DesignWarning(FormulaTorchWarning):
    """The design lost a term, or leaves no degrees of freedom for standard errors."""


class InferenceWarning(FormulaTorchWarning):
    """A standard error or a test is not defined, or should not be trusted."""
