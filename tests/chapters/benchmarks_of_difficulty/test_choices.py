"""Networks that are trained on chosen images: which ones, in which order, for how long."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from depthlens import trial
from depthlens.chapters.benchmarks_of_difficulty.experiments import (
    choices,
    labelling,
    orders,
    pruning,
)
from depthlens.chapters.benchmarks_of_difficulty.experiments.pruning import Choice, kept
from depthlens.scores import outputs
from depthlens.tables import Images
from depthlens.training import loop

RECIPE = {
    "architecture": "mlp7_narrow",
    "train_examples": 40,
    "test_examples": 20,
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 1e-3,
}
SETTINGS = {"recipe": RECIPE, "n_neighbors": 5, "early_epoch": 1, "shares": [0.2, 0.6]}


def split(n: int, *, seed: int, n_classes: int = 4) -> Images:
    """Noise, brighter for later classes: something that can be learned."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(n) % n_classes).astype(np.int16)
    noise = generator.integers(0, 128, (n, 1, 32, 32))
    images = (noise + labels[:, None, None, None] * 30).astype(np.uint8)
    classes = [f"class {label}" for label in range(n_classes)]
    return Images(np.arange(n, dtype=np.int32), images, labels, classes, {})


IMAGES = {"tiny": (split(60, seed=0), split(30, seed=1))}


def run(module, **cell) -> pd.DataFrame:
    return module.experiment(
        IMAGES,
        cell={"dataset": "tiny", "seed": 3, **cell},
        settings=SETTINGS,
        progress=lambda batches: batches,
    )


def test_ranking_is_from_easy_to_hard_and_ties_are_drawn():
    hardness = np.array([2.0, 0.0, 2.0, 1.0, 2.0])
    found = {tuple(choices.ranked(hardness, np.random.default_rng(s))) for s in range(40)}
    assert {ranking[:2] for ranking in found} == {(1, 3)}
    assert {ranking[2:] for ranking in found} == set(itertools.permutations((0, 2, 4)))


def test_classes_take_turns_in_the_order_that_they_had():
    labels = np.array([0, 0, 0, 1, 1, 2])
    assert choices.in_turn(np.array([4, 0, 2, 1, 3, 5]), labels).tolist() == [4, 0, 5, 2, 3, 1]


def test_first_rows_of_turns_hold_every_class_equally_often():
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(5), 12))
    order = choices.in_turn(generator.permutation(60), labels)
    assert sorted(order) == list(range(60))
    for n in range(1, 61):
        members = np.bincount(labels[order[:n]], minlength=5)
        assert members.max() - members.min() <= 1


@pytest.mark.parametrize(("score", "expected"), [("el2n", [1, 2]), ("confidence", [-1, -2])])
def test_hardness_is_larger_where_a_score_says_harder(monkeypatch, score, expected):
    monkeypatch.setattr(trial, "fit", lambda *_, **__: SimpleNamespace(network=None))
    monkeypatch.setattr(trial, "see", lambda *_, **__: [None])
    monkeypatch.setattr(trial, "scores", lambda *_, **__: pd.DataFrame({score: [1.0, 2.0]}))
    train, test = IMAGES["tiny"]
    found = choices.hardness(
        score, train, test, settings=SETTINGS, seed=0, progress=lambda batches: batches
    )
    assert found.tolist() == expected


def test_a_pass_meets_everything_that_is_there_when_it_begins():
    asked = []

    def available(step):
        asked.append(step)
        return np.arange(100, 105 + step)

    batches = choices.passes(available, n_steps=6, batch_size=2, seed=0)
    # 5 rows make two batches, the last of three; 7 rows three; of the third pass one is left.
    assert asked == [0, 2, 5]
    assert [len(batch) for batch in batches] == [2, 3, 2, 2, 3, 2]
    assert sorted(torch.cat(batches[:2]).tolist()) == list(range(100, 105))
    assert sorted(torch.cat(batches[2:5]).tolist()) == list(range(100, 107))


def test_a_network_trained_on_the_batches_of_epochs_is_that_of_a_trial():
    train, test = IMAGES["tiny"]
    # One whose bits depend on how it lies in memory.
    recipe = trial.Recipe.of(RECIPE, architecture="resnet18_narrow")
    of_trial = trial.fit(train, test, recipe=recipe, seed=5)
    batches = [
        batch
        for epoch in (1, 2)
        for batch in loop.batches_of(len(train.labels), recipe.batch_size, 5, epoch)
    ]
    assert len(batches) == choices.number_of_steps(len(train.labels), recipe)
    network, accuracy = choices.train_on(
        batches, train, test, recipe=recipe, seed=5, n_measured=2, progress=lambda batches: batches
    )
    for name, value in of_trial.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name
    assert list(accuracy.values()) == [epoch.test_accuracy for epoch in of_trial.epochs]
    assert list(accuracy) == [len(batches) // 2, len(batches)]


@pytest.mark.parametrize(
    ("direction", "balanced", "expected"),
    [
        ("easiest", False, [0, 1, 2, 3]),
        ("hardest", False, [4, 5, 6, 7]),
        ("easiest", True, [0, 1, 4, 5]),
        ("hardest", True, [2, 3, 6, 7]),
        ("random", False, [0, 1, 2, 3]),
    ],
)
def test_kept_rows_are_those_at_the_end_that_was_chosen(direction, balanced, expected):
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])  # the second class is harder than the first
    assert kept(np.arange(8), labels, Choice(0.5, direction, balanced)).tolist() == expected


def test_of_few_images_two_are_kept():
    assert len(kept(np.arange(8), np.zeros(8, int), Choice(0.01, "hardest", False))) == 2


def test_classes_are_balanced_at_the_share_nearest_to_a_half_only():
    made = list(pruning.made_choices([0.1, 0.4, 0.6, 0.9], by_lot=False))
    assert [(choice.share, choice.direction) for choice in made if choice.balanced] == [
        (0.4, "easiest"),
        (0.4, "hardest"),
    ]
    assert len(made) == 10 and len(set(made)) == 10
    lots = list(pruning.made_choices([0.1, 0.9], by_lot=True))
    assert lots == [(0.1, "random", False), (0.9, "random", False), (1.0, "all", False)]


def test_pruning_trains_on_every_share_for_equally_many_steps():
    found = run(pruning, score="el2n")
    again = run(pruning, score="el2n")
    pd.testing.assert_frame_equal(found, again)
    assert set(found["n_steps"]) == {10}
    assert found["n_images"].tolist() == [8, 8, 24, 24, 24, 24]
    balanced = found[found["balanced"]]
    assert balanced["share"].tolist() == [0.6, 0.6]
    assert set(balanced["fewest_of_a_class"]) == {6}
    lots = run(pruning, score="random")
    assert lots["direction"].tolist() == ["random", "random", "all"]
    assert lots["n_images"].tolist() == [8, 24, 40]
    assert lots["accuracy"].between(0, 1).all()


@pytest.mark.parametrize(
    ("step", "n"),
    [
        (0, 200),  # the first fifth
        (200, 450),  # 1/5 + 4/5 · 200 / (0.8 · 800) = 0.45
        (640, 1000),  # after 80 % of the steps all
        (799, 1000),
    ],
)
def test_the_number_of_images_grows_linearly(step, n):
    order = np.random.default_rng(0).permutation(1000)
    expected = order[:n]
    found = orders.available(order, step, n_steps=800, batch_size=32, kind="easy_to_hard")
    assert found.tolist() == expected.tolist()
    standard = orders.available(order, step, n_steps=800, batch_size=32, kind="standard")
    assert len(standard) == 1000


def test_there_are_never_fewer_images_than_two_batches():
    found = orders.available(np.arange(1000), 0, n_steps=800, batch_size=150, kind="random")
    assert len(found) == 300
    assert len(orders.available(np.arange(9), 0, n_steps=8, batch_size=64, kind="random")) == 9


@pytest.mark.parametrize("order", ["easy_to_hard", "hard_to_easy"])
def test_an_order_begins_at_its_end_of_the_depths(monkeypatch, order):
    depth = np.arange(40.0)
    monkeypatch.setattr(choices, "hardness", lambda *_, **__: depth)
    met = []
    train_on = choices.train_on

    def watch(batches, *args, **options):
        met.append(torch.cat(list(batches[:2])).numpy())
        return train_on(batches, *args, **options)

    monkeypatch.setattr(choices, "train_on", watch)
    found = run(orders, order=order)
    # Two batches of eight are there at the start: four of each class, from that end.
    labels = choices.sets_of(IMAGES, cell={"dataset": "tiny", "seed": 3}, recipe=RECIPE)[0].labels
    first = slice(4) if order == "easy_to_hard" else slice(-4, None)
    rows = np.concatenate([np.flatnonzero(labels == label)[first] for label in range(4)])
    assert sorted(met[0]) == sorted(rows)
    assert found[["length", "step"]].to_numpy().tolist() == [[1, 5], [1, 10], [0.2, 3], [0.2, 5]]
    assert set(found.groupby("length")["n_steps"].first()) == {5, 10}


def test_orders_differ_in_nothing_but_the_order():
    found = {order: run(orders, order=order) for order in ("standard", "random")}
    again = run(orders, order="random")
    pd.testing.assert_frame_equal(found["random"], again)
    columns = ["length", "step", "n_steps"]
    pd.testing.assert_frame_equal(found["standard"][columns], found["random"][columns])


@pytest.mark.parametrize("strategy", ["random", "margin", "depth"])
def test_labelled_images_grow_and_are_never_labelled_twice(monkeypatch, strategy):
    parts = []
    train_on = choices.train_on

    def watch(batches, train, *args, **options):
        parts.append(train)
        return train_on(batches, train, *args, **options)

    monkeypatch.setattr(choices, "train_on", watch)
    found = run(labelling, strategy=strategy)
    assert found["n_labelled"].tolist() == [4, 8, 12, 16, 20, 24]
    assert found["round"].tolist() == [0, 1, 2, 3, 4, 5]
    assert set(found["n_steps"]) == {10}
    assert sorted(parts[0].labels) == [0, 1, 2, 3]
    for before, after in itertools.pairwise(parts):
        assert set(before.example_id) < set(after.example_id)
        assert len(set(after.example_id)) == len(after.example_id)


def test_all_strategies_start_alike():
    found = {
        name: run(labelling, strategy=name)["accuracy"].iloc[0] for name in ("random", "depth")
    }
    assert found["random"] == found["depth"]


@pytest.mark.parametrize("strategy", ["margin", "depth"])
def test_a_strategy_labels_what_it_wants_most(monkeypatch, strategy):
    parts, wishes = [], []
    see = trial.see

    def watch(network, part, others, **options):
        parts.append((part, others[0]))
        found = see(network, part, others, **options)
        wishes.append(found[1])
        return found

    monkeypatch.setattr(trial, "see", watch)
    run(labelling, strategy=strategy)
    (before, rest), (after, _) = parts[:2]
    seen = wishes[0]
    hard = -outputs.output_margin(seen.logits) if strategy == "margin" else seen.depth
    new = np.isin(rest.example_id, np.setdiff1d(after.example_id, before.example_id))
    assert new.sum() == 4
    assert hard[new].min() >= hard[~new].max()
    # A label that was not bought is not looked at: images are queries, not references.
    assert not set(rest.example_id) & set(before.example_id)


@pytest.mark.parametrize(
    ("n_labelled", "k"), [(200, 10), (400, 20), (600, 30), (4000, 30), (15, 1)]
)
def test_neighbours_are_at_most_half_a_class(n_labelled, k):
    assert labelling.neighbours(n_labelled, 10, most=30) == k


def test_cells_of_a_seed_share_their_images_and_seeds_do_not():
    recipe = RECIPE
    cells = [{"dataset": "tiny", "seed": seed, "score": score} for seed in (1, 2) for score in "ab"]
    drawn = [choices.sets_of(IMAGES, cell=cell, recipe=recipe)[0].example_id for cell in cells]
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    assert choices.seed_of(1, "network") != choices.seed_of(1, "scores")
