"""docs/scores.md says what the catalogue says, and its example works."""

import re

import pytest

from depthlens.scores import catalogue
from depthlens.stages import card


@pytest.fixture(scope="module")
def page(repository) -> str:
    return (repository / "docs/scores.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("block", "scores"),
    [("scores", catalogue.DIFFICULTY), ("ensemble", catalogue.ENSEMBLE)],
)
def test_its_tables_are_those_of_the_catalogue(page, block, scores):
    (found,) = re.findall(rf"<!-- {block}: generated from \S+ -->\n(.*?)<!-- end -->", page, re.S)
    assert found == catalogue.as_markdown(scores), "put the table on the right into the page"


def test_its_example_finds_images_whose_label_is_doubted(
    page, tiny_run, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "results/shapes/resnet18"
    card.run(
        runs=[tiny_run.folder],
        train_images=tiny_run.images("train"),
        test_images=tiny_run.images("test"),
        output=folder / "card.parquet",
        reliability=folder / "reliability.parquet",
        cfg={"confidence_level": 0.9, "bootstrap_samples": 100, "bootstrap_seed": 0},
    )
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    scope: dict = {}
    exec(code, scope)
    doubted = scope["doubted"]
    assert len(doubted) and (doubted["consensus"] != doubted["label"]).all()
    assert (doubted["n_held_out"] == 1).all()
    assert "consensus_consistency" in capsys.readouterr().out


def test_it_names_every_column_of_the_card(page):
    for name in ("example_id", "n_train", "label_consistency", "depth_held_out_std"):
        assert f"`{name}`" in page
