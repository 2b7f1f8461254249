"""Longer training: what is claimed, and what figures and tables say of it."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import longer
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

# Loss and accuracy on validation images after 2 and 6 passes, of the first seed.
SCORES = {"cnn": ((0.5, 0.8), (0.3, 0.9)), "mlp": ((0.6, 0.6), (0.9, 0.7))}
# Confidence and number of right answers of ten.
ANSWERS = {"cnn": ((0.85, 8), (0.95, 9)), "mlp": ((0.75, 6), (0.95, 7))}


def made(*, seeds=(1, 2), scores=SCORES, answers=ANSWERS, epochs=(2, 6)):
    scored, said = [], []
    for seed in seeds:
        for name in scores:
            common = {"architecture": name, "seeds": "1+2", "dataset": "edges", "seed": seed}
            for epoch, (loss, accuracy) in zip((2, 6), scores[name], strict=True):
                # The second seed is worse by as much at both times.
                worse = 0.1 * (seed - 1)
                for split, n in (("train", 30), ("validation", 10)):
                    here = (loss + worse, accuracy - worse) if n == 10 else (0.1, 1.0)
                    scored.append(
                        {**common, "epoch": epoch, "split": split, "loss": here[0],
                         "accuracy": here[1], "examples": n}
                    )  # fmt: skip
            for epoch, (confidence, right) in zip((2, 6), answers[name], strict=True):
                if epoch in epochs:
                    said += [
                        {**common, "epoch": epoch, "example": i, "label": "none",
                         "prediction": "none" if i < right else "vertical",
                         "confidence": confidence}
                        for i in range(10)
                    ]  # fmt: skip
    tables = {"longer": pd.DataFrame(scored), "longer_answers": pd.DataFrame(said)}
    # With fewer images, of which nothing here is said, all was worse.
    fewer = {name: table.assign(images=5) for name, table in tables.items()}
    fewer["longer"] = fewer["longer"].assign(loss=9.0, accuracy=0.1, examples=15)
    fewer["longer_answers"] = fewer["longer_answers"].assign(prediction="vertical")
    return {
        name: pd.concat([fewer[name], table.assign(images=10)], ignore_index=True)
        for name, table in tables.items()
    }


def found(tables):
    return {row.id: row for row in frame.findings(longer.section, tables, **LEVEL)}


def drawn(tables):
    return dict(frame.drawings(longer.section, tables, **LEVEL))


@pytest.fixture(scope="module")
def drawings():
    """The figures of what `made` makes if nothing else is asked for."""
    return drawn(made())


def test_claims_are_the_differences_that_they_name():
    rows = found(made())
    assert {id: (round(row.value, 6), row.verdict) for id, row in rows.items()} == {
        "mlp-loss-rises": (0.3, SUPPORTED),
        "mlp-accuracy-rises": (0.1, SUPPORTED),
        # From |0.75 − 0.6| to |0.95 − 0.7|.
        "mlp-calibration-worsens": (0.1, SUPPORTED),
        # 0.25 less |0.95 − 0.9|.
        "cnn-calibrated": (0.2, SUPPORTED),
    }
    assert [row.model for row in rows.values()] == ["mlp"] * 3 + ["cnn + mlp"]
    assert all(row.n == 2 for row in rows.values())


def test_claims_fail_where_the_signs_are_turned():
    rows = found(
        made(
            scores=SCORES | {"mlp": ((0.9, 0.7), (0.6, 0.6))},
            answers={"cnn": ANSWERS["mlp"], "mlp": ((0.75, 6), (0.95, 9))},
        )
    )
    assert {row.verdict for row in rows.values()} == {NOT_SUPPORTED}


def test_without_longer_training_nothing_is_said_of_it():
    rows = found(made(epochs=(6,)))
    for id in ("mlp-loss-rises", "mlp-accuracy-rises", "mlp-calibration-worsens"):
        assert "no network was trained for longer" in rows[id].verdict
    assert rows["cnn-calibrated"].verdict == SUPPORTED
    drawings = drawn(made(epochs=(6,)))
    assert "After 6 passes the validation loss" in drawings["longer"].sentence
    assert "After 6 passes the expected" in drawings["calibration"].sentence


def test_one_seed_is_not_judged_but_drawn(tmp_path):
    tables = made(seeds=(1,))
    assert {row.kind for row in found(tables).values()} == {"not testable"}
    for drawing in drawn(tables).values():
        style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_figures_are_those_of_the_section_and_say_what_the_tables_hold(drawings, tmp_path):
    # Means over two seeds, of which the second is worse by 0.1.
    assert drawings["longer"].sentence.replace("\u00a0", " ") == (
        "After 2 and 6 passes the validation loss is 0.55 and then 0.35 (convolutional network) "
        "and 0.65 and then 0.95 (MLP), the accuracy 75.0 % and then 85.0 % (convolutional network) "
        "and 55.0 % and then 65.0 % (MLP)."
    )
    assert "0.150 and then 0.250 (MLP)" in drawings["calibration"].sentence
    for drawing in drawings.values():
        text = " ".join(text.get_text() for text in drawing.figure.texts)
        assert "2 seeds" in text and "15" not in text
        style.save(drawing.figure, tmp_path / "figure", dpi=40)


def test_the_table_holds_scores():
    (scores,) = page_tables.report_tables(longer.section, made(), **LEVEL)
    last = dict(zip(scores.columns, [cell.text for cell in scores.rows[-1]], strict=True))
    assert [cell.text for cell in scores.rows[-1]][:3] == ["MLP", "6", "0.950"]
    assert (last["calibration error"], last["seeds"]) == ("0.250", "2")
