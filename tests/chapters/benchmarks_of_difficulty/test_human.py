import pickle

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters import answers, page_tables
from depthlens.chapters.benchmarks_of_difficulty import human
from depthlens.chapters.benchmarks_of_difficulty.experiments import human as experiments
from depthlens.errors import StudyError

LEVEL = {"confidence_level": 0.95}


@pytest.fixture(scope="module")
def portraits(network, table):
    return table(network([0, 1]), network([0, 1], seed=2))


@pytest.fixture(scope="module")
def train(toy_images):
    return toy_images["toy"][0]


@pytest.fixture(scope="module")
def test(toy_images):
    return toy_images["toy"][1]


@pytest.fixture
def asked(toy_images, toy_settings):
    """The experiment's rows when these files are named."""

    def asked(**files):
        return experiments.experiment(
            toy_images,
            cell={"dataset": "toy", "seed": 1},
            settings=toy_settings | {"files": {"toy": {"counts": None, "labels": None, **files}}},
            progress=lambda batches: batches,
        )

    return asked


def saved(path, content):
    np.save(path, content)
    return str(path)


def answered(value, *, seed, question="uncertainty", score="depth"):
    return {
        "dataset": "toy", "architecture": "net", "train_examples": 40, "seed": seed,
        "question": question, "score": score, "value": value, "n": 10, "wrong": np.nan,
    }  # fmt: skip


@pytest.mark.parametrize("tables", [{}, {"human": pd.DataFrame()}])
def test_without_files_the_claims_are_not_testable_and_the_figure_says_so(tables, portraits):
    tables = tables | {"portraits": portraits}
    found = answers.findings(human.section, tables, **LEVEL)
    assert len(found) == 4
    for finding in found:
        assert finding.verdict == (
            "not testable here, because no file of human answers is named in "
            "chapters.benchmarks_of_difficulty.human"
        )
        assert (finding.dataset, finding.model) == ("toy", "net")
    drawing = dict(answers.drawings(human.section, tables, **LEVEL))["depth_and_people"]
    assert human.NOTHING in drawing.sentence
    assert human.NOTHING in drawing.figure.axes[0].texts[0].get_text()
    assert page_tables.report_tables(human.section, tables, **LEVEL) == []


def test_claims_are_means_over_seeds(portraits):
    rows = pd.DataFrame([answered(value, seed=seed) for seed, value in ((1, 0.2), (2, 0.4))])
    tables = {"human": rows, "portraits": portraits}
    unsure, errors, _, as_said = answers.findings(human.section, tables, **LEVEL)
    assert (as_said.value, as_said.verdict) == (unsure.value, "not supported")
    assert unsure.value == pytest.approx(0.3)
    assert unsure.verdict == "supported"
    assert "no file of labels is named" in errors.verdict
    drawing = dict(answers.drawings(human.section, tables, **LEVEL))["depth_and_people"]
    assert "0.30 for uncertainty on toy" in drawing.sentence
    (shown,) = page_tables.report_tables(human.section, tables, **LEVEL)
    assert shown.rows[0][3].text == "0.300"


def test_depth_is_best_only_if_no_other_score_agrees_more(portraits):
    """Versions of depth do not count as others; each seed has its own best."""
    scores = {"depth": (0.5, 0.4), "depth_label": (0.9, 0.9), "loss": (0.4, 0.5), "el2n": (0.1, 0)}
    rows = [
        answered(value, seed=seed, score=score)
        for score, values in scores.items()
        for seed, value in zip((1, 2), values, strict=True)
    ]
    tables = {"human": pd.DataFrame(rows), "portraits": portraits}
    found = answers.findings(human.section, tables, **LEVEL)
    (best,) = (f for f in found if f.id == "depth-is-the-best-predictor-of-people")
    assert best.value == pytest.approx(((0.5 - 0.4) + (0.4 - 0.5)) / 2, abs=1e-12)
    rows[1]["value"] = 0.55
    found = answers.findings(human.section, tables | {"human": pd.DataFrame(rows)}, **LEVEL)
    (best,) = (f for f in found if f.id == "depth-is-the-best-predictor-of-people")
    assert best.value == pytest.approx(0.075) and best.verdict == "supported"


def test_a_depth_that_people_could_have_made_agrees_with_them():
    rows = pd.DataFrame({"depth": [0, 1, 2, 3], "output_margin": [9.0, 5, 2, 1], "loss": np.nan})
    found = experiments.agreement(rows, np.array([0, 0.1, 0.5, 0.6])).set_index("score")
    assert found.loc["depth", "value"] == pytest.approx(1)
    assert found.loc["output_margin", "value"] == pytest.approx(1)  # signed
    assert np.isnan(found.loc["loss", "value"])


def test_entropy_of_answers_is_that_on_paper():
    found = experiments.entropy(np.array([[4.0, 0, 0], [2, 2, 0], [1, 1, 1]]))
    assert found == pytest.approx([0, np.log(2), np.log(3)])


def test_both_questions_are_asked_of_the_images_they_are_about(tmp_path, train, asked):
    counts = np.ones((40, 3), int)
    counts[::2, 0] = 50
    labels = train.labels.astype(int)
    labels[::5] = (labels[::5] + 1) % 3
    files = {
        "counts": saved(tmp_path / "counts.npy", counts),
        "labels": saved(tmp_path / "labels.npy", labels),
    }
    rows = asked(**files)
    unsure = rows[rows["question"] == "uncertainty"].set_index("score")
    errors = rows[rows["question"] == "label errors"].set_index("score")
    assert {"depth", "random", "output_margin", "forgetting_events"} <= set(unsure.index)
    assert {"depth", "depth_label", "depth_self_voting", "random", "loss"} <= set(errors.index)
    assert (unsure["n"] == 12).all()
    assert (errors["n"] == 24).all()
    drawn = experiments.trial.draw(train, 24, np.random.default_rng([1, 0])).example_id
    assert (errors["wrong"] == (drawn % 5 == 0).sum()).all()


def test_only_the_question_whose_file_is_named_is_asked(tmp_path, portraits, train, asked):
    files = {"labels": saved(tmp_path / "labels.npy", train.labels.astype(int))}
    rows = asked(**files)
    assert set(rows["question"]) == {"label errors"}
    assert rows["value"].isna().all()  # no label is wrong
    both = pd.concat([rows.assign(seed=s) for s in (1, 2)]).assign(
        dataset="toy", architecture="net"
    )
    found = answers.findings(human.section, {"human": both, "portraits": portraits}, **LEVEL)
    assert "no file of counts" in found[0].verdict
    assert "all labels are the same" in found[1].verdict or "as the dataset" in found[1].verdict


def test_labels_come_out_of_a_dictionary_too(tmp_path, train):
    other = (train.labels.astype(int) + 1) % 3
    held = {"clean_label": train.labels.astype(int), "worse_label": other}
    path = saved(tmp_path / "human.npy", held)
    assert (experiments.read_labels(path, train) == other).all()
    held["random_label1"] = train.labels.astype(int)
    path = saved(tmp_path / "human.npy", held)
    assert (experiments.read_labels(path, train) == train.labels).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (np.zeros(59, int), "a whole number for each of the 60"),
        (np.zeros(60), "a whole number for each of the 60"),
        (np.full(60, 3), "the classes of these images are 0 to 2"),
        (np.full(60, -1), "the classes of these images are 0 to 2"),
        (np.array(["a"] * 60), "holds no array of numbers"),
        ({"other": np.zeros(60, int)}, "without random_label1 or worse_label; it has other"),
        ({"worse_label": [1, 2]}, "holds no array of numbers"),
        (
            {"worse_label": np.zeros(60, int), "clean_label": np.zeros(60, int)},
            "in the order of the dataset",
        ),
    ],
)
def test_labels_of_other_images_are_refused(tmp_path, content, reason, train):
    path = saved(tmp_path / "labels.npy", content)
    with pytest.raises(StudyError, match=reason) as caught:
        experiments.read_labels(path, train)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (np.ones((40, 2)), "a column for each of the 3 classes"),
        (np.ones((39, 3)), "a row for each of the 40"),
        (np.ones(40), "a row for each of the 40"),
        (-np.ones((40, 3)), "numbers from 0 on"),
        (np.zeros((40, 3)), "every image has one"),
        (np.full((40, 3), np.nan), "numbers from 0 on"),
    ],
)
def test_counts_of_other_images_are_refused(tmp_path, content, reason, test):
    path = saved(tmp_path / "counts.npy", content)
    with pytest.raises(StudyError, match=reason):
        experiments.read_counts(path, test)


class Evil:
    def __reduce__(self):
        return (open, ("made", "w"))


@pytest.mark.parametrize("read", [experiments.read_labels, experiments.read_counts])
def test_nothing_in_a_file_is_ever_run(tmp_path, monkeypatch, read, train):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.npy"
    held = np.empty((), object)
    held[()] = Evil()
    np.save(path, held)
    with pytest.raises(StudyError, match="nothing of it was run"):
        read(path, train)
    assert not (tmp_path / "made").exists()
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(StudyError):
        read(path, train)
    with pytest.raises(StudyError, match="no such file"):
        read(tmp_path / "absent.npy", train)
