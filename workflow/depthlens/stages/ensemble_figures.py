"""Draw the figures of all networks of one dataset and model together."""

from collections.abc import Sequence
from pathlib import Path

from depthlens.chapters.difficulty import contents
from depthlens.stages.figures import write
from depthlens.stages.runs import read_ensemble, unconverged


def run(
    *,
    card: Path,
    reliability: Path,
    train_images: Path,
    test_images: Path,
    convergence: Sequence[Path],
    output: Path,
    cfg: dict,
) -> None:
    """Write every figure of them as SVG and PNG, and what is to be said about them.

    Parameters
    ----------
    card, reliability : path
        Tables in results/{dataset}/{model}/.
    train_images, test_images : path
        Tables of the images that the card is about.
    convergence : sequence of path
        convergence.json of the networks that are known: where one did not converge, every figure
        says so.
    output : path
        Folder for {name}.svg, {name}.png and captions.json.
    cfg : dict
        Block `figures` of config.yaml: confidence_level, dpi.

    Raises
    ------
    ArtifactError
        If a table is missing, damaged, or does not belong to the others.
    """
    ensemble = read_ensemble(
        card=card, reliability=reliability, train=train_images, test=test_images
    )
    things = contents.of_ensemble(ensemble, level=cfg["confidence_level"])
    drawn = contents.drawings(things, note=unconverged(convergence))
    write(drawn, Path(output), dpi=cfg["dpi"])
