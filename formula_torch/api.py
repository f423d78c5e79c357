"""What users call: resolve spellings, build the design, solve, and wrap the answer."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from formula_torch.errors import FormulaError, check_known
from formula_torch.fitting import Asked, regress
from formula_torch.fitting.asked import ENGINES
from formula_torch.formula.calls import read_call, verb_of
from formula_torch.result.glm import GlmFit
from formula_torch.result.network import NetworkFit
from formula_torch.result.regression import RegressionFit
from formula_torch.result.several import SeveralFit
from formula_torch.result.trajectory import TrajectoryFit
from formula_torch.trajectories import traj

__all__ = ["fit"]

# What the text of a model may call.
VERBS: dict[str, Callable[..., TrajectoryFit]] = {"traj": traj}


def fit(
    formula: str,
    data: Any,
    *,
    family: Any = None,
    link: Any = None,
    weights: Any = None,
    weights_type: str = "analytic",
    offset: Any = None,
    exposure: Any = None,
    inflation: str | None = None,
    dispersion: str | None = None,
    formulas: Mapping[str, str] | None = None,
    vcov: Any = None,
    use_t: bool | None = None,
    bounds: Mapping[str, Any] | None = None,
    prior: str | None = None,
    solver: Any = "auto",
    network: Any = None,
    seed: int = 0,
    progress: bool | None = None,
    engine: str = "torch",
    device: str = "auto",
    na_action: str = "drop",
    subset: Any = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> RegressionFit | GlmFit | SeveralFit | NetworkFit:
    """Fit a regression given as an R-style formula: linear, or a generalised linear model.

    Without a family, minimises sum_i w_i (y_i - o_i - x_i'b)^2 exactly (closed form), with as many digits as the
    data carry. With one, maximises its log-likelihood by Fisher scoring or Newton's method, until the decrement is
    rounding.

    Parameters
    ----------
    formula : str
        ``"y ~ x + C(g) + x:z"``; the language is R's, and patsy's spellings work. Or a trajectory model with its
        options, ``"traj(y ~ poly(t, 2) | id, groups=2)"``.
    data : table
        pandas, polars or pyarrow, or a dict of columns. It is neither changed nor copied.
    family : str or family, optional
        Distribution of the response: ``"gaussian"`` (the default), ``"binomial"`` (0 and 1, truth values, two
        categories of which the last is the success, proportions with the trials as `weights`, or
        ``cbind(successes, failures)``), ``"poisson"``, ``"gamma"``, ``"inverse_gaussian"``, ``"quasipoisson"``,
        ``"quasibinomial"``, or a value: ``ft.families.tweedie(1.5)``. With further parameters:
        ``"negative_binomial"`` (NB2), ``"nb1"``, ``"beta"``, ``"zero_inflated_poisson"``,
        ``"zero_inflated_negative_binomial"``, ``"hurdle_poisson"``, ``"hurdle_negative_binomial"``,
        ``"ordered_logit"``, ``"ordered_probit"``, ``"multinomial"``. Or one of your own: ``ft.families.Density``.
    link : str or Link, optional
        ``"identity"``, ``"log"``, ``"logit"``, ``"probit"``, ``"cloglog"``, ``"loglog"``, ``"cauchit"``,
        ``"inverse"``, ``"inverse_squared"``, ``"sqrt"``; by default the family's own.
    weights : str or array of shape (n,), optional
        A column's name, or numbers. Rows of zero weight leave the sample.
    weights_type : {"analytic", "frequency", "sampling"}
        Analytic: inverse variances up to scale, as R's ``lm``. Frequency: counts of rows;
        everything equals the fit to repeated rows, in their order (but transforms that learn,
        such as ``poly`` and ``scale``, learn from the rows as they stand). Sampling: inverse
        probabilities; coefficients as analytic, errors HC1. In models of several parameters, those of
        one's own included, analytic weights multiply the log-likelihoods of rows, and their scale counts.
    offset : str or array of shape (n,), optional
        Added to the linear predictor with coefficient 1; also ``offset(...)`` in the formula.
    exposure : str or array of shape (n,), optional
        What the mean is proportional to, as a population at risk; with a log link.
    inflation : str, optional
        Formula of the zeros, ``"~ z"``, in zero-inflated and hurdle models; by default a constant.
    dispersion : str, optional
        Formula of the logarithm of the dispersion (negative binomial) or the precision (beta).
    formulas : dict of str to str, optional
        Formulas of further parameters by their names, ``{"sigma": "~ z"}``, as of a density of your own; of a
        positive parameter that of its logarithm.
    vcov : str, dict, estimator or array, optional
        Covariance of the coefficients: ``"iid"`` (the default), ``"HC0"`` to ``"HC5"``, ``"robust"``
        (HC1, the default with sampling weights), ``"OPG"``, ``{"cluster": "state"}``,
        ``{"cluster": ["state", "year"]}``, ``{"HAC": 4}``, or a value of ``ft.vcov``.
    use_t : bool, optional
        Student's t or the normal; by default t, with n - k degrees of freedom or clusters - 1, in linear
        regressions, and in generalised ones the normal, with clusters t with clusters - 1.
    bounds : dict of str to (low, high), optional
        Bounds on coefficients, None for no bound: ``{"x": (0, None)}``. A coefficient at its bound has no error, and
        those of the others hold given that it is there.
    prior : {"firth"}, optional
        Jeffreys' prior, by which estimates are finite where the response is separated (binomial and Poisson).
    solver : {"auto", "sgd", "adam", "lbfgs"} or value, optional
        ``"auto"`` is exact. Else the coefficients are reached by descent, as ``ft.solvers.Adam(lr=0.01, epochs=300,
        batch_size=32)`` says; the summary tells how far from the exact solution that stopped.
    network : Network or torch.nn.Module, optional
        A network of the columns in place of the linear predictor: ``ft.Network(hidden=(10, 20), activation="relu")``.
    seed : int
        Of what a descent draws at random.
    progress : bool, optional
        A bar with the loss; by default in a terminal, where it takes more than two seconds.
    engine : {"torch"}
    device : {"auto", "cpu", "cuda"}
        ``"auto"`` uses CUDA where there is one and the problem is large.
    na_action : {"drop", "raise"}
        Rows with missing values leave, counted by column in the summary, or are an error.
    subset : str or array of bool of shape (n,), optional
        The rows to use: an expression (``"age > 70"``), a column's name, or a mask. Transforms
        learn from these rows, as in statsmodels (R's learn from all).
    functions : dict of str to callable, optional
        Elementwise functions of your own that the formula may call.

    Returns
    -------
    RegressionFit, GlmFit, SeveralFit or NetworkFit
        GlmFit with a family (unless that is the normal with its identity link), SeveralFit where that has further
        parameters; NetworkFit with a network; a TrajectoryFit where the text is that of a trajectory model.

    Raises
    ------
    FormulaError
        The formula cannot be read or evaluated (``UnknownNameError``: with near names).
    DataError
        The data cannot be used: infinite values, no rows left, weights below zero, ...
    ValueError
        An option is spelled in a way that is not known.

    Warns
    -----
    CollinearityWarning
        Columns are dependent (dropped, NaN) or nearly so.
    DesignWarning
        A term is lost, or no degrees of freedom are left.
    ConvergenceWarning
        A maximum was not reached, or lies at the edge of what is possible.
    SeparationWarning
        The response is separated: estimates are infinite, and their errors NaN.

    Examples
    --------
    >>> import formula_torch as ft
    >>> visits = ft.datasets.visits()
    >>> ft.fit("drvisits ~ private + medicaid + age", visits).params.round(4).to_dict()
    {'Intercept': 1.2418, 'private': 1.2969, 'medicaid': 1.5388, 'age': 0.063}
    """
    asked = Asked(
        family=family,
        link=link,
        weights=weights,
        weights_type=weights_type,
        offset=offset,
        exposure=exposure,
        inflation=inflation,
        dispersion=dispersion,
        formulas=formulas,
        vcov=vcov,
        use_t=use_t,
        bounds=bounds,
        prior=prior,
        solver=solver,
        network=network,
        seed=seed,
        progress=progress,
        engine=engine,
        device=device,
        na_action=na_action,
        subset=subset,
        functions=functions,
    )
    if (verb := verb_of(formula)) is not None:
        # The text of another verb returns what that verb does.
        return cast(RegressionFit, _called(verb, formula, data, _changed(asked)))
    return regress(formula, data, asked, partial(fit, **vars(asked)))


def _changed(asked: Asked) -> dict[str, Any]:
    """Options that are not as they are by default, but for where the arithmetic is done."""
    check_known("engine", asked.engine, ENGINES)
    if asked.device not in ("auto", "cpu"):
        raise ValueError(f"device={asked.device!r}: a trajectory model is fitted on the CPU; leave device= out.")
    usual = vars(Asked())

    def changed(name: str, value: Any) -> bool:
        return value is not None and not (isinstance(value, str) and value == usual[name])

    return {k: v for k, v in vars(asked).items() if k not in ("engine", "device") and changed(k, v)}


def _called(verb: str, text: str, data: Any, given: Mapping[str, Any]) -> TrajectoryFit:
    """Do what a text says, with further options from outside."""
    if verb not in VERBS:
        raise FormulaError(f"{text!r} calls `{verb}`; a formula, or a call of {', '.join(VERBS)}, is what fit takes.")
    formula, options = read_call(text)
    known = set(inspect.signature(VERBS[verb]).parameters) - {"formula", "data"}
    if unknown := [name for name in options if name not in known]:
        raise FormulaError(f"{text!r} has options that {verb} has not: {', '.join(unknown)}.")
    if foreign := [f"{name}=" for name in given if name not in known]:
        raise ValueError(f"{', '.join(foreign)}: {verb} has no such option; it is one of regressions.")
    if twice := sorted(set(options) & set(given)):
        raise ValueError(f"{', '.join(twice)} is given in the text and as an argument.")
    if "groups" not in options:
        raise FormulaError(f"{text!r} says nothing of groups=; write traj({formula}, groups=2).")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = VERBS[verb](formula, data, **options, **given)
    # A verb names the frame that calls it, which is this one and not the user's.
    for warning in caught:
        warnings.warn(warning.message, stacklevel=3)
    return found
