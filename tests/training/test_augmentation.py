"""Augmentation: what an example looks like in an epoch hangs on nothing else."""

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import functional

from depthlens.errors import StudyError
from depthlens.training import augmentation

CPU = torch.device("cpu")
CROP, FLIP = {"name": "random_crop", "padding": 3}, {"name": "horizontal_flip"}
N = 400
IMAGES = torch.randint(
    1, 256, (N, 3, 6, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


def look(steps, *, seed=1, epoch=1, example_id=None):
    """What the images look like in an epoch, all in one batch."""
    ids = np.arange(N) if example_id is None else np.asarray(example_id)
    looks = augmentation.looks(steps, seed=seed, example_id=ids, image_shape=(3, 6, 5), device=CPU)
    return looks(epoch)(IMAGES[ids], torch.arange(len(ids)))


def differs(met: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    return (met != images).flatten(1).any(1)


def windows(image: torch.Tensor, padding: int) -> dict[tuple[int, int], torch.Tensor]:
    """Every window of a padded image, by its upper left corner, cut by torchvision."""
    padded = functional.pad(image, [padding] * 4)
    places = range(2 * padding + 1)
    return {(row, col): functional.crop(padded, row, col, 6, 5) for row in places for col in places}


def test_a_crop_is_a_window_of_the_padded_image_and_every_place_is_as_likely():
    met = look([CROP])
    assert (met.shape, met.dtype) == (IMAGES.shape, torch.uint8)
    counts = np.zeros((7, 7))
    for image, seen in zip(IMAGES, met, strict=True):
        (place,) = [place for place, cut in windows(image, 3).items() if torch.equal(cut, seen)]
        counts[place] += 1
    assert stats.chisquare(counts.ravel()).pvalue > 0.001
    assert stats.chi2_contingency(counts).pvalue > 0.001


def test_a_flip_mirrors_about_half_of_the_images():
    met = look([FLIP])
    mirrored = differs(met, IMAGES)
    assert torch.equal(met[mirrored], functional.hflip(IMAGES[mirrored]))
    assert stats.binomtest(int(mirrored.sum()), N).pvalue > 0.001


def test_steps_follow_one_another_with_draws_of_their_own():
    cut, both = look([CROP]), look([CROP, FLIP])
    mirrored = differs(both, cut)
    assert torch.equal(both[mirrored], functional.hflip(cut[mirrored]))
    # Another place in the list draws anew: two flips are not none.
    assert not torch.equal(look([FLIP, FLIP]), IMAGES)


def test_without_steps_images_are_as_they_are():
    assert torch.equal(look([]), IMAGES)


def test_a_look_depends_on_seed_epoch_and_example_and_on_nothing_else():
    steps = [CROP, FLIP]
    whole = look(steps)
    assert torch.equal(look(steps), whole)
    # A part of the examples, in another order and one by one, looks as it does among all.
    some = np.array([7, 399, 0, 12])
    assert torch.equal(look(steps, example_id=some), whole[some])
    looks = augmentation.looks(
        steps, seed=1, example_id=np.arange(N), image_shape=(3, 6, 5), device=CPU
    )(1)
    alone = [looks(IMAGES[[i]], torch.tensor([i])) for i in some]
    assert torch.equal(torch.cat(alone), whole[some])
    assert not torch.equal(look(steps, epoch=2), whole)
    assert not torch.equal(look(steps, seed=2), whole)
    # Seeds and epochs that are exchanged have nothing in common.
    assert not torch.equal(look(steps, seed=2, epoch=1), look(steps, seed=1, epoch=2))


def test_brightness_is_moved_as_bytes_are():
    looks = augmentation.looks(
        [CROP, FLIP], seed=1, example_id=np.arange(N), image_shape=(3, 6, 5), device=CPU
    )(1)
    rows = torch.arange(N)
    assert torch.equal(looks(IMAGES.double(), rows), looks(IMAGES, rows).double())


def test_a_window_that_could_miss_the_image_is_refused():
    with pytest.raises(StudyError, match=r"training\.augmentation: random_crop pads by 5 .* 6×5"):
        look([FLIP, CROP | {"padding": 5}])
