"""Early exits: who leaves where, at what cost, against arithmetic and brute force."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from depthlens import trial
from depthlens.chapters import answers, page_tables
from depthlens.chapters.benchmarks_of_difficulty import early_exit
from depthlens.chapters.benchmarks_of_difficulty.experiments import early_exit as experiments
from depthlens.models import inputs, networks
from depthlens.models.multi_exit import JointLoss, MultiExit
from depthlens.probes.plan import plan
from depthlens.tables import Images

LEVEL = {"confidence_level": 0.95}
RECIPE = {
    "architecture": "resnet18_narrow",
    "train_examples": 60,
    "test_examples": 40,
    "epochs": 8,
    "batch_size": 10,
    "learning_rate": 3e-3,
}
SETTINGS = {"recipe": RECIPE, "n_neighbors": 5, "exit_loss_weights": [1.0, 0.3], "entropy": 0.6}


def split(n, seed):
    random = np.random.default_rng(seed)
    labels = (np.arange(n) % 3).astype(np.int16)
    images = random.integers(0, 140, (n, 1, 16, 16)) + 40 * labels[:, None, None, None]
    return Images(np.arange(n, dtype=np.int32), images.astype(np.uint8), labels, list("abc"), {})


IMAGES = {"one": (split(90, 0), split(60, 1))}


def run(seed):
    cell = {"dataset": "one", "seed": seed}
    made = experiments.experiment(IMAGES, cell=cell, settings=SETTINGS, progress=lambda each: each)
    return made.assign(**cell, architecture="net", train_examples=60)


@pytest.fixture(scope="module")
def made():
    return {"early_exit": pd.concat([run(1), run(2)])}


def test_image_leaves_at_the_first_place_where_it_may():
    leaves = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0]], bool)
    assert experiments.first_exit(leaves).tolist() == [1, 0, 3]


def test_stable_means_the_same_class_so_many_times_in_a_row():
    classes = np.array([[1, 1, 2, 2, 2, 1], [0, 1, 0, 1, 0, 1], [3, 3, 3, 3, 3, 3]])
    assert experiments.first_exit(experiments.stable(classes, 2)).tolist() == [1, 6, 1]
    assert experiments.first_exit(experiments.stable(classes, 3)).tolist() == [4, 6, 2]
    assert not experiments.stable(classes, 7).any()


def test_exits_add_up_to_all(made):
    table = made["early_exit"]
    for (_, kind, _), part in table.groupby(["seed", "kind", "threshold"], dropna=False):
        every, each = part[part["exit"] == "all"], part[part["exit"] != "all"]
        if each.empty:
            assert kind.endswith("_random") or kind == "head"
            continue
        assert each["share"].sum() == pytest.approx(1)
        for column in ("accuracy", "macs", "search_macs", "mean_depth"):
            total = (each["share"] * each[column].fillna(0)).sum()
            assert total == pytest.approx(every[column].item()), (kind, column)


def test_no_entropy_keeps_everyone_and_a_large_one_lets_everyone_go(made):
    table = made["early_exit"].query("seed == 1 and exit == 'all'")
    heads = table.query("kind == 'head'")
    multi = table.query("kind == 'multi'").sort_values("threshold")
    assert multi.iloc[0]["accuracy"] == heads.iloc[-1]["accuracy"]
    assert multi.iloc[0]["macs"] == heads.iloc[-1]["macs"]
    assert multi.iloc[-1]["threshold"] > np.log(3)
    assert multi.iloc[-1]["macs"] == heads.iloc[0]["macs"]
    assert multi["macs"].is_monotonic_decreasing


def test_random_takes_as_much_and_answers_as_the_mean_of_its_heads(made):
    table = made["early_exit"].query("seed == 1")
    heads = table.query("kind == 'head'")["accuracy"].to_numpy()
    for threshold, part in table[table["kind"] == "multi"].groupby("threshold"):
        random = table[(table["kind"] == "multi_random") & (table["threshold"] == threshold)]
        shares = part.loc[part["exit"] != "all", "share"].to_numpy()
        assert random["macs"].item() == pytest.approx(part.query("exit == 'all'")["macs"].item())
        assert random["accuracy"].item() == pytest.approx((shares * heads).sum())


def test_exits_are_those_of_a_loop_over_single_images(made):
    row = made["early_exit"].query("seed == 1 and kind == 'multi' and configured")
    train = trial.draw(IMAGES["one"][0], 60, np.random.default_rng([1, 0]))
    test = trial.draw(IMAGES["one"][1], 40, np.random.default_rng([1, 1]))
    how = trial.Recipe.of(RECIPE)
    trunk = networks.build("resnet18_narrow", n_classes=3, seed=1, shape=(3, 16, 16))
    network = MultiExit(trunk, n_classes=3, seed=1)
    network.to(memory_format=torch.channels_last)  # the layout changes the last bits
    trial.fit(
        train, test, recipe=how, seed=1, network=network, criterion=JointLoss(last=1.0, earlier=0.3)
    )
    network.eval()
    left, right = [0, 0, 0, 0], 0
    with torch.inference_mode():
        for image, label in zip(test.images, test.labels, strict=True):
            for place, logits in enumerate(network.exits(inputs.network_input(
                torch.tensor(image[None])))):  # fmt: skip
                if place == 3 or stats.entropy(logits.softmax(1)[0].double().numpy()) < 0.6:
                    break
            left[place] += 1
            right += int(logits.argmax() == label)
    shares = row.loc[row["exit"] != "all", "share"].to_numpy()
    assert 0 < shares.max() < 1, "all images leave at one head: this compares nothing"
    assert shares == pytest.approx(np.array(left) / 40)
    assert row.query("exit == 'all'")["accuracy"].item() == pytest.approx(right / 40)


def test_search_costs_dims_times_references_at_every_probe():
    network = networks.build("resnet18_narrow", n_classes=3, seed=1)
    found = experiments.search_costs(
        network, plan(network, "children", torch.zeros(1, 3, 16, 16)), IMAGES["one"][0].images
    )
    # Grey input of 16 × 16; 16 channels of 8 × 8 three times, of 4 × 4 twice; then ever fewer.
    dims = [256, 1024, 1024, 1024, 256, 256, 32 * 4, 64, 128, 128, 3]
    assert found.tolist() == [90 * sum(dims[: place + 1]) for place in range(len(dims))]


def test_claims_are_judged_by_hand_computed_values():
    about = {"dataset": "d", "exit": "all", "share": 1.0, "mean_depth": 1.0, "n": 10,
             "train_examples": 20, "architecture": "net"}  # fmt: skip
    rows = []
    for seed, gain in ((1, 0.0), (2, 0.02)):
        for kind, configured, accuracy, macs, search, rho in (
            ("single", False, 0.9, 300.0, 0.0, np.nan),
            ("multi", True, 0.88 + gain, 100.0, 0.0, 0.4),
            ("multi", False, 0.1, 1.0, 0.0, -1.0),
            ("votes", True, 0.9, 180.0, 600.0, 0.5),
        ):
            rows.append({**about, "seed": seed, "kind": kind, "configured": configured,
                         "threshold": 0.5, "accuracy": accuracy, "macs": macs,
                         "search_macs": search, "depth_correlation": rho})  # fmt: skip
    tables = {"early_exit": pd.DataFrame(rows)}
    found = {each.id: each for each in answers.findings(early_exit.section, tables, **LEVEL)}
    expected = {
        "two-to-four-times-less-computation": (3.0, "supported"),
        "less-than-half-a-point-of-accuracy": (0.01, "not supported"),
        "deep-images-leave-late": (0.4, "supported"),
        "confident-neighbours-save-half": (0.6, "not supported"),
        "confident-neighbours-keep-accuracy": (0.0, "supported"),
        "neighbours-cost-more-than-they-save": (2.0, "supported"),
    }
    assert set(found) == set(expected)
    for name, (value, verdict) in expected.items():
        assert found[name].value == pytest.approx(value), name
        assert found[name].verdict == verdict, name
    only = {"early_exit": tables["early_exit"].query("seed == 1")}
    for finding in answers.findings(early_exit.section, only, **LEVEL):
        assert "fewer than two seeds were measured" in finding.verdict


@pytest.mark.filterwarnings("error")
def test_figures_and_tables_are_made(made):
    for tables in (made, {"early_exit": made["early_exit"].query("seed == 1")}):
        for _, drawing in answers.drawings(early_exit.section, tables, **LEVEL):
            drawing.figure.draw_without_rendering()
            assert drawing.title and drawing.alt and drawing.sentence.endswith(".")
    (shown,) = page_tables.report_tables(early_exit.section, made, **LEVEL)
    assert len(shown.rows) == 1 + 2 * 12 + 2 * 12


def test_claims_are_about_the_share_of_votes_that_the_experiment_marks():
    assert early_exit.CONFIDENT == experiments.CONFIDENT
