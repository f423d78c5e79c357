"""The progress of a descent, with its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from formula_torch.inference.progress import progress_bar
from formula_torch.solvers.descent import Descent

__all__ = ["epochs_reported"]


@contextmanager
def epochs_reported(
    method: Descent, progress: bool | None, unit: float, further: int = 0
) -> Iterator[Callable[[float], object]]:
    """Show a bar of epochs with the loss.

    Parameters
    ----------
    method : Descent
    progress : bool or None
        None shows it in a terminal, once it takes more than two seconds.
    unit : float
        What makes of the loss one in the units of the response.
    further : int
        Steps that may follow.
    """
    with progress_bar(method.epochs + further, method.name, progress, " epochs") as advance:
        yield lambda loss: advance(1, f"loss {loss * unit:.6g}")
