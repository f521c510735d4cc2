import numpy as np

from specroute.learn.training.doubt.density import Density


def _texts(seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (400, 6))


def test_what_lies_far_from_all_texts_is_novel_and_what_lies_among_them_is_not() -> None:
    density = Density.fit(_texts(0), _texts(1), seed=0)

    known, far = density.novelty(_texts(2)), density.novelty(_texts(3, shift=8.0))

    assert np.median(known) < 0.3
    assert 0.02 < (known > 0.5).mean() < 0.1  # .5 is the 95 % of unseen texts
    assert far.min() > 0.95
    assert ((known >= 0.0) & (far <= 1.0)).all()


def test_texts_that_are_all_alike_still_give_a_density() -> None:
    density = Density.fit(np.zeros((3, 4)), np.zeros((0, 4)), seed=0)

    assert np.isfinite(density.novelty(np.zeros((1, 4)))).all()
    assert density.novelty(np.full((1, 4), 5.0))[0] > 0.9


def test_a_feature_in_which_all_texts_are_alike_is_no_noise_that_makes_one_of_them_a_stranger() -> None:
    texts = np.concatenate([_texts(1), np.full((_texts(1).shape[0], 1), 0.8832)], axis=1)
    texts[::2, -1] += 1e-16  # as rounding leaves it
    density = Density.fit(texts, texts, seed=0)
    other = texts[:1].copy()
    other[0, -1] += 1.0

    in_single_precision = density.novelty(texts.astype(np.float32).astype(np.float64))

    assert np.abs(in_single_precision - density.novelty(texts)).max() < 1e-3
    assert density.novelty(other)[0] > 0.99
