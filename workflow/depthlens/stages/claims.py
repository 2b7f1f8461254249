"""Test the claims of the chapter on every dataset and model of the study."""

from collections.abc import Sequence
from pathlib import Path

from depthlens import ledger
from depthlens.chapters.difficulty import claims
from depthlens.chapters.difficulty.tables import Run
from depthlens.errors import ArtifactError, StudyError
from depthlens.stages.runs import read_run, same_length


def run(
    *,
    depth: Sequence[Path],
    probes: Sequence[Path],
    convergence: Sequence[Path],
    output: Path,
    cfg: dict,
) -> None:
    """Write claims.csv: one row a claim, dataset and model, seeds pooled.

    Parameters
    ----------
    depth, probes, convergence : sequences of path
        One of each a run, in the same order, in results/{dataset}/{model}/seed{n}/.
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
    same_length(depth=depth, probes=probes, convergence=convergence)
    groups: dict[tuple[str, str], list[Run]] = {}
    for paths in zip(depth, probes, convergence, strict=True):
        found = read_run(**dict(zip(("depth", "probes", "convergence"), paths, strict=True)))
        runs = groups.setdefault((found.dataset, found.model), [])
        if any(found.seed == other.seed for other in runs):
            raise StudyError(f"{paths[0]}: seed {found.seed} of this model is given twice")
        runs.append(found)
    findings = []
    for runs in groups.values():
        try:
            findings += claims.evaluate(
                sorted(runs, key=lambda found: found.seed),
                confidence_level=cfg["confidence_level"],
                bootstrap_samples=cfg["bootstrap_samples"],
                bootstrap_seed=cfg["bootstrap_seed"],
            )
        except ValueError as error:
            raise ArtifactError(f"{error}; run them again") from None
    ledger.write(output, findings)
