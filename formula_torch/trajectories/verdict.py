"""What a user must know of the solution."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

from formula_torch.errors import InferenceWarning
from formula_torch.models.mixture import Mixture
from formula_torch.present.trajectory.notes import FEW_UNITS
from formula_torch.result.trajectory import Search, TrajectoryFit
from formula_torch.solvers.multistart import Found
from formula_torch.trajectories.asked import Asked
from formula_torch.trajectories.searching import SAMPLED_UNITS, screened

__all__ = ["search_report", "warn_of"]

# A sigma below this share of the largest is suspect.
NARROW = 0.05
# Newton's decrement above which a climb has not arrived.
UNFINISHED = 1e-6
# Frames from here to the user's, whom warnings are to name.
DEPTH = 5


def search_report(asked: Asked, found: Found, mixture: Mixture) -> Search:
    """Say how the maximum was found."""
    others = found.values[found.values < found.value - 1e-3 * max(1.0, abs(found.value) * 1e-3)]
    failed = int((found.reached == -math.inf).sum())
    return Search(
        starts=len(found.reached),
        asked=asked.starts,
        replicated=found.replicated,
        iterations=found.iterations,
        runner_up=float(others[0]) if len(others) and bool(others[0].isfinite()) else math.nan,
        moves=found.moves,
        failed=failed,
        collapsed=failed if bool(mixture.collapsed(found.ends).any()) else 0,
        sampled=SAMPLED_UNITS if screened(asked, mixture) else None,
        decrement=found.decrement,
        curvature=found.curvature,
        seed=asked.seed,
        values=tuple(found.values.tolist()),
    )


def labels_note(asked: Asked, *, kept_labels: bool) -> list[str]:
    """Say that groups stand in the order of the constraints."""
    if not kept_labels:
        return []
    return [f"Groups keep the numbers that the constraints give them; they are not in order of {asked.order}."]


def warn_of(asked: Asked, found: Found, fit: TrajectoryFit) -> None:
    """Say what a user must know of the solution.

    Parameters
    ----------
    asked : Asked
    found : Found
    fit : TrajectoryFit
    """
    for message in (
        *_small(fit),
        *_collapsed(fit),
        *_narrow(fit),
        *_unidentified(found, fit),
        *_single(asked, found),
    ):
        warnings.warn(message, InferenceWarning, stacklevel=DEPTH)


def _small(fit: TrajectoryFit) -> Iterator[str]:
    units = fit.known_units("the size of groups")
    sizes = units.weights @ units.posterior.to_numpy()
    small = [f"{g} ({size:.1f})" for g, size in enumerate(sizes, 1) if size < FEW_UNITS]
    if small and fit.n_groups > 1:
        yield (
            f"fewer than {FEW_UNITS} units are in group {', '.join(small)}; it may be a few outliers "
            "rather than a group. Try fewer groups."
        )


def _collapsed(fit: TrajectoryFit) -> Iterator[str]:
    search = fit.search
    if search.collapsed:
        common = "" if fit.spec.dispersion == "common" else "dispersion='common', or "
        yield (
            f"{search.collapsed} of {search.starts} starts ended where a sigma goes to zero and the likelihood has no "
            f"bound; they are left out, and the best of the others is reported. Use {common}prior='weak'."
        )


def _narrow(fit: TrajectoryFit) -> Iterator[str]:
    share = fit.sigma / fit.sigma.max()
    narrow = [f"{g} ({value:.2g})" for g, value in enumerate(fit.sigma, 1) if share[g - 1] < NARROW]
    if narrow:
        yield (
            f"the sigma of group {', '.join(narrow)} is less than {NARROW:.0%} of the largest: the group may fit a few "
            "units, or rows that hardly vary, by chance. Compare dispersion='common', or prior='weak'."
        )


def _unidentified(found: Found, fit: TrajectoryFit) -> Iterator[str]:
    lost = fit.params.index[fit.bse.isna() & fit.params.notna()]
    if len(lost):
        named = f" ({', '.join(lost[:5])}{', ...' if len(lost) > 5 else ''})"
        yield (
            f"the data do not determine some parameters, and their errors are NaN{named}: a group's responses are all "
            "0 or all 1, a covariate tells its members for certain, or there is a group too many. Try prior='weak', "
            "fewer groups, or a simpler curve."
        )
    elif found.decrement > UNFINISHED:
        yield (
            f"the search stopped before the top: Newton's next step would gain {found.decrement / 2:.1g}. Try another "
            "seed=, or start= from this fit."
        )


def _single(asked: Asked, found: Found) -> Iterator[str]:
    if found.replicated <= 1 and asked.starts > 1 and asked.groups > 1:
        reached = "only one" if found.replicated else "none"
        by = ", which moves from another found" if found.moves and not found.replicated else ""
        yield f"{reached} of {len(found.reached)} starts reached the best value{by}; try starts={5 * asked.starts}."
