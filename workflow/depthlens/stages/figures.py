"""Draw the figures of one run."""

from collections.abc import Iterable
from pathlib import Path

from depthlens import tables
from depthlens.chapters.difficulty import contents
from depthlens.errors import ArtifactError
from depthlens.figures import style
from depthlens.figures.style import Drawing
from depthlens.stages.runs import read_images_of, read_run

_HISTORY_COLUMNS = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")


def run(
    *,
    train_images: Path,
    test_images: Path,
    probes: Path,
    depth: Path,
    test_scores: Path,
    convergence: Path,
    output: Path,
    cfg: dict,
    history: Path | None = None,
    train_depth: Path | None = None,
    train_scores: Path | None = None,
) -> None:
    """Write every figure of the chapter as SVG and PNG, and what is to be said about them.

    Parameters
    ----------
    train_images, test_images : path
        Tables of images.
    probes, depth, test_scores, convergence : path
        Of one run, in results/{dataset}/{model}/seed{n}/; depth and scores are the test images'.
    output : path
        Folder for {name}.svg, {name}.png and captions.json, which gives title, sentence and
        alternative text of each.
    history : path, optional
        Table of epochs; none where the network came with weights.
    train_depth, train_scores : path, optional
        Of the training images, both where they are studied: more figures are drawn then.
    cfg : dict
        Block `figures` of config.yaml: gallery_images, confidence_level, dpi.

    Raises
    ------
    ArtifactError
        If a table is missing, damaged, or does not belong to the others.
    """
    results = read_run(
        depth=depth,
        probes=probes,
        convergence=convergence,
        scores=test_scores,
        train_depth=train_depth,
        train_scores=train_scores,
    )
    curves = tables.read(history, _HISTORY_COLUMNS).to_pandas() if history else None
    if curves is not None and curves.empty:
        raise ArtifactError(f"{history}: holds no epoch; delete it and run again")
    train = tables.read_images(train_images)
    if train.classes != results.classes:
        raise ArtifactError(f"{depth}: not about the classes of {train_images}; run it again")
    things = contents.of_run(
        results,
        train=train,
        test=read_images_of(results, test_images, depth=depth),
        history=curves,
        gallery_images=cfg["gallery_images"],
        level=cfg["confidence_level"],
    )
    write(contents.drawings(things, note=results.warning), Path(output), dpi=cfg["dpi"])


def write(drawings: Iterable[tuple[str, Drawing]], folder: Path, *, dpi: int) -> None:
    """Write figures as SVG and PNG, and captions.json with what is to be said about each."""
    captions = {}
    for name, drawing in drawings:
        style.save(drawing.figure, folder / name, dpi=dpi)
        captions[name] = {
            "title": drawing.title,
            "sentence": drawing.sentence,
            "alt": drawing.alt,
        }
    tables.write_json(folder / "captions.json", captions)
