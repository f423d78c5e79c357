"""Floor 1: linear algebra with honest rank, double-double arithmetic, segment sums, tails.

Nothing here knows of formulas or models. What differs between array libraries
(segment sums, triangular solves, zero-copy views) lives on this floor only.
"""
