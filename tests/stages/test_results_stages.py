"""From the tables of one real tiny run to figures, claims and the page."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
import yaml

from depthlens import tables
from depthlens.chapters.difficulty import contents
from depthlens.chapters.difficulty.card import CARD, RELIABILITY
from depthlens.chapters.difficulty.contents import run_figures
from depthlens.errors import ArtifactError, StudyError
from depthlens.figures import style
from depthlens.report import check
from depthlens.scores.catalogue import SCORES
from depthlens.stages import claims, ensemble_figures, figures, report
from depthlens.stages.runs import identify, read_ensemble, read_run, unconverged

ALL_FIGURES = run_figures(trained=True, train_studied=True)
ENSEMBLE_FIGURES = contents.ensemble_figures()
RUN_FIGURES, CARD_FIGURES = (f"figures/shapes/resnet18/{of}" for of in ("seed1", "ensemble"))
FIGURES_CFG = {"gallery_images": 8, "confidence_level": 0.95, "dpi": 50}
CLAIMS_CFG = {"confidence_level": 0.95, "bootstrap_samples": 100, "bootstrap_seed": 0}


def write_scores(tiny_run, split, path):
    """Scores that follow depth, as the rule for scores would leave them."""
    table = tables.read(tiny_run.depth(split), ["example_id", "depth"])
    depth, random = table["depth"].to_numpy(), np.random.default_rng(0)
    columns = {"example_id": table["example_id"].to_numpy()}
    for score in SCORES:
        columns[score.name] = (score.harder * (depth + random.random(len(depth)))).astype("float32")
    columns["input_margin"][::2] = np.nan
    tables.write(path, columns, {})


def write_card(tiny_run, folder):
    """A card and reliabilities of three networks, as the rule for cards would leave them."""
    images = {split: tables.read_images(tiny_run.images(split)) for split in ("train", "test")}
    sizes = {split: len(of_split.labels) for split, of_split in images.items()}
    n, random = sum(sizes.values()), np.random.default_rng(0)
    label = np.concatenate([of_split.labels for of_split in images.values()])
    known = {
        "example_id": np.arange(n, dtype=np.int32),
        "split": np.repeat(list(sizes), list(sizes.values())).astype(object),
        "split_id": np.concatenate([of_split.example_id for of_split in images.values()]),
        "label": label,
        "n_train": np.full(n, 2, np.int16),
        "n_held_out": np.full(n, 1, np.int16),
        "consensus": np.where(random.random(n) < 0.3, 0, label).astype(np.int16),
    }
    columns = {name: known.get(name, random.random(n).astype(np.float32)) for name in CARD} | {
        name: (random.random(n) * 11).astype("float32") for name in CARD if name.endswith("mean")
    }
    about = {"classes": images["test"].classes, "n_networks": 3, "probes": tiny_run.probe_names}
    tables.write(folder / "card.parquet", columns, about)
    values = {
        "score": np.array(["depth", "loss"], object),
        "side": np.array(["held_out", "train"], object),
        "n_examples": np.array([n, n], np.int32),
    }
    tables.write(
        folder / "reliability.parquet",
        {name: values.get(name, np.array([0.5, 0.6], np.float32)) for name in RELIABILITY},
        {},
    )
    return folder


@pytest.fixture(scope="module")
def scores(tiny_run, tmp_path_factory):
    """Paths of the scores of both splits."""
    folder = tmp_path_factory.mktemp("scores")
    paths = {split: folder / f"{split}.parquet" for split in ("train", "test")}
    for split, path in paths.items():
        write_scores(tiny_run, split, path)
    return paths


@pytest.fixture(scope="module")
def card(tiny_run, tmp_path_factory):
    """Folder of the card of the tiny run."""
    return write_card(tiny_run, tmp_path_factory.mktemp("results") / "shapes/resnet18")


@pytest.fixture(scope="module")
def run(tiny_run, scores, card):
    """Folder of the tiny run beside its card, with scores, as the workflow leaves it."""
    folder = card / "seed1"
    for name in ("depth", "probes.parquet", "convergence.json", "history.parquet"):
        copy = shutil.copytree if (tiny_run.folder / name).is_dir() else shutil.copy
        folder.mkdir(exist_ok=True)
        copy(tiny_run.folder / name, folder / name)
    shutil.copytree(scores["test"].parent, folder / "scores")
    return folder


def of_run(tiny_run, scores, folder=None):
    folder = folder or tiny_run.folder
    return {
        "depth": folder / "depth/test.parquet",
        "probes": folder / "probes.parquet",
        "convergence": folder / "convergence.json",
        "scores": scores["test"],
    }


def of_train(tiny_run, scores):
    return {"train_depth": tiny_run.depth("train"), "train_scores": scores["train"]}


def of_card(tiny_run, card):
    return {
        "card": card / "card.parquet",
        "reliability": card / "reliability.parquet",
        "train": tiny_run.images("train"),
        "test": tiny_run.images("test"),
    }


def draw(tiny_run, scores, output, **changes):
    arguments = {
        "train_images": tiny_run.images("train"),
        "test_images": tiny_run.images("test"),
        "history": tiny_run.folder / "history.parquet",
        **of_run(tiny_run, scores),
        **of_train(tiny_run, scores),
        **changes,
    }
    arguments["test_scores"] = arguments.pop("scores")
    figures.run(**arguments, output=output, cfg=FIGURES_CFG)


def draw_ensemble(tiny_run, card, output):
    tables_of = of_card(tiny_run, card)
    ensemble_figures.run(
        card=tables_of["card"],
        reliability=tables_of["reliability"],
        train_images=tables_of["train"],
        test_images=tables_of["test"],
        convergence=[tiny_run.folder / "convergence.json"],
        output=output,
        cfg=FIGURES_CFG,
    )


def write_report(tiny_run, run, folder, *, weights=None, splits=("train", "test"), replicates=2):
    report.run(
        runs=[run],
        data=tiny_run.root / "data",
        claims=folder / "claims.csv",
        output=folder / "index.html",
        summary=folder / "summary.json",
        cfg={
            "figures": FIGURES_CFG,
            "study": {"datasets": ["shapes"], "splits": [*splits], "replicates": replicates},
            "models": {"resnet18": {"weights": weights}},
            "activations": {"probes": ["input", "layer?"]},
            "knn": {"n_neighbors": 30, "metric": "cosine"},
        },
    )


@pytest.fixture(scope="module")
def made(tiny_run, scores, card, run, tmp_path_factory):
    """A folder with figures, claims and report of the tiny run."""
    folder = tmp_path_factory.mktemp("reports")
    draw(tiny_run, scores, folder / RUN_FIGURES)
    draw_ensemble(tiny_run, card, folder / CARD_FIGURES)
    claims.run(runs=[run], train=True, output=folder / "claims.csv", cfg=CLAIMS_CFG)
    write_report(tiny_run, run, folder)
    return folder


def test_every_figure_is_written_twice_with_its_caption(made):
    for folder, drawn in ((RUN_FIGURES, ALL_FIGURES), (CARD_FIGURES, ENSEMBLE_FIGURES)):
        names = {path.name for path in (made / folder).iterdir()}
        assert names == {f"{n}.{k}" for n in drawn for k in ("svg", "png")} | {"captions.json"}
        captions = tables.read_json(made / folder / "captions.json")
        assert set(captions) == set(drawn)
        assert all(set(caption) == {"title", "sentence", "alt"} for caption in captions.values())


def test_figures_that_need_training_images_or_a_history_are_left_out_without(
    made, tiny_run, scores, run, tmp_path, monkeypatch
):
    def copy(_figure, path, *, dpi):  # the page asks for files; how they look is not asked here
        path.parent.mkdir(parents=True, exist_ok=True)
        for kind in ("svg", "png"):
            shutil.copy(made / RUN_FIGURES / f"{path.name}.{kind}", f"{path}.{kind}")

    monkeypatch.setattr(style, "save", copy)
    without = {"history": None, "train_depth": None, "train_scores": None}
    draw(tiny_run, scores, tmp_path / RUN_FIGURES, **without)
    drawn = set(tables.read_json(tmp_path / RUN_FIGURES / "captions.json"))
    assert drawn == set(run_figures(trained=False, train_studied=False))
    shutil.copy(made / "claims.csv", tmp_path)
    write_report(tiny_run, run, tmp_path, weights="mine.pt", splits=["test"], replicates=0)
    document = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "weights were given" in document and "training_curves" not in document
    assert json.loads((tmp_path / "summary.json").read_text())["ensembles"] == []


def test_depths_and_scores_of_training_images_go_together(tiny_run, scores, tmp_path):
    with pytest.raises(StudyError, match="give both or neither"):
        draw(tiny_run, scores, tmp_path, train_scores=None)


def test_unconverged_tiny_run_tests_no_claim(made):
    with (made / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    assert {(row["dataset"], row["model"]) for row in rows} == {("shapes", "resnet18")}
    assert {row["verdict"] for row in rows} == {
        "not testable here, because the network did not converge"
    }


def test_page_stands_alone_and_shows_every_figure(made):
    document = (made / "index.html").read_text(encoding="utf-8")
    assert check.external(document) == []
    for name in ALL_FIGURES:
        assert f'id="shapes-resnet18-seed1-{name}"' in document
    for name in (*ENSEMBLE_FIGURES, "hardest", "lookalikes"):
        assert f'id="shapes-resnet18-{"ensemble-" * (name in ENSEMBLE_FIGURES)}{name}"' in document
    for score in SCORES:
        assert f"<td>{score.name}</td>" in document


def test_page_ranks_the_hardest_images_of_all_networks(made, tiny_run, card):
    document = (made / "index.html").read_text(encoding="utf-8")
    table = document.split('id="shapes-resnet18-hardest"')[1].split("</table>")[0]
    shown = re.findall(r"</?td[^>]*><img[^>]*>((?:train|test) \d+)<", table)
    rows = tables.read(card / "card.parquet").to_pandas()
    order = np.lexsort((rows["consensus_consistency"], -rows["depth_held_out_mean"]))[:100]
    expected = [f"{split} {n}" for split, n in zip(rows["split"], rows["split_id"], strict=True)]
    assert shown == [expected[index] for index in order]


def test_summary_counts_what_the_table_of_depths_holds(made, tiny_run):
    depth = tables.read(tiny_run.depth("test"))["depth"].to_numpy()
    (found,) = json.loads((made / "summary.json").read_text(encoding="utf-8"))["runs"]
    counted = [row["n"] for row in found["depths"]]
    assert counted == np.bincount(depth, minlength=len(tiny_run.probe_names) + 1).tolist()
    assert found["mean_depth"] == pytest.approx(depth.mean(), rel=1e-5)


def test_headline_numbers_are_scalars(made, tiny_run):
    headline = json.loads((made / "summary.json").read_text(encoding="utf-8"))["headline"]
    right = {
        split: tables.read(tiny_run.predictions(split)).to_pandas().eval("prediction == label")
        for split in ("train", "test")
    }
    depth = tables.read(tiny_run.depth("test"))["depth"].to_numpy()
    assert headline["shapes"]["resnet18"]["seed1"] == pytest.approx(
        {
            "train_accuracy": right["train"].mean(),
            "test_accuracy": right["test"].mean(),
            "mean_depth": depth.mean(),
        },
        rel=1e-5,
    )


def test_run_is_known_by_its_folders(tiny_run):
    assert identify(tiny_run.depth("test")) == ("shapes", "resnet18", 1)
    with pytest.raises(StudyError, match="not in a folder"):
        identify("somewhere/test.parquet")


def test_scores_of_other_images_are_refused_by_name(tiny_run, scores):
    with pytest.raises(
        ArtifactError, match=r"train\.parquet: not about the examples of .*depth/test"
    ):
        read_run(**of_run(tiny_run, scores) | {"scores": scores["train"]})


def test_card_of_other_images_is_refused_by_name(tiny_run, card):
    with pytest.raises(ArtifactError, match=r"card\.parquet: not about the images of"):
        read_ensemble(**of_card(tiny_run, card) | {"train": tiny_run.images("test")})


def test_networks_that_did_not_converge_are_counted(tiny_run, tmp_path):
    known = tiny_run.folder / "convergence.json"
    good = tmp_path / "convergence.json"
    tables.write_json(good, tables.read_json(known) | {"converged": True})
    assert unconverged([good]) is None
    assert unconverged([good, known]) == "1 of 2 networks that were checked did not converge"


def test_depths_of_other_images_are_refused_by_name(tiny_run, scores, tmp_path):
    with pytest.raises(ArtifactError, match=r"depth/test\.parquet: not about the images of"):
        draw(tiny_run, scores, tmp_path / "figures", test_images=tiny_run.images("train"))
    assert list(tmp_path.rglob("*.svg")) == []


def test_probes_of_another_network_are_refused_by_name(tiny_run, scores, tmp_path):
    probes = tmp_path / "probes.parquet"
    table = tables.read(tiny_run.folder / "probes.parquet").slice(0, 4)
    with tables.writer(probes, table.schema, {}) as parquet:
        parquet.write_table(table)
    with pytest.raises(ArtifactError, match=r"has 11 probes where .*probes\.parquet has 4"):
        read_run(**of_run(tiny_run, scores) | {"probes": probes})


@pytest.mark.parametrize("name", ["depth/test.parquet", "probes.parquet", "convergence.json"])
def test_damaged_or_missing_table_is_named(tiny_run, scores, tmp_path, name):
    folder = tmp_path / "shapes/resnet18/seed1"
    paths = of_run(tiny_run, scores)
    for path in (paths["depth"], paths["probes"], paths["convergence"]):
        copy = folder / path.relative_to(tiny_run.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match=name):
        read_run(**of_run(tiny_run, scores, folder))
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: no such file"):
        read_run(**of_run(tiny_run, scores, folder))


def test_convergence_without_its_numbers_is_named(tiny_run, scores, tmp_path):
    path = tmp_path / "convergence.json"
    path.write_text('{"converged": true}')
    with pytest.raises(ArtifactError, match=r"convergence\.json: lacks train_accuracy"):
        read_run(**of_run(tiny_run, scores) | {"convergence": path})


def test_claims_about_no_run_are_refused(tmp_path):
    with pytest.raises(StudyError, match="no run"):
        claims.run(runs=[], train=False, output=tmp_path / "claims.csv", cfg=CLAIMS_CFG)


@pytest.mark.parametrize(
    ("folder", "said"),
    [("elsewhere/x", "not in a folder"), ("shapes/resnet81/seed1", "did you mean 'resnet18'?")],
)
def test_a_page_about_what_is_no_run_is_refused(made, tiny_run, tmp_path, folder, said):
    with pytest.raises(StudyError, match=re.escape(said)):
        write_report(tiny_run, tmp_path / folder, made)


def test_the_same_run_twice_is_refused(run, tmp_path):
    with pytest.raises(StudyError, match="seed1: seed 1 of this model is given twice"):
        claims.run(runs=[run, run], train=True, output=tmp_path / "claims.csv", cfg=CLAIMS_CFG)


def test_missing_figure_is_named_and_no_page_is_written(made, tiny_run, run, tmp_path):
    shutil.copytree(made / "figures", tmp_path / "figures")
    shutil.copy(made / "claims.csv", tmp_path)
    (tmp_path / CARD_FIGURES / "four_corners.png").unlink()
    with pytest.raises(ArtifactError, match=r"four_corners\.png: no such file"):
        write_report(tiny_run, run, tmp_path)
    (tmp_path / RUN_FIGURES / "captions.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"captions\.json: says nothing about sample_grid"):
        write_report(tiny_run, run, tmp_path)
    assert not (tmp_path / "index.html").exists() and not (tmp_path / "summary.json").exists()


def test_commands_write_the_same_bytes_as_the_stages_did(
    made, tiny_run, run, repository, depthlens, tmp_path
):
    values = yaml.safe_load((repository / "config.yaml").read_text(encoding="utf-8"))
    values["study"]["replicates"] = 2
    values["figures"] |= FIGURES_CFG
    values["chapters"]["difficulty"] |= CLAIMS_CFG
    shutil.copytree(made / "figures", tmp_path / "figures")
    commands = (
        ["claims", run, "--train", f"--output={tmp_path / 'claims.csv'}",
         f"--cfg={json.dumps(values['chapters']['difficulty'])}"],
        ["report", run, f"--data={tiny_run.root / 'data'}", f"--claims={tmp_path / 'claims.csv'}",
         f"--output={tmp_path / 'index.html'}", f"--summary={tmp_path / 'summary.json'}",
         f"--cfg={json.dumps(values)}"],
    )  # fmt: skip
    for command in commands:
        outcome = depthlens(*command)
        assert outcome.status == 0, outcome.err
    for name in ("claims.csv", "summary.json"):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()
