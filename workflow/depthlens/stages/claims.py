"""Test the claims of the chapter on every dataset and model of the study."""

from collections.abc import Sequence
from pathlib import Path

from depthlens import ledger
from depthlens.chapters.difficulty import contents
from depthlens.chapters.difficulty.run import Run
from depthlens.chapters.difficulty.runs import Runs
from depthlens.errors import ArtifactError, StudyError
from depthlens.stages.runs import read_runs


def run(*, runs: Sequence[Path], train: bool, output: Path, cfg: dict) -> None:
    """Write claims.csv: one row a claim, dataset and model, seeds pooled.

    Parameters
    ----------
    runs : sequence of path
        Folders results/{dataset}/{model}/seed{n}.
    train : bool
        Whether training images are studied too.
    output : path
        The table of claims; see `ledger.Finding` for its columns.
    cfg : dict
        Block `chapters.difficulty` of config.yaml: confidence_level, bootstrap_samples,
        bootstrap_seed.

    Raises
    ------
    StudyError
        If there is no run, or two are the same.
    ArtifactError
        If a table is missing, damaged, or does not belong to the others.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for folder, found in read_runs(runs, train=train):
        group = groups.setdefault((found.dataset, found.model), [])
        if any(found.seed == other.seed for other in group):
            raise StudyError(f"{folder}: seed {found.seed} of this model is given twice")
        group.append(found)
    findings = []
    for group in groups.values():
        try:
            pooled = Runs(
                runs=sorted(group, key=lambda found: found.seed),
                confidence_level=cfg["confidence_level"],
                bootstrap_samples=cfg["bootstrap_samples"],
                bootstrap_seed=cfg["bootstrap_seed"],
            )
        except ValueError as error:
            raise ArtifactError(f"{error}; run them again") from None
        findings += contents.findings(pooled)
    ledger.write(output, findings)
