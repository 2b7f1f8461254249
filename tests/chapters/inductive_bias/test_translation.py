"""Shifted images: what is claimed of answers and features, and what figures and tables show."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import translation
from depthlens.chapters.inductive_bias.translation import error_text
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

# Accuracy in points by shift, of seed 1; each further seed has one point more.
ACCURACIES = {
    "cnn": {0: 94, 1: 95, 2: 93, 4: 93},
    "mlp": {0: 90, 1: 70, 2: 60, 4: 40},
}
# Errors of seed 1; those of seed 2 are twice as large, and so on.
ERRORS = {
    "conv1": {0: 0.0, 1: 2e-8, 2: 0.0, 4: 1e-8},
    "pool1": {0: 0.0, 1: 0.1, 2: 1e-8, 4: 0.0},
    "conv2": {0: 0.0, 1: 0.2, 2: 0.15, 4: 0.02},
    "avgpool": {0: 0.0, 1: 0.01, 2: 0.02, 4: 0.03},
}


def of(*, accuracies=ACCURACIES, errors=ERRORS, seeds=(1, 2, 3), shifts=(0, 1, 2, 4)):
    common = {"seeds": "1+2+3", "dataset": "edges"}
    return {
        "translation": pd.DataFrame(
            [
                {
                    "architecture": name, **common, "seed": seed, "shift": shift,
                    "accuracy": (points[shift] + seed - 1) / 100, "examples": 150,
                }
                for name, points in accuracies.items()
                for seed in seeds
                for shift in shifts
            ]
        ),
        "equivariance": pd.DataFrame(
            [
                {
                    "architecture": "cnn", **common, "seed": seed, "shift": shift, "probe": probe,
                    "error": by_shift[shift] * seed,
                }
                for seed in seeds
                for shift in shifts
                for probe, by_shift in errors.items()
            ]
        ),
    }  # fmt: skip


def found(given):
    return {row.id: row for row in frame.findings(translation.section, given, **LEVEL)}


def test_claims_are_the_numbers_that_they_name():
    rows = found(of())
    assert {id: row.value for id, row in rows.items()} == pytest.approx(
        {
            "cnn-keeps-its-answers": -0.01,
            "mlp-loses-its-answers": -0.50,
            "convolution-is-equivariant": 4e-8,  # at shift 1: 2, 4 and 6
            "pooling-breaks-equivariance": 0.2,  # at shift 1, the only odd one: 0.1, 0.2, 0.3
        }
    )
    assert {row.verdict for row in rows.values()} == {SUPPORTED}
    assert {row.n for row in rows.values()} == {3}
    models = {row.id: row.model for row in rows.values()}
    assert models.pop("mlp-loses-its-answers") == "mlp" and set(models.values()) == {"cnn"}


def test_claims_fail_where_the_numbers_are_others():
    accuracies = {"cnn": ACCURACIES["mlp"], "mlp": ACCURACIES["cnn"]}
    errors = {"conv1": ERRORS["pool1"], "pool1": ERRORS["conv1"]}
    rows = found(of(accuracies=accuracies, errors=errors))
    assert {row.verdict for row in rows.values()} == {NOT_SUPPORTED}
    assert rows["cnn-keeps-its-answers"].value == pytest.approx(-0.5)
    assert rows["convolution-is-equivariant"].value == pytest.approx(0.2)


def test_the_mean_is_over_odd_shifts():
    given = of(errors={**ERRORS, "pool1": {0: 0.0, 1: 0.1, 3: 0.3, 4: 0.9}}, shifts=(0, 1, 4))
    more = of(errors={"pool1": {3: 0.3}}, shifts=(3,), accuracies={})["equivariance"]
    given["equivariance"] = pd.concat([given["equivariance"], more], ignore_index=True)
    # A mean of 0.1 and 0.3, in the middle one of three seeds twice that.
    assert found(given)["pooling-breaks-equivariance"].value == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("given", "id", "reason"),
    [
        (of(shifts=(1, 4)), "cnn-keeps-its-answers", "no image was left where it is"),
        (of(shifts=(0,)), "mlp-loses-its-answers", "no image was shifted"),
        (of(shifts=(0,)), "convolution-is-equivariant", "no image was shifted"),
        (of(shifts=(0, 2, 4)), "pooling-breaks-equivariance", "an odd number of pixels"),
        (of(seeds=(1,)), "convolution-is-equivariant", "fewer than two seeds"),
        (
            of(accuracies={"cnn": ACCURACIES["cnn"]}),
            "mlp-loses-its-answers",
            "the sweep has no MLP",
        ),
    ],
)
def test_what_was_not_made_is_not_judged(given, id, reason):
    row = found(given)[id]
    assert row.kind == "not testable" and reason in row.verdict


def drawings(given):
    return dict(frame.drawings(translation.section, given, **LEVEL))


def test_sentences_say_what_the_largest_shift_does():
    glue = "\u00a0"
    assert drawings(of())["translation"].sentence == (
        f"Right answers: convolutional network 95.0{glue}% shifted by 0 pixels and 94.0{glue}% by "
        f"4; MLP 91.0{glue}% shifted by 0 pixels and 41.0{glue}% by 4."
    )
    flipped = of(accuracies={"mlp": {1: 40, 4: 90}}, shifts=(1, 4))
    assert drawings(flipped)["translation"].sentence == (
        f"Right answers: MLP 41.0{glue}% shifted by 1 pixel and 91.0{glue}% by 4."
    )


def test_sentences_tell_odd_shifts_from_even_ones():
    assert drawings(of())["equivariance"].sentence == (
        "Behind the first convolution the relative error is at most 6.0 · 10⁻⁸; behind the first "
        "pooling it is 1.0 · 10⁻⁸ for even shifts and 0.200 for odd shifts, on average."
    )
    assert drawings(of(shifts=(0, 4)))["equivariance"].sentence.endswith(
        "behind the first pooling it is 0 for even shifts, on average."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.1234, "0.123"), (0.001, "0.001"), (3.14e-7, "3.1 · 10⁻⁷"),
     (-2e-8, "−2.0 · 10⁻⁸"), (float("nan"), "—"), (-0.5, "−0.500")],
)  # fmt: skip
def test_errors_are_written_for_a_reader(value, text):
    assert error_text(value) == text


def test_a_subtitle_says_how_many_images_and_seeds():
    written = [text.get_text() for text in drawings(of())["translation"].figure.texts]
    assert any("150 images, 3 seeds" in text for text in written)


def test_figures_are_made_where_no_feature_has_an_error():
    given = of(errors={name: dict.fromkeys(range(5), 0.0) for name in ("conv1", "pool1")})
    drawn = drawings(given)["equivariance"]
    assert "at most 0;" in drawn.sentence
    assert {ax.get_yscale() for ax in drawn.figure.axes} == {"linear"}
    drawn.figure.draw_without_rendering()


def test_one_seed_is_drawn_without_a_band():
    for drawn in drawings(of(seeds=(1,))).values():
        drawn.figure.draw_without_rendering()


def test_tables_have_a_row_for_every_shift():
    accuracies, errors = page_tables.report_tables(translation.section, of(), **LEVEL)
    assert (accuracies.id, errors.id) == ("table-translation", "table-equivariance")
    assert len(accuracies.rows) == 8 and len(errors.rows) == 16
    # Of 40, 41 and 42 points: standard error 1 / √3, t of two degrees of freedom 4.3027.
    assert [cell.text for cell in accuracies.rows[7]] == ["MLP", "4", "0.410", "0.385 … 0.435", "3"]
    by_key = {(row[0].text, row[1].text): row for row in errors.rows}
    assert by_key["first pooling", "1"][2].sort == pytest.approx(0.2)
    assert by_key["global average", "4"][2].text == "0.060"
