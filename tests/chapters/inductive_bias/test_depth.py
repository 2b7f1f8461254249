"""Depth of images of edges: what is claimed of it, and what figures and tables show."""

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import depth, depths
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

N = 12
# Every third image has no edge. The fainter and the thinner, the deeper.
CONTRAST = np.array([0.1, 0.2, np.nan, 0.3, 0.4, np.nan, 0.5, 0.6, np.nan, 0.7, 0.8, np.nan])
WIDTH = np.array([1, 1, np.nan, 2, 2, np.nan, 3, 3, np.nan, 4, 4, np.nan])
DEPTH = np.array([8, 7, 0, 6, 5, 0, 4, 3, 0, 2, 1, 0])
WRONG = np.isin(np.arange(N), [0, 1, 3, 9])


def network(architecture, depth, *, seed=1, wrong=WRONG, n_probes=10):
    return pd.DataFrame(
        {
            "architecture": architecture, "seeds": "1+2", "dataset": "edges", "seed": seed,
            "example": np.arange(N), "label": "vertical", "prediction": "vertical",
            "correct": ~np.asarray(wrong), "depth": np.asarray(depth), "n_probes": n_probes,
            "factor_start": 3.0, "factor_width": WIDTH, "factor_intensity": CONTRAST + 0.1,
            "factor_contrast": CONTRAST, "factor_background": np.linspace(0, 0.2, N),
        }
    )  # fmt: skip


def of(cnn=DEPTH, mlp=DEPTH, *, seeds=(1, 2), wrong=WRONG):
    rows = [
        network(name, depth, seed=seed, wrong=wrong, n_probes=n_probes)
        for name, depth, n_probes in (("cnn", cnn, 10), ("mlp", mlp, 8))
        if depth is not None
        for seed in seeds
    ]
    return {"depth_of_edges": pd.concat(rows, ignore_index=True)}


def found(given):
    return {row.id: row for row in frame.findings(depth.section, given, **LEVEL)}


def test_claims_are_the_numbers_that_they_name():
    rows = found(of())
    values = {id: row.value for id, row in rows.items()}
    # Ranks of width are tied in pairs: Spearman's is the root of 1 - 4 · (2³ - 2) / (8³ - 8).
    tied = (1 - 4 * 6 / 504) ** 0.5
    assert values == pytest.approx(
        {
            "same-images-deep": 1,
            "faint-edges-deep-for-cnn": -1,
            "faint-edges-deep-for-mlp": -1,
            "thin-edges-deep-for-cnn": -tied,
            "thin-edges-deep-for-mlp": -tied,
            # Of the deeper half, images 0, 1, 3, 4, 6 and 7, three are wrong; of the others one.
            "deep-edges-wrong": 2 / 6,
        }
    )
    assert {row.verdict for row in rows.values()} == {SUPPORTED}
    assert {row.n for row in rows.values()} == {2}
    assert {id: row.model for id, row in rows.items()} == {
        "same-images-deep": "cnn + mlp",
        "faint-edges-deep-for-cnn": "cnn",
        "faint-edges-deep-for-mlp": "mlp",
        "thin-edges-deep-for-cnn": "cnn",
        "thin-edges-deep-for-mlp": "mlp",
        "deep-edges-wrong": "cnn",
    }


def test_claims_of_one_network_do_not_look_at_the_other():
    rows = found(of(mlp=8 - DEPTH))
    assert rows["faint-edges-deep-for-cnn"].value == pytest.approx(-1)
    assert rows["faint-edges-deep-for-mlp"].value == pytest.approx(1)
    assert rows["faint-edges-deep-for-mlp"].verdict == NOT_SUPPORTED
    assert rows["thin-edges-deep-for-mlp"].verdict == NOT_SUPPORTED
    assert rows["same-images-deep"].value == pytest.approx(-1)
    assert rows["same-images-deep"].verdict == NOT_SUPPORTED
    wrong = found(of(wrong=~WRONG))["deep-edges-wrong"]
    assert wrong.value == pytest.approx(-2 / 6) and wrong.verdict == NOT_SUPPORTED


def test_depths_are_compared_image_by_image_whatever_the_order_of_rows():
    given = of()
    given["depth_of_edges"] = given["depth_of_edges"].sample(frac=1, random_state=0)
    assert found(given)["same-images-deep"].value == pytest.approx(1)
    assert found(given)["deep-edges-wrong"].value == pytest.approx(2 / 6)


def test_images_of_one_depth_are_halved_by_position():
    rows = network("cnn", np.zeros(N, int), wrong=np.arange(N) >= 9)
    rows = rows.sample(frac=1, random_state=0)
    assert depths.halves(rows) == (0, 0.5)
    assert depths.halves(rows[rows["example"] < 11]) == (0, 2 / 5)


@pytest.mark.parametrize(
    ("given", "id", "reason"),
    [
        (of(seeds=(1,)), "deep-edges-wrong", "fewer than two seeds"),
        (of(mlp=None), "same-images-deep", "the sweep has no MLP"),
        (of(mlp=None), "faint-edges-deep-for-mlp", "the sweep has no MLP"),
        (of(mlp=np.full(N, 8)), "same-images-deep", "equally deep"),
        (of(mlp=np.full(N, 8)), "thin-edges-deep-for-mlp", "depth or width is the same"),
    ],
)
def test_what_was_not_made_is_not_judged(given, id, reason):
    row = found(given)[id]
    assert row.kind == "not testable" and reason in row.verdict


def test_a_seed_whose_images_are_equally_deep_does_not_count():
    rows = [network("cnn", DEPTH, seed=seed) for seed in (1, 2, 3)]
    rows += [network("mlp", DEPTH, seed=seed, n_probes=8) for seed in (1, 2)]
    rows += [network("mlp", np.full(N, 8), seed=3, n_probes=8)]
    row = found({"depth_of_edges": pd.concat(rows, ignore_index=True)})["same-images-deep"]
    assert row.n == 2 and row.value == pytest.approx(1)


def test_a_random_number_is_an_image_s_in_both_networks():
    table = depth.edges(of()["depth_of_edges"])
    by_image = table.groupby(["seed", "example"])["random"]
    assert (by_image.nunique() == 1).all()
    assert table["random"].nunique() == len(by_image) and table["random"].between(0, 1).all()


def test_shares_of_a_network_add_up():
    found = depths.by_depth(of()["depth_of_edges"])
    sums = found.groupby(["architecture", "seed"])["share"].sum()
    assert sums.to_numpy() == pytest.approx(1)
    row = found.set_index(["architecture", "seed", "depth"]).loc["cnn", 1, 0]
    assert (row["share"], row["wrong"]) == (pytest.approx(4 / N), 0)
    assert found[found["architecture"] == "mlp"]["depth"].max() == 8


def drawings(given):
    return dict(frame.drawings(depth.section, given, **LEVEL))


def test_sentences_say_what_was_found():
    drawn = drawings(of(mlp=8 - DEPTH))
    glue = "\u00a0"
    assert drawn["depth_of_edges"].sentence == (
        f"Wrong answers: convolutional network 16.7{glue}% of the shallower half and "
        f"50.0{glue}% of the deeper half; MLP 50.0{glue}% of the shallower half and "
        f"16.7{glue}% of the deeper half. Depths of the same image in both networks have a rank "
        "correlation of −1.00."
    )
    sentence = drawn["depth_by_factor"].sentence
    assert "convolutional network −1.00 with contrast, −0.98 with width" in sentence
    assert "MLP 1.00 with contrast, 0.98 with width" in sentence
    assert sentence.count("with a random number") == 2


def test_a_map_counts_images_by_both_depths():
    figure = drawings(of(seeds=(1, 2, 3)))["depth_of_edges"].figure
    heat = figure.axes[-1]
    assert sorted(text.get_text() for text in heat.texts) == sorted(["12", *["3"] * 8])


@pytest.mark.parametrize(
    "given",
    [of(mlp=None), of(seeds=(1,)), of(mlp=np.full(N, 8)), of(np.zeros(N, int), np.zeros(N, int))],
)
def test_figures_and_tables_are_made_of_whatever_there_is(given):
    for drawn in drawings(given).values():
        drawn.figure.draw_without_rendering()
        assert "nan" not in drawn.sentence
    for table in page_tables.report_tables(depth.section, given, **LEVEL):
        assert "nan" not in " ".join(cell.text for row in table.rows for cell in row)


def test_tables_have_every_depth_and_every_factor():
    depths, factors = page_tables.report_tables(depth.section, of(), **LEVEL)
    assert (depths.id, factors.id) == ("table-depth-of-edges", "table-depth-by-factor")
    assert len(depths.rows) == 11 + 9 and len(factors.rows) == 8
    glue = "\u00a0"
    assert [cell.text for cell in depths.rows[0]] == [
        "convolutional network", "0", f"33.3{glue}%", f"33.3{glue}% … 33.3{glue}%", f"0.0{glue}%",
        f"0.0{glue}% … 0.0{glue}%", "2",
    ]  # fmt: skip
    # Depth 8 has one image, which is wrong; 9 has none.
    assert [depths.rows[8][4].text, depths.rows[9][4].text] == [f"100.0{glue}%", "—"]
    assert [cell.text for cell in factors.rows[0]] == [
        "convolutional network", "contrast", "−1.00", "−1.00 … −1.00", "2",
    ]  # fmt: skip
