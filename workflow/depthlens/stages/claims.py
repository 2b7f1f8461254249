"""Test the claims of the chapter on every dataset and model of the study."""

from collections.abc import Sequence
from pathlib import Path

from depthlens import ledger
from depthlens.chapters.difficulty import contents
from depthlens.chapters.difficulty.run import Run
from depthlens.chapters.difficulty.runs import Runs
from depthlens.errors import ArtifactError, StudyError
from depthlens.stages.runs import read_runs


def run(
    *,
    depth: Sequence[Path],
    probes: Sequence[Path],
    convergence: Sequence[Path],
    scores: Sequence[Path],
    output: Path,
    cfg: dict,
    train_depth: Sequence[Path] = (),
    train_scores: Sequence[Path] = (),
) -> None:
    """Write claims.csv: one row a claim, dataset and model, seeds pooled.

    Parameters
    ----------
    depth, probes, convergence, scores : sequences of path
        One of each a run, in the same order, in results/{dataset}/{model}/seed{n}/; depth and
        scores are the test images'.
    train_depth, train_scores : sequences of path
        Likewise, of the training images; none where they are not studied.
    output : path
        The table of claims; see `ledger.Finding` for its columns.
    cfg : dict
        Block `chapters.difficulty` of config.yaml: confidence_level, bootstrap_samples,
        bootstrap_seed.

    Raises
    ------
    StudyError
        If the lists differ in length or are empty, or two runs are the same.
    ArtifactError
        If a table is missing, damaged, or does not belong to the others.
    """
    groups: dict[tuple[str, str], list[Run]] = {}
    for paths, found in read_runs(
        depth=depth,
        probes=probes,
        convergence=convergence,
        scores=scores,
        train_depth=train_depth,
        train_scores=train_scores,
    ):
        runs = groups.setdefault((found.dataset, found.model), [])
        if any(found.seed == other.seed for other in runs):
            raise StudyError(f"{paths['depth']}: seed {found.seed} of this model is given twice")
        runs.append(found)
    findings = []
    for runs in groups.values():
        try:
            pooled = Runs(
                runs=sorted(runs, key=lambda found: found.seed),
                confidence_level=cfg["confidence_level"],
                bootstrap_samples=cfg["bootstrap_samples"],
                bootstrap_seed=cfg["bootstrap_seed"],
            )
        except ValueError as error:
            raise ArtifactError(f"{error}; run them again") from None
        findings += contents.findings(pooled)
    ledger.write(output, findings)
