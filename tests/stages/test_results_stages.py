"""From the tables of one real tiny run to figures, claims and the page."""

import csv
import json
import shutil

import numpy as np
import pytest

from depthlens import tables
from depthlens.chapters.difficulty import FIGURES
from depthlens.errors import ArtifactError, StudyError
from depthlens.report import check
from depthlens.stages import claims, figures, report
from depthlens.stages.runs import identify, read_run

FIGURES_CFG = {"gallery_images": 8, "confidence_level": 0.95, "dpi": 50}
CLAIMS_CFG = {"confidence_level": 0.95, "bootstrap_samples": 20, "bootstrap_seed": 0}


def of_run(tiny_run, folder=None):
    folder = folder or tiny_run.folder
    return {
        "depth": folder / "depth/test.parquet",
        "probes": folder / "probes.parquet",
        "convergence": folder / "convergence.json",
    }


def draw(tiny_run, output, **changes):
    arguments = {
        "train_images": tiny_run.images("train"),
        "test_images": tiny_run.images("test"),
        "history": tiny_run.folder / "history.parquet",
        **of_run(tiny_run),
        **changes,
    }
    figures.run(**arguments, output=output, cfg=FIGURES_CFG)


def write_claims(tiny_run, output, runs=1):
    lists = {name: [path] * runs for name, path in of_run(tiny_run).items()}
    claims.run(**lists, output=output, cfg=CLAIMS_CFG)


def write_report(tiny_run, folder, **changes):
    arguments = {
        "figures": [folder / "figures/captions.json"],
        "claims": folder / "claims.csv",
        **{name: [path] for name, path in of_run(tiny_run).items()},
        "history": [tiny_run.folder / "history.parquet"],
        "images": [tiny_run.images("test")],
        **changes,
    }
    report.run(
        **arguments,
        output_html=folder / "index.html",
        output_json=folder / "summary.json",
        config={"figures": FIGURES_CFG, "study": {"datasets": ["shapes"]}},
    )


@pytest.fixture(scope="module")
def made(tiny_run, tmp_path_factory):
    """A folder with figures, claims and report of the tiny run."""
    folder = tmp_path_factory.mktemp("reports")
    draw(tiny_run, folder / "figures")
    write_claims(tiny_run, folder / "claims.csv")
    write_report(tiny_run, folder)
    return folder


def test_every_figure_is_written_twice_with_its_caption(made):
    names = {path.name for path in (made / "figures").iterdir()}
    assert names == {f"{n}.{k}" for n in FIGURES for k in ("svg", "png")} | {"captions.json"}
    captions = tables.read_json(made / "figures/captions.json")
    assert set(captions) == set(FIGURES)
    assert all(set(caption) == {"title", "sentence", "alt"} for caption in captions.values())


def test_unconverged_tiny_run_tests_no_claim(made):
    with (made / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {(row["dataset"], row["model"]) for row in rows} == {("shapes", "resnet18")}
    assert {row["verdict"] for row in rows} == {
        "not testable here, because the network did not converge"
    }


def test_page_stands_alone_and_shows_every_figure(made):
    document = (made / "index.html").read_text(encoding="utf-8")
    assert check.external(document) == []
    for name in FIGURES:
        assert f'id="shapes-resnet18-seed1-{name}"' in document


def test_summary_counts_what_the_table_of_depths_holds(made, tiny_run):
    depth = tables.read(tiny_run.depth("test"))["depth"].to_numpy()
    (found,) = json.loads((made / "summary.json").read_text(encoding="utf-8"))["runs"]
    counted = [row["n"] for row in found["depths"]]
    assert counted == np.bincount(depth, minlength=len(tiny_run.probe_names) + 1).tolist()
    assert found["mean_depth"] == pytest.approx(depth.mean(), rel=1e-5)


def test_the_same_tables_give_the_same_bytes(made, tiny_run, tmp_path):
    draw(tiny_run, tmp_path / "figures")
    write_claims(tiny_run, tmp_path / "claims.csv")
    write_report(tiny_run, tmp_path)
    for path in [*(made / "figures").iterdir(), made / "claims.csv", made / "summary.json"]:
        assert path.read_bytes() == (tmp_path / path.relative_to(made)).read_bytes(), path.name


def test_run_is_known_by_its_folders(tiny_run):
    assert identify(tiny_run.depth("test")) == ("shapes", "resnet18", 1)
    with pytest.raises(StudyError, match="not in a folder"):
        identify("somewhere/test.parquet")


def test_depths_of_other_images_are_refused_by_name(tiny_run, tmp_path):
    with pytest.raises(ArtifactError, match=r"depth/test\.parquet: not about the images of"):
        draw(tiny_run, tmp_path / "figures", test_images=tiny_run.images("train"))
    assert list(tmp_path.rglob("*.svg")) == []


def test_probes_of_another_network_are_refused_by_name(tiny_run, tmp_path):
    probes = tmp_path / "probes.parquet"
    table = tables.read(tiny_run.folder / "probes.parquet").slice(0, 4)
    with tables.writer(probes, table.schema, {}) as parquet:
        parquet.write_table(table)
    with pytest.raises(ArtifactError, match=r"has 11 probes where .*probes\.parquet has 4"):
        read_run(**of_run(tiny_run) | {"probes": probes})


@pytest.mark.parametrize("name", ["depth/test.parquet", "probes.parquet", "convergence.json"])
def test_damaged_or_missing_table_is_named(tiny_run, tmp_path, name):
    folder = tmp_path / "shapes/resnet18/seed1"
    for path in of_run(tiny_run).values():
        copy = folder / path.relative_to(tiny_run.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match=name):
        read_run(**of_run(tiny_run, folder))
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: no such file"):
        read_run(**of_run(tiny_run, folder))


def test_convergence_without_its_numbers_is_named(tiny_run, tmp_path):
    path = tmp_path / "convergence.json"
    path.write_text('{"converged": true}')
    with pytest.raises(ArtifactError, match=r"convergence\.json: lacks train_accuracy"):
        read_run(**of_run(tiny_run) | {"convergence": path})


def test_lists_of_unequal_length_are_refused(tiny_run, tmp_path):
    lists = {name: [path] for name, path in of_run(tiny_run).items()}
    with pytest.raises(StudyError, match="1 of depth, 2 of probes"):
        claims.run(
            **lists | {"probes": lists["probes"] * 2}, output=tmp_path / "c.csv", cfg=CLAIMS_CFG
        )
    with pytest.raises(StudyError, match="no run"):
        claims.run(depth=[], probes=[], convergence=[], output=tmp_path / "c.csv", cfg=CLAIMS_CFG)


def test_the_same_run_twice_is_refused(tiny_run, tmp_path):
    with pytest.raises(StudyError, match="twice"):
        write_claims(tiny_run, tmp_path / "claims.csv", runs=2)


def test_missing_figure_is_named_and_no_page_is_written(made, tiny_run, tmp_path):
    shutil.copytree(made / "figures", tmp_path / "figures")
    shutil.copy(made / "claims.csv", tmp_path)
    (tmp_path / "figures/depth_histogram.png").unlink()
    with pytest.raises(ArtifactError, match=r"depth_histogram\.png: no such file"):
        write_report(tiny_run, tmp_path)
    (tmp_path / "figures/captions.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"captions\.json: says nothing about sample_grid"):
        write_report(tiny_run, tmp_path)
    assert not (tmp_path / "index.html").exists() and not (tmp_path / "summary.json").exists()
