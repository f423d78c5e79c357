"""The GRoLTS checklist (van de Schoot et al. 2017), answered by a trajectory model as far as it knows."""

from __future__ import annotations

import platform

import torch

from formula_torch import __version__
from formula_torch.present.numbers import count
from formula_torch.present.trajectory.notes import errors_note, imposed, search_note
from formula_torch.present.trajectory.observed import columns_read, distribution_item, missing_item, time_items
from formula_torch.present.trajectory.report import Item, Report
from formula_torch.present.trajectory.summary import trajectory_summary
from formula_torch.result.trajectory.curves import Curves

__all__ = ["grolts"]

TITLE = "GRoLTS checklist (van de Schoot et al. 2017, doi:10.1080/10705511.2016.1247646)"


def grolts(fit: Curves, time: str | None, wave: str | None) -> Report:
    """Answer the 16 items."""
    items = (
        *time_items(fit, time, wave),
        *_missing(fit),
        distribution_item(fit),
        _software(),
        *_heterogeneity(fit),
        _shape(fit),
        _covariates(fit),
        _starts(fit),
        *_comparison(fit),
        _sizes(fit),
        _entropy(fit),
        *_plots(),
        _estimates(fit),
        _syntax(fit),
    )
    return Report(TITLE, items, trajectory_summary(fit, 0.05, None))


def _missing(fit: Curves) -> list[Item]:
    mechanism = (
        "tell the mechanism. The likelihood is that of the rows present, which is valid if what is missing does not "
        "depend on its own value given these (missing at random)."
    )
    return [
        Item("3a", "Missing-data mechanism", "", mechanism),
        Item("3b", "Variables related to attrition", "", "tell what leaving the study, or missing values, depend on."),
        missing_item(fit),
    ]


def _software() -> Item:
    told = f"This report was written by formula_torch {__version__} (torch {torch.__version__}, Python "
    return Item("5", "Software", f"{told}{platform.python_version()}).")


def _heterogeneity(fit: Curves) -> list[Item]:
    curve = "All units of a group share one curve: there are no random effects within groups."
    within = "tell whether models with random effects (growth mixtures) were considered, or why not."
    sigma = {"common": "One residual standard deviation for all groups.", "group": "One for each group."}
    between = sigma[fit.spec.dispersion] if len(fit.spec.layout.sigma) else "The family has no residual variance."
    other = "tell whether others were considered." if len(fit.spec.layout.sigma) else ""
    return [
        Item("6a", "Alternatives of heterogeneity within groups", curve, within),
        Item("6b", "Alternatives of variances between groups", between, other),
    ]


def _shape(fit: Curves) -> Item:
    told = [f"The curves of all groups have the form `{fit.recipe.written}`.", *imposed(fit)]
    return Item("7", "Alternative shapes of the trajectories", " ".join(told), "tell which other shapes were tried.")


def _covariates(fit: Curves) -> Item:
    told = [f"{columns_read(fit)}."]
    if fit.spec.membership is None:
        told.append("Membership depends on no covariates.")
    else:
        told.append(
            f"Membership depends on `{fit.spec.membership.formula.text}` by a multinomial logit against group "
            f"{fit.spec.layout.reference}, estimated together with the curves."
        )
    if isinstance(fit.spec.exposure, str):
        told.append(f"The exposure is `{fit.spec.exposure}`.")
    return Item("8", "Covariates, so that others can replicate", " ".join(told))


def _starts(fit: Curves) -> Item:
    search = fit.search
    told = (
        f"{search.starts} starts (seed {search.seed}), by EM and then at most {search.iterations} iterations of "
        f"Newton's method. {search_note(search)} Newton's next step would gain {search.decrement / 2:.2g} in "
        "log-likelihood."
    )
    return Item("9", "Random starts and iterations", told)


def _comparison(fit: Curves) -> list[Item]:
    told = (
        f"This model: log-likelihood {fit.llf:.8g}, {fit.n_params} parameters, AIC {fit.aic:.8g}, BIC {fit.bic:.8g} "
        f"(by {count(fit.n_units)} units) or {fit.bic_rows:.8g} (by {count(fit.n_rows)} rows); smaller is better."
    )
    chosen = "tell which of these decided, over which other models."
    fitted = f"This result is one model, of {fit.n_groups} group{'s' if fit.n_groups > 1 else ''}."
    return [
        Item("10", "Tools of model comparison", told, chosen),
        Item("11", "Number of models fitted, with that of one group", fitted, "tell how many were fitted, and which."),
    ]


def _sizes(fit: Curves) -> Item:
    asked, others = "Cases per group, for each model", "tell those of the other models."
    if fit.n_groups == 1:
        return Item("12", asked, f"One group of {count(fit.n_units)} units.", others)
    found = fit.classification
    told = "; ".join(
        f"group {g}: {count(units)} units assigned ({assigned:.1%}; estimated {share:.1%})"
        for g, units, assigned, share in zip(
            fit.group_labels, found.assigned, found.assigned_share, found.share, strict=True
        )
    )
    return Item("12", asked, told.capitalize() + ".", others)


def _entropy(fit: Curves) -> Item:
    asked = "Entropy, if the goal is classification"
    if fit.n_groups == 1:
        return Item("13", asked, "One group: there is nothing to classify.")
    appa = ", ".join(f"{value:.3f}" for value in fit.classification.appa)
    told = f"Relative entropy {fit.entropy:.4f} (1 - sum of -p log p over n log K). APPA by group: {appa}."
    return Item("13", asked, told)


def _plots() -> list[Item]:
    return [
        Item("14a", "Plot of the final mean trajectories", "", "tell where it is shown; fit.plot() draws it."),
        Item("14b", "Plots of the mean trajectories of each model", "", "tell where they are shown."),
        Item(
            "14c",
            "Plot of means and observed trajectories by group",
            "",
            "tell where it is shown; fit.plot() draws it.",
        ),
    ]


def _estimates(fit: Curves) -> Item:
    told = f"Estimates, standard errors and 95% intervals are in the summary that follows. {errors_note(fit)}"
    return Item("15", "Numerical description of the final model", told)


def _syntax(fit: Curves) -> Item:
    spec = fit.spec
    options = {
        "groups": fit.n_groups,
        "family": fit.family.name,
        "membership": None if spec.membership is None else spec.membership.formula.text,
        "degrees": spec.degrees,
        "dispersion": spec.dispersion if len(spec.layout.sigma) else None,
        "constraints": list(spec.constraints) or None,
        "prior": spec.prior or None,
        "exposure": spec.exposure if isinstance(spec.exposure, str) else None,
        "offset": fit.offset if isinstance(fit.offset, str) else None,
        "starts": fit.search.asked,
        "seed": fit.search.seed,
    }
    given = ", ".join(f"{name}={value!r}" for name, value in options.items() if value is not None)
    told = f"ft.traj({fit.recipe.formula.text!r}, data, {given})"
    lacking = "tell weights, subset and start where the call had them, how the data were made, and where the script is."
    return Item("16", "Syntax", told, lacking)
