"""Finite mixtures over units: the likelihood, its derivatives, and where a search for its maximum begins."""

from formula_torch.models.mixture.likelihood import Mixture

__all__ = ["Mixture"]
