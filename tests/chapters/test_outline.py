"""What the workflow keeps of a chapter is what the chapter says."""

from depthlens import tables
from depthlens.chapters.outline import Outline, OutlinedSection
from depthlens.sweep import Sweep, grid


def test_cells_have_the_names_of_their_sweep_when_they_are_read_again(tmp_path):
    cells = grid(dataset=["shapes"], share=[0.5, 1.0], seed=[1, 2])
    sweep = Sweep(name="sizes", experiment="coins.toss", cells=cells, settings={"b": 1, "a": 2})
    section = OutlinedSection("settling", "How fast", ("sizes",), ("settling",))
    outline = Outline("coins", "Coins", [section], [sweep])
    tables.write_json(tmp_path / "outline.json", outline.as_json())
    (found,) = Outline.from_json(tables.read_json(tmp_path / "outline.json")).sweeps
    assert [*found.by_name()] == [*sweep.by_name()]
    assert next(iter(found.by_name())) == "dataset-shapes_share-0.5_seed-1"
    assert found.by_name() == sweep.by_name() and found.settings == sweep.settings
