"""Floor 4: models, each a log-likelihood that is a sum over independent units."""
