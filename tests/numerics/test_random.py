"""Random numbers depend on the seed, and on nothing else."""

import torch

from formula_torch.numerics.arrays import slices
from formula_torch.numerics.random import generator_of, resampled_counts


def test_counts_are_those_of_n_units_drawn_with_replacement():
    counts = resampled_counts(generator_of(0), 5000, 7)
    assert counts.dtype == torch.float64
    assert (counts.sum(1) == 7).all()
    # Binomial with 7 trials of 1/7; five standard errors of 35,000 counts.
    variance = 7 * (1 / 7) * (6 / 7)
    assert abs(counts.mean(0) - 1).max() < 5 * (variance / 5000) ** 0.5
    assert abs(counts.var() - variance) < 0.03


def test_batches_do_not_change_the_numbers():
    whole = resampled_counts(generator_of(3), 10, 6)
    generator = generator_of(3)
    parts = [resampled_counts(generator, s.stop - s.start, 6) for s in slices(10, 4)]
    assert [len(part) for part in parts] == [4, 4, 2]
    assert torch.equal(torch.cat(parts), whole)


def test_the_global_seed_is_left_alone():
    before = torch.random.get_rng_state()
    resampled_counts(generator_of(1), 3, 4)
    assert torch.equal(before, torch.random.get_rng_state())


def test_slices_cover_everything_once():
    assert list(slices(5, 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(slices(3, 0)) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    assert list(slices(0, 2)) == []
