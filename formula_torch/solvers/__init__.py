"""Floor 4: solvers, which see an objective or a design, never a model."""
