"""``python -m formula_torch demo`` and ``python -m formula_torch info``."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from formula_torch import TrajectoryFit

__all__ = ["main"]

DEMO_FORMULA = "drvisits ~ private + medicaid + age + educ + actlim + chronic"
DEMO_TRAJECTORIES = "homicides ~ poly(year, 2) + offset(log(population)) | city"
REPORTED = ("torch", "numpy", "pandas", "scipy", "formulaic", "narwhals")


def demo(plot: str | None = None) -> None:
    """Fit a regression and a trajectory model to packaged data, and print their summaries.

    Parameters
    ----------
    plot : str, optional
        Draw the trajectories to this file.

    Raises
    ------
    SystemExit
        There is something to be drawn, and matplotlib is not installed.
    """
    import formula_torch as ft

    print(f'>>> ft.fit("{DEMO_FORMULA}", ft.datasets.visits()).summary()')
    print(ft.fit(DEMO_FORMULA, ft.datasets.visits()).summary())
    call = f'"{DEMO_TRAJECTORIES}", ft.datasets.city_homicides(), groups=3, family="poisson", vcov="robust"'
    print(f"\n>>> ft.traj({call}).summary()")
    groups = ft.traj(DEMO_TRAJECTORIES, ft.datasets.city_homicides(), groups=3, family="poisson", vcov="robust")
    print(groups.summary())
    if plot is None:
        print("\nWith matplotlib, python -m formula_torch demo --plot trajectories.png draws the curves.")
    else:
        _draw(groups, plot)
        print(f"\nThe curves are drawn in {plot}.")


def _draw(groups: TrajectoryFit, file: str) -> None:
    """Draw homicides per 100,000 to a file."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SystemExit("--plot needs matplotlib: pip install formula-torch[plot]") from None
    ax = groups.plot(at={"population": 100_000})
    ax.set_ylabel("homicides per 100,000")
    assert isinstance(ax.figure, Figure)
    ax.figure.savefig(file, dpi=80, bbox_inches="tight")


def info() -> None:
    """Print versions, device and threads, for bug reports."""
    import torch

    import formula_torch as ft

    print(f"formula_torch {ft.__version__}")
    print(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in REPORTED:
        print(f"{name} {importlib.metadata.version(name)}")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    print(f"threads {torch.get_num_threads()}, CUDA device: {device}")


COMMANDS: dict[str, Callable[..., None]] = {"demo": demo, "info": info}
# Files that a command writes.
OPTIONS = {"demo": {"--plot": "draw the trajectories to this file (needs matplotlib)"}}


def main(arguments: list[str] | None = None) -> None:
    """Run a command.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the command line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m formula_torch", description="A first look, and facts for bug reports."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=(command.__doc__ or "").splitlines()[0])
        for option, told in OPTIONS.get(name, {}).items():
            own.add_argument(option, metavar="FILE", help=told)
    chosen = vars(parser.parse_args(arguments))
    COMMANDS[chosen.pop("command")](**chosen)


if __name__ == "__main__":
    main()
