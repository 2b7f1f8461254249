"""Few images: what is claimed, and what figure and tables say of it."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import few_images, leads
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

GLUE = "\u00a0"
ALL, NONE = f"100{GLUE}%", f"0{GLUE}%"
IMAGES = (10, 20, 50)
# Accuracy in percent by number of images of the first seed; the others have 1 and 2 points more.
CNN, MLP = (70, 80, 95), (50, 75, 85)


def of(cnn, mlp, *, images=IMAGES, seeds=(1, 2, 3)):
    rows = [
        {
            "architecture": architecture, "images": n, "seeds": "1+2+3", "dataset": "edges",
            "seed": seed, "epoch": 100, "split": split, "loss": 0.5,
            "accuracy": (points + seed - 1) / 100 if split == "validation" else 1.0,
            "examples": 150 if split == "validation" else 3 * n,
        }
        for architecture, accuracy in (("cnn", cnn), ("mlp", mlp))
        for n, points in zip(images, accuracy, strict=True)
        for seed in seeds
        for split in ("train", "validation")
    ]  # fmt: skip
    return {"few_images": pd.DataFrame(rows)}


def found(tables):
    return {row.id: row for row in frame.findings(few_images.section, tables, **LEVEL)}


def drawn(tables):
    return dict(frame.drawings(few_images.section, tables, **LEVEL))["few_images"]


def test_claims_are_about_the_lead_of_the_convolutional_network():
    rows = found(of(CNN, MLP))
    assert {id: (round(row.value, 6), row.verdict) for id, row in rows.items()} == {
        "cnn-ahead-with-few": (0.20, SUPPORTED),
        "cnn-ahead-throughout": (0.05, SUPPORTED),
        "gap-narrows": (-0.10, SUPPORTED),
    }
    assert all(row.n == 3 and row.model == "cnn + mlp" for row in rows.values())


def test_claims_fail_where_the_mlp_is_ahead():
    verdicts = {row.verdict for row in found(of(MLP, CNN)).values()}
    assert verdicts == {NOT_SUPPORTED}


def test_the_smallest_lead_is_that_of_each_seed():
    tables = of(CNN, MLP)
    table = tables["few_images"]
    # In the first seed the lead is smallest with 50 images: 0, and not 0.05 with 20.
    table.loc[
        (table["architecture"] == "cnn") & (table["images"] == 50) & (table["seed"] == 1)
        & (table["split"] == "validation"), "accuracy",
    ] = 0.85  # fmt: skip
    row = found(tables)["cnn-ahead-throughout"]
    assert row.value == pytest.approx((0 + 0.05 + 0.05) / 3)
    # Standard deviation of 0, 0.05 and 0.05: 0.028868; t of two degrees of freedom 4.3027.
    assert row.high - row.value == pytest.approx(4.3027 * 0.0288675 / 3**0.5, abs=1e-5)


def test_a_seed_that_lacks_a_number_of_images_has_no_smallest_lead():
    tables = of(CNN, MLP)
    table = tables["few_images"]
    tables["few_images"] = table[(table["seed"] < 3) | (table["images"] != 20)]
    rows = found(tables)
    assert (rows["cnn-ahead-throughout"].n, rows["gap-narrows"].n) == (2, 3)


@pytest.mark.parametrize(
    ("tables", "id", "reason"),
    [
        (of(CNN, MLP, seeds=(1,)), "cnn-ahead-with-few", "fewer than two seeds"),
        (of(CNN[:1], MLP[:1], images=(10,)), "gap-narrows", "one number of images only"),
    ],
)
def test_what_was_not_made_is_not_judged(tables, id, reason):
    row = found(tables)[id]
    assert row.kind == "not testable" and reason in row.verdict


def test_networks_of_other_numbers_of_images_are_not_compared():
    table = of(CNN, MLP)["few_images"]
    apart = table[(table["architecture"] == "cnn") == (table["images"] == 10)]
    row = found({"few_images": apart})["cnn-ahead-with-few"]
    assert "convolutional network and MLP were not trained on equally many" in row.verdict


def test_one_number_of_images_is_the_fewest():
    rows = found(of(CNN[:1], MLP[:1], images=(10,)))
    assert rows["cnn-ahead-with-few"].value == pytest.approx(0.20)


def test_rounding_is_no_lead():
    lead = pd.DataFrame({10: [0.1, 0.2, -0.3], 20: [-0.1, 0.2, 0.2]})
    assert lead[10].mean() > 0
    assert leads.standing(lead) == "ahead with 1 of 2 numbers of images"


@pytest.mark.parametrize(
    ("cnn", "mlp", "standing"),
    [
        (CNN, MLP, "ahead with all 3 numbers"),
        (MLP, CNN, "ahead with none of 3 numbers"),
        ((70, 75, 95), MLP, "ahead with 2 of 3 numbers"),
    ],
)
def test_the_sentence_says_who_is_ahead(cnn, mlp, standing):
    sentence = drawn(of(cnn, mlp)).sentence
    assert f"is {standing} of images, in the mean over seeds." in sentence
    few = f"{cnn[0] + 1:.1f}{GLUE}% and {mlp[0] + 1:.1f}{GLUE}% right with 10 training images"
    many = f"{cnn[2] + 1:.1f}{GLUE}% and {mlp[2] + 1:.1f}{GLUE}% right with 50 training images"
    assert few in sentence and many in sentence


@pytest.mark.parametrize(("cnn", "standing"), [(80, "is ahead,"), (40, "is not ahead,")])
def test_one_number_of_images_and_one_seed_are_drawn_and_said(tmp_path, cnn, standing):
    drawing = drawn(of((cnn,), (50,), images=(1,), seeds=(1,)))
    assert "1 training image a class:" in drawing.sentence and standing in drawing.sentence
    style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_the_figure_states_its_size_and_shows_the_lead(tmp_path):
    drawing = drawn(of(CNN, MLP))
    text = " ".join(text.get_text() for text in drawing.figure.texts)
    assert "30 to 150 training images, 3 seeds" in text
    assert f"95{GLUE}%" in text
    below = drawing.figure.axes[1]
    shown = [list(line.get_ydata()) for line in below.lines if len(line.get_ydata()) == 3]
    assert pytest.approx([0.20, 0.05, 0.10]) in shown
    style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_tables_have_accuracies_and_leads():
    accuracy, lead = page_tables.report_tables(few_images.section, of(CNN, (50, 75, 95)), **LEVEL)
    assert [[cell.text for cell in row][:3] for row in accuracy.rows[:3]] == [
        ["10", "convolutional network", "0.710"],
        ["10", "MLP", "0.510"],
        ["20", "convolutional network", "0.810"],
    ]
    assert len(accuracy.rows) == 6
    assert [[cell.text for cell in row] for row in lead.rows] == [
        ["10", "0.200", "0.200 … 0.200", ALL, f"{ALL} … {ALL}", "3"],
        ["20", "0.050", "0.050 … 0.050", ALL, f"{ALL} … {ALL}", "3"],
        ["50", "0.000", "0.000 … 0.000", NONE, f"{NONE} … {NONE}", "3"],
    ]
