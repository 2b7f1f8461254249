"""The card of a small pool, against a reading of its networks one by one."""

import statistics
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from depthlens import tables
from depthlens.depth import prediction_depth
from depthlens.errors import ArtifactError, StudyError
from depthlens.scores.catalogue import SCORES
from depthlens.stages import card

CFG = {"confidence_level": 0.9, "bootstrap_samples": 100, "bootstrap_seed": 0}
CLASSES = ["a", "b", "c"]
PROBES = ["00-input", "01-fc", "02-softmax"]
N_TRAIN, N_POOL = 30, 40
LABELS = np.random.default_rng(0).integers(0, 3, N_POOL).astype(np.int16)
TRUTH = np.random.default_rng(1).normal(size=N_POOL)
SIDES = {"train": "train", "test": "held_out"}


class Study:
    """Folders of a dataset and of its networks, and every answer that was written into them."""

    def __init__(self, root):
        self.root, self.runs, self.answers = root, [], []
        for split, rows in (
            ("train", np.arange(N_TRAIN)),
            ("test", np.arange(N_TRAIN, N_POOL)),
        ):
            tables.write(
                self.images(split),
                {"example_id": np.arange(len(rows), dtype=np.int32), "label": LABELS[rows]},
                {"classes": CLASSES},
            )

    def images(self, split):
        return self.root / f"data/set/{split}.parquet"

    def add_seed(self, number):
        """A network of the dataset as it is divided: ids of each split count from 0."""
        folder = self.root / f"results/set/mlp/seed{number}"
        self._add(folder, np.arange(N_TRAIN), np.arange(N_TRAIN, N_POOL), first=N_TRAIN)

    def add_replicate(self, number):
        """A network that saw another half of the pool."""
        folder = self.root / f"results/set/replicate{number}/mlp/seed{number}"
        order = np.random.default_rng([7, number]).permutation(N_POOL)
        half = N_POOL // 2
        self._add(folder, np.sort(order[:half]), np.sort(order[half:]), first=0)

    def _add(self, folder, trained_on, held_out, *, first):
        random = np.random.default_rng(len(self.runs))
        for split, rows, start in (("train", trained_on, 0), ("test", held_out, first)):
            ids, n = (rows - start).astype(np.int32), len(rows)
            wrong = random.random(n) < 0.4
            prediction = np.where(wrong, random.integers(0, 3, n), LABELS[rows]).astype(np.int16)
            knn = random.integers(0, 3, (n, len(PROBES))).astype(np.int16)
            depth = {
                "depth": prediction_depth(knn, prediction),
                "depth_last_probe": prediction_depth(knn, knn[:, -1]),
                "depth_label": prediction_depth(knn, LABELS[rows]),
            }
            scores = {
                score.name: (TRUTH[rows] + random.normal(size=n)).astype(np.float32)
                for score in SCORES
            }
            scores["input_margin"][random.random(n) < 0.5] = np.nan  # not sampled
            scores["attack_margin"][:] = np.nan
            scores["iteration_learned"][:] = 1  # the same for all: nothing to rank
            tables.write(
                folder / f"predictions/{split}.parquet",
                {"example_id": ids, "label": LABELS[rows], "prediction": prediction},
                {"classes": CLASSES},
            )
            tables.write(
                folder / f"depth/{split}.parquet",
                {"example_id": ids, "knn": knn, **depth},
                {"classes": CLASSES, "probes": PROBES},
            )
            tables.write(folder / f"scores/{split}.parquet", {"example_id": ids, **scores}, {})
            for place, row in enumerate(rows.tolist()):
                self.answers.append(
                    {
                        "row": row,
                        "side": SIDES[split],
                        "prediction": int(prediction[place]),
                        "knn": knn[place].tolist(),
                        **{name: int(values[place]) for name, values in depth.items()},
                        **{name: float(values[place]) for name, values in scores.items()},
                    }
                )
        self.runs.append(folder)

    def run(self, **changed):
        options = {
            "runs": self.runs,
            "train_images": self.images("train"),
            "test_images": self.images("test"),
            "output": self.root / "card.parquet",
            "reliability": self.root / "reliability.parquet",
            "cfg": CFG,
        }
        card.run(**options | changed)

    @property
    def card(self) -> pd.DataFrame:
        return tables.read(self.root / "card.parquet").to_pandas()

    @property
    def reliability(self) -> pd.DataFrame:
        table = tables.read(self.root / "reliability.parquet").to_pandas()
        return table.set_index(["score", "side"])


@pytest.fixture
def study(tmp_path) -> Study:
    """One seed and four replicates."""
    study = Study(tmp_path)
    study.add_seed(1)
    for number in range(1, 5):
        study.add_replicate(number)
    return study


def mean(values: list[float]) -> float:
    there = [value for value in values if not np.isnan(value)]
    return statistics.fmean(there) if there else np.nan


def literal_depth(knn: list[int], reference: int) -> int:
    return max((place + 1 for place, k in enumerate(knn) if k != reference), default=0)


def test_every_number_by_asking_the_networks_one_by_one(study):
    study.run()
    found = study.card
    assert found["example_id"].tolist() == list(range(N_POOL))
    assert found["split"].tolist() == ["train"] * N_TRAIN + ["test"] * (N_POOL - N_TRAIN)
    assert found["split_id"].tolist() == [*range(N_TRAIN), *range(N_POOL - N_TRAIN)]
    assert found["label"].tolist() == LABELS.tolist()
    for row, image in found.iterrows():
        asked = [answer for answer in study.answers if answer["row"] == row]
        by_side = {side: [a for a in asked if a["side"] == side] for side in SIDES.values()}
        assert (image["n_train"], image["n_held_out"]) == tuple(map(len, by_side.values()))
        held_out = Counter(answer["prediction"] for answer in by_side["held_out"])
        everyone = Counter(answer["prediction"] for answer in asked)
        most = max(held_out.values(), default=0)
        consensus = min((c for c, n in held_out.items() if n == most), default=-1)
        expected = {
            "consensus": consensus,
            "consensus_consistency": most / held_out.total() if most else np.nan,
            "label_consistency": held_out[LABELS[row]] / held_out.total() if most else np.nan,
            "ensemble_agreement": max(everyone.values()) / everyone.total(),
        }
        for side, answers in by_side.items():
            depths = [answer["depth"] for answer in answers]
            expected[f"depth_{side}_mean"] = mean(depths)
            expected[f"depth_{side}_std"] = statistics.stdev(depths) if len(depths) > 1 else np.nan
            expected[f"depth_label_{side}_mean"] = mean([a["depth_label"] for a in answers])
            expected[f"depth_consensus_{side}_mean"] = (
                mean([literal_depth(a["knn"], consensus) for a in answers]) if most else np.nan
            )
            for score in SCORES:
                expected[f"{score.name}_{side}"] = mean([a[score.name] for a in answers])
        for name, value in expected.items():
            assert image[name] == pytest.approx(value, rel=1e-5, nan_ok=True), (row, name)
    assert (found["consensus"] == -1).any() and found["depth_held_out_std"].isna().any()


def test_columns_and_types_are_those_that_are_promised(study):
    study.run()
    schema = tables.read(study.root / "card.parquet").schema
    expected = {
        "example_id": pa.int32(),
        "split": pa.string(),
        "split_id": pa.int32(),
        "label": pa.int16(),
        "n_train": pa.int16(),
        "n_held_out": pa.int16(),
        "consensus": pa.int16(),
        "consensus_consistency": pa.float32(),
        "label_consistency": pa.float32(),
        "ensemble_agreement": pa.float32(),
        "depth_train_mean": pa.float32(),
        "depth_train_std": pa.float32(),
        "depth_held_out_mean": pa.float32(),
        "depth_held_out_std": pa.float32(),
        "depth_consensus_train_mean": pa.float32(),
        "depth_consensus_held_out_mean": pa.float32(),
        "depth_label_train_mean": pa.float32(),
        "depth_label_held_out_mean": pa.float32(),
    }
    for score in SCORES:
        expected |= {f"{score.name}_{side}": pa.float32() for side in SIDES.values()}
    assert [(field.name, field.type) for field in schema] == list(expected.items())
    about = tables.metadata(study.root / "card.parquet")
    assert (about["classes"], about["n_networks"], about["probes"]) == (CLASSES, 5, PROBES)
    assert len(about["inputs"]) == 2 + 5 * 6


def test_reliability_is_that_of_the_measurements_of_a_side(study):
    for number in range(5, 13):
        study.add_replicate(number)
    study.run()
    table = study.reliability
    assert set(table.columns) == {
        "n_examples",
        "measurements",
        "reliability",
        "low",
        "high",
        "networks_needed",
    }
    counts = pd.DataFrame(study.answers).groupby(["row", "side"]).size().unstack(fill_value=0)
    for side in SIDES.values():
        often = counts[side][counts[side] >= 2]
        row = table.loc["loss", side]
        assert row["n_examples"] == len(often)
        assert row["measurements"] == pytest.approx(often.mean())
        # A true score and noise of the same variance: 6/π · arcsin(1/4) = 0.48 of one network.
        assert row["low"] <= row["reliability"] <= row["high"]
        assert 0.2 < row["reliability"] < 0.75
        assert row["networks_needed"] == pytest.approx(
            9 * (1 - row["reliability"]) / row["reliability"], rel=1e-4
        )
        assert {"depth", "depth_last_probe", "depth_label", "depth_consensus"} <= {
            score for score, of in table.index if of == side
        }
        for nothing in ("attack_margin", "iteration_learned"):
            assert (nothing, side) not in table.index


def test_one_network_has_no_reliability_but_a_card(tmp_path):
    study = Study(tmp_path)
    study.add_seed(1)
    study.run()
    assert study.reliability.empty
    found = study.card
    train = found["split"] == "train"
    assert (found["n_train"] == train).all() and (found["n_held_out"] == ~train).all()
    assert (found["consensus"][train] == -1).all()
    assert found["depth_train_mean"][train].notna().all()
    assert found["depth_held_out_mean"][train].isna().all()


def test_seeds_are_compared_on_the_same_images(tmp_path):
    study = Study(tmp_path)
    study.add_seed(1)
    study.add_seed(2)
    study.run()
    table = study.reliability
    assert table.loc["entropy", "train"]["n_examples"] == N_TRAIN
    assert table.loc["entropy", "held_out"]["n_examples"] == N_POOL - N_TRAIN


def test_the_order_of_the_runs_does_not_change_the_card(study):
    study.run()
    first = study.card
    study.run(runs=study.runs[::-1])
    pd.testing.assert_frame_equal(study.card, first, rtol=1e-6)


def test_equal_runs_give_equal_bytes(study):
    study.run()
    paths = [study.root / name for name in ("card.parquet", "reliability.parquet")]
    first = [path.read_bytes() for path in paths]
    study.run()
    assert [path.read_bytes() for path in paths] == first


def test_a_training_split_that_was_not_studied_is_absent(tmp_path):
    study = Study(tmp_path)
    study.add_seed(1)
    for table in ("depth", "scores"):
        (study.runs[0] / table / "train.parquet").unlink()
    study.run()
    found = study.card
    assert found["depth_train_mean"].isna().all() and found["loss_train"].isna().all()
    assert found["depth_held_out_mean"][N_TRAIN:].notna().all()
    assert found["n_train"].sum() == N_TRAIN


@pytest.mark.parametrize("table", ["depth", "scores"])
def test_half_a_training_split_is_refused(study, table):
    (study.runs[0] / table / "train.parquet").unlink()
    with pytest.raises(ArtifactError, match=rf"{table}/train\.parquet: no such file"):
        study.run()


def test_a_run_of_another_dataset_is_named(study, tmp_path):
    with pytest.raises(StudyError, match=r"other/mlp/seed1: no run of set; expected set/"):
        study.run(runs=[*study.runs, tmp_path / "results/other/mlp/seed1"])


def test_no_run_is_refused(study):
    with pytest.raises(StudyError, match="at least one"):
        study.run(runs=[])


def test_a_run_of_other_images_is_named(study):
    path = study.runs[2] / "predictions/test.parquet"
    columns = {"example_id": np.arange(3, dtype=np.int32), "prediction": np.zeros(3, np.int16)}
    other = (LABELS[:3] + 1) % 3
    tables.write(path, {**columns, "label": other}, {"classes": CLASSES})
    with pytest.raises(ArtifactError, match=r"test\.parquet: other labels than the images of set"):
        study.run()
    columns["example_id"] = columns["example_id"] + N_POOL
    tables.write(path, {**columns, "label": other}, {"classes": CLASSES})
    with pytest.raises(ArtifactError, match=r"about images that the dataset set does not have"):
        study.run()


@pytest.mark.parametrize("table", ["depth", "scores"])
def test_tables_of_other_examples_are_named(study, table):
    path = study.runs[1] / table / "test.parquet"
    other = study.runs[2] / table / "test.parquet"
    path.write_bytes(other.read_bytes())
    with pytest.raises(ArtifactError, match=rf"{table}/test\.parquet: other examples than"):
        study.run()


def test_depths_at_other_probes_are_named(study):
    path = study.runs[3] / "depth/train.parquet"
    table = tables.read(path)
    columns = {name: table[name].to_numpy() for name in table.column_names if name != "knn"}
    columns["knn"] = tables.matrix(table["knn"])[:, :2]
    tables.write(path, columns, {"probes": PROBES[:2]})
    with pytest.raises(ArtifactError, match=r"depth/train\.parquet: other probes than"):
        study.run()


def test_a_real_run_fills_a_card(tiny_run, tmp_path):
    card.run(
        runs=[tiny_run.folder],
        train_images=tiny_run.images("train"),
        test_images=tiny_run.images("test"),
        output=tmp_path / "card.parquet",
        reliability=tmp_path / "reliability.parquet",
        cfg=CFG,
    )
    found = tables.read(tmp_path / "card.parquet").to_pandas()
    depth = tables.read(tiny_run.depth("test")).to_pandas()
    held_out = found[found["split"] == "test"]
    assert held_out["depth_held_out_mean"].tolist() == depth["depth"].tolist()
    # Of one network the consensus class is its own.
    assert held_out["consensus"].tolist() == depth["prediction"].tolist()
    assert held_out["depth_consensus_held_out_mean"].tolist() == depth["depth"].tolist()
    assert (held_out["consensus_consistency"] == 1).all()
    assert (held_out["label_consistency"] == depth["correct"].to_numpy()).all()
    entropy = tables.read(tiny_run.scores("train"))["entropy"].to_numpy()
    assert found["entropy_train"][:96].to_numpy().tolist() == entropy.tolist()
