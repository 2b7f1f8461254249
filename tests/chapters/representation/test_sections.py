"""What is claimed of networks by their training images, and what figures and tables say of it."""

import itertools

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.representation import (
    class_means,
    curves,
    data_size,
    depth,
    embedding,
    errors,
    kernels,
    power_law,
)
from depthlens.chapters.representation.contents import CHAPTER
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}
SHARES = (0.0625, 0.25, 1.0)
DIGITS = [f"{digit} - name" for digit in range(10)]


def answers(*, dataset="mnist", architecture="net", seeds=(1, 2), shares=SHARES, exponent=-0.5,
            wrong=1, deeper=True, n=40):  # fmt: skip
    """Test answers: loss a power of the images; the deepest `wrong` of n images are wrong."""
    tables = []
    for seed in seeds:
        for share in shares:
            images = round(share * 1600)
            label = np.array(DIGITS)[np.arange(n) % 10]
            prediction = label.copy()
            prediction[n - wrong :] = np.array(DIGITS)[(np.arange(n) + 5)[n - wrong :] % 10]
            depths = np.arange(n, dtype=float) * (1.5 - share if deeper else 0.5 + share)
            depths[0] = np.nan
            tables.append(
                pd.DataFrame(
                    {
                        "dataset": dataset, "architecture": architecture, "train_examples": 1600,
                        "share": share, "seed": seed, "example_id": np.arange(n), "label": label,
                        "prediction": prediction, "loss": images**exponent,
                        "depth": np.floor(depths), "n_probes": 60,
                        "images": images, "train_loss": 0.5 * images**exponent,
                        "train_accuracy": 0.99,
                    }
                )
            )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def filters(*, smooth: bool, seeds=(1, 2)):
    """Filters of 4×4: drawn before; after, a step along the rows if smooth, drawn again if not."""
    tables = []
    for seed in seeds:
        generator = np.random.default_rng(seed)
        for moment in ("before", "after"):
            weights = generator.normal(size=(3, 1, 4, 4))
            if moment == "after" and smooth:
                weights = np.tile(np.array([-1.0, -1, 1, 1])[:, None], (3, 1, 1, 4))
            filter, channel, row, column = np.indices(weights.shape).reshape(4, -1)
            tables.append(
                pd.DataFrame(
                    {
                        "dataset": "mnist", "architecture": "net", "train_examples": 1600,
                        "seed": seed, "moment": moment, "filter": filter, "channel": channel,
                        "row": row, "column": column, "weight": weights.ravel(),
                    }
                )
            )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def features(*, purity=1.0, of_wrong=0.0, seeds=(1, 2), n=20):
    """The last two images are wrong; before the ReLU, among all, neighbours are half as pure."""
    tables = []
    for seed in seeds:
        label = np.array(DIGITS)[np.arange(n) % 10]
        prediction = label.copy()
        prediction[-2:] = DIGITS[0]
        for name, among in (("before_relu", "all"), ("last", "all"), ("last", "embedded")):
            pure = purity if among == "embedded" else purity / 2
            tables.append(
                pd.DataFrame(
                    {
                        "dataset": "mnist", "architecture": "net", "train_examples": 1600,
                        "seed": seed, "example_id": np.arange(n), "label": label,
                        "prediction": prediction, "x": np.arange(n) * 1.0, "y": np.arange(n) * 2.0,
                        "features": name, "among": among, "silhouette": 0.5,
                        "purity": np.where(np.arange(n) < n - 2, pure, of_wrong),
                        "neighbours": [(np.arange(1, 9) + place) % n for place in range(n)],
                    }
                )
            )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def distances(*, seeds=(1, 2)):
    """Digits are as far apart as their difference, 4 and 9 by 0.5."""
    rows = [
        ("mnist", "net", 1600, seed, name, DIGITS[a], DIGITS[b], 0.5 if (a, b) == (4, 9) else b - a)
        for seed in seeds
        for name in ("before_relu", "last")
        for a, b in itertools.combinations(range(10), 2)
    ]
    about = ["dataset", "architecture", "train_examples", "seed"]
    return pd.DataFrame(rows, columns=[*about, "features", "label", "other", "distance"])


def pictures(*, seeds=(1, 2), n=40):
    generator = np.random.default_rng(0)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "dataset": "mnist", "architecture": "net", "train_examples": 1600,
                    "seed": seed, "example_id": np.arange(n),
                    "label": np.array(DIGITS)[np.arange(n) % 10], "height": 3, "width": 4,
                    "pixels": list(generator.integers(0, 255, (n, 12), dtype=np.uint8)),
                }
            )
            for seed in seeds
        ],
        ignore_index=True,
    )  # fmt: skip


def tables(**options):
    """Of both networks the same, but for the dataset of the second."""
    own = {
        "": answers(**options),
        "_kernels": filters(smooth=True),
        "_embedding": features(),
        "_distances": distances(),
        "_pictures": pictures(),
    }
    found = {}
    for name, dataset in (("convnet", "mnist"), ("resnet", "shapes")):
        for kind, table in own.items():
            found[name + kind] = table.assign(dataset=dataset)
    return found


def findings(section, found):
    judged = frame.findings(section.section, found, **LEVEL)
    return {(finding.id, finding.dataset): finding for finding in judged}


def test_a_power_law_is_found_again():
    images = np.array([10.0, 100.0, 1000.0])
    factor, exponent, explained = power_law.fit(images, 3 * images**-0.4)
    assert (factor, exponent, explained) == pytest.approx((3, -0.4, 1))


def test_the_printed_points_are_no_third_at_ten_times():
    """And the page says what they are."""
    _, exponent, explained = power_law.fit(curves.PRINTED["images"], curves.PRINTED["test_loss"])
    found = (round(exponent, 3), round(10**exponent, 3), round(explained, 3))
    assert found == (-0.367, 0.43, 0.955)
    said = " ".join(power_law.section.explanation)
    assert "b = −0.367" in said and "R² 0.955" in said and "0.430 at ten times" in said
    assert curves.PRINTED["images"].max() / curves.PRINTED["images"].min() == 16


def test_every_step_to_more_images_is_a_gain_or_not():
    """Of the printed points by hand: the loss falls least from 30,000 to 60,000."""
    printed = curves.PRINTED
    gains = [data_size.smallest_gain(printed, name).iloc[0] for name in data_size.GAINS]
    assert gains == pytest.approx([0.011274, 0.003267, 0.003732, 0.0007])
    scores = pd.DataFrame({"seed": [1] * 3, "images": [10, 20, 40], "test_loss": [3.0, 1.0, 1.5]})
    assert data_size.smallest_gain(scores, "test_loss").tolist() == [-0.5]
    found = findings(data_size, tables(exponent=-0.5))
    step = found["every-step-lowers-the-test-loss", "mnist"]
    assert step.value == pytest.approx(400**-0.5 - 1600**-0.5) and step.verdict == SUPPORTED
    # Accuracy is the same with all numbers of images.
    still = found["every-step-raises-the-test-accuracy", "mnist"]
    assert still.value == 0 and still.verdict == NOT_SUPPORTED
    assert still.printed == "0.0007"


@pytest.mark.parametrize(
    ("exponent", "verdict"), [(-0.5, SUPPORTED), (-0.3, NOT_SUPPORTED), (-0.7, NOT_SUPPORTED)]
)
def test_ten_times_the_images_leave_what_the_power_says(exponent, verdict):
    found = findings(power_law, tables(exponent=exponent))["ten-times-the-data", "mnist"]
    assert found.value == pytest.approx(10**exponent) and found.verdict == verdict


def test_claims_about_mnist_are_about_mnist():
    found = findings(data_size, tables(wrong=1))
    assert found["mnist-accuracy", "mnist"].value == pytest.approx(39 / 40)
    assert found["mnist-accuracy", "mnist"].verdict == NOT_SUPPORTED
    assert found["mnist-sixteenth", "mnist"].value == pytest.approx(39 / 40)
    assert found["mnist-loss", "mnist"].value == pytest.approx(1600**-0.5)
    assert found["mnist-loss", "shapes"].verdict.endswith("because it is about MNIST")
    without = findings(data_size, tables(shares=(0.25, 0.5, 1.0)))
    assert "a sixteenth" in without["mnist-sixteenth", "mnist"].verdict


def test_two_sizes_make_no_law():
    found = findings(power_law, tables(shares=(0.5, 1.0)))["power-law", "mnist"]
    assert "fewer than three sizes" in found.verdict


def test_drawn_weights_are_rough_and_steps_are_not():
    drawn = np.random.default_rng(0).normal(size=(400, 9, 9))
    assert kernels.roughness(drawn) == pytest.approx(1, abs=0.02)
    step = np.tile(np.array([-1.0, -1, 1, 1])[:, None], (1, 1, 4))
    # 12 differences along columns are 0; of 12 along rows 4 are 2: 16 / 24 over 2 · 16 / 15.
    assert kernels.roughness(step) == pytest.approx(16 / 24 / (2 * 16 / 15))


@pytest.mark.parametrize("smooth", [True, False])
def test_filters_that_become_smooth(smooth):
    found = tables()
    found["convnet_kernels"] = filters(smooth=smooth)
    finding = findings(kernels, found)["filters-become-smooth", "mnist"]
    values = [
        kernels.roughness(kernels.filters_of(rows[rows["moment"] == "after"]))
        - kernels.roughness(kernels.filters_of(rows[rows["moment"] == "before"]))
        for _, rows in found["convnet_kernels"].groupby("seed")
    ]
    assert finding.value == pytest.approx(np.mean(values))
    assert (finding.verdict == SUPPORTED) == (np.mean(values) < 0)


def test_pairs_of_classes_are_counted_both_ways():
    matrix = pd.DataFrame([[9, 3, 0], [1, 9, 2], [0, 2, 9]])
    assert errors.pairs(matrix).to_dict() == {(0, 1): 4, (1, 2): 4, (0, 2): 0}


def test_confused_digits_are_found():
    table = answers(wrong=0)
    rows = (table["label"] == "4 - name") & (table["example_id"] == 4)
    table.loc[rows, "prediction"] = "9 - name"
    found = {**tables(), "convnet": table}
    four_nine = findings(errors, found)["confused-four-and-nine", "mnist"]
    assert four_nine.value == 1 and four_nine.verdict == SUPPORTED
    # All other pairs share the second place.
    assert findings(errors, found)["confused-zero-and-six", "mnist"].value == 2
    shapes = table.replace({name: f"shape{name[0]}" for name in DIGITS})
    found["convnet"] = shapes
    assert "not digits" in findings(errors, found)["confused-four-and-nine", "mnist"].verdict


def test_purity_is_a_mean_and_wrong_images_have_their_own():
    found = findings(embedding, tables())
    assert found["neighbours-share-the-label", "mnist"].value == pytest.approx(0.9)
    lie = found["wrong-images-lie-among-others", "mnist"]
    assert lie.value == -1 and lie.verdict == SUPPORTED
    same = {**tables(), "convnet_embedding": features(purity=1.0, of_wrong=1.0)}
    found = findings(embedding, same)
    assert found["neighbours-share-the-label", "mnist"].verdict == SUPPORTED
    assert found["wrong-images-lie-among-others", "mnist"].verdict == NOT_SUPPORTED


def test_neighbours_among_all_are_judged_before_the_relu():
    found = findings(embedding, tables())
    assert found["neighbours-among-all-share-the-label", "mnist"].value == pytest.approx(0.45)
    without = tables()
    table = without["convnet_embedding"]
    without["convnet_embedding"] = table[table["features"] == "last"]
    judged = findings(embedding, without)["neighbours-among-all-share-the-label", "mnist"]
    assert judged.verdict.endswith("the last layer is not behind a ReLU")
    lie = found["wrong-images-lie-among-others-of-all", "mnist"]
    assert lie.value == -0.5 and lie.verdict == SUPPORTED


def test_digits_that_lie_close_have_a_place_among_all_pairs():
    found = findings(class_means, tables())
    near = found["four-and-nine-lie-close", "mnist"]
    assert near.value == 1 and near.verdict == SUPPORTED
    # Nine pairs are 1 apart and one 0.5; those that are 2 apart share the eleventh place.
    far = found["three-and-five-lie-close", "mnist"]
    assert far.value == 11 and far.verdict == NOT_SUPPORTED
    shapes = {**tables(), "convnet_distances": distances().replace(DIGITS, [*"abcdefghij"])}
    judged = findings(class_means, shapes)["four-and-nine-lie-close", "mnist"]
    assert "not digits" in judged.verdict


def test_printed_points_stand_beside_networks_on_mnist():
    tables_ = page_tables.report_tables(data_size.section, tables(), **LEVEL)
    (table,) = tables_
    texts = [[cell.text for cell in row] for row in table.rows]
    assert any("as CS 148 printed it" in row and "0.0602" in row for row in texts)
    (laws,) = page_tables.report_tables(power_law.section, tables(), **LEVEL)
    assert ["as CS 148 printed it", "−0.367", "0.430", "0.955"] in [
        [row[place].text for place in (0, 1, 3, 5)] for row in laws.rows
    ]
    drawn = dict(frame.drawings(power_law.section, tables(), **LEVEL))["loss_by_images"]
    of_mnist, of_shapes = drawn.figure.axes
    hollow = [
        [line for line in ax.lines if line.get_marker() == "D"] for ax in (of_mnist, of_shapes)
    ]
    assert [len(lines) for lines in hollow] == [2, 0]
    assert hollow[0][0].get_ydata()[-1] == 0.020920


def test_depth_by_number_of_images():
    table = answers()
    by_share = table[table["seed"] == 1].groupby("share")["depth"].mean()
    found = findings(depth, tables())
    shallower = found["shallower-with-more-images", "mnist"]
    assert shallower.value == pytest.approx(by_share[1.0] - by_share[0.0625])
    assert shallower.verdict == SUPPORTED
    assert found["same-images-stay-deep", "mnist"].value == pytest.approx(1, abs=0.01)
    # 39 images have a depth; the deepest is wrong: 1 of 19, none of the shallow ones.
    assert found["deep-images-wrong", "mnist"].value == pytest.approx(1 / 19)
    deeper = findings(depth, tables(deeper=False))["shallower-with-more-images", "mnist"]
    assert deeper.verdict == NOT_SUPPORTED


def test_one_share_says_nothing_of_more():
    found = findings(depth, tables(shares=(1.0,)))
    assert "one share" in found["same-images-stay-deep", "mnist"].verdict


@pytest.mark.parametrize("options", [{}, {"seeds": (1,)}, {"shares": (1.0,)}, {"wrong": 0}])
def test_every_section_draws_its_figures_and_tables(options, tmp_path):
    for section in CHAPTER.sections:
        drawn = dict(frame.drawings(section, tables(**options), **LEVEL))
        assert set(drawn) == set(section.figures)
        assert all(drawing.sentence.endswith(".") and drawing.alt for drawing in drawn.values())
        for drawing in drawn.values():
            style.save(drawing.figure, tmp_path / "figure", dpi=40)
        shown = page_tables.report_tables(section, tables(**options), **LEVEL)
        # One size makes no law.
        assert shown or (section is power_law.section and options == {"shares": (1.0,)})


def test_sentences_say_what_was_found():
    loss = dict(frame.drawings(power_law.section, tables(exponent=-0.5), **LEVEL))["loss_by_images"]
    wrong = dict(frame.drawings(errors.section, tables(wrong=2), **LEVEL))["errors"]
    assert "leave 32\u00a0% of the test loss" in loss.sentence
    assert "5.0\u00a0% of the answers of net on mnist" in wrong.sentence


def test_cells_of_both_networks_are_asked_for():
    block = {
        "seeds": [1, 2], "shares": [0.25, 1.0], "n_neighbors": 5, "embedded": 100,
        "convnet": {"dataset": "mnist", "architecture": "a", "train_examples": 400},
        "resnet": {"dataset": "shapes", "architecture": "b", "train_examples": 800},
    }  # fmt: skip
    convnet, resnet = CHAPTER.sweeps(block)
    assert len(convnet.cells) == 4 and convnet.settings["references"] == 100
    assert resnet.tables == (
        "resnet", "resnet_kernels", "resnet_embedding", "resnet_distances", "resnet_pictures",
    )  # fmt: skip
    assert "dataset" not in resnet.settings["recipe"]
