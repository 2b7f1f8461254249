"""The study from images to report. `snakemake` makes all of it; see README.md for the targets."""

from snakemake.exceptions import WorkflowError

from depthlens.chapters import difficulty
from depthlens.errors import StudyError
from depthlens.study import RUN, Study, digest

# A --configfile replaces config.yaml; merged, the default study would run as well.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


try:
    study = Study(config, source=", ".join(map(str, workflow.configfiles)))
    PROBES = {model: study.probes(model) for model in study.config.study.models}
except StudyError as error:
    raise WorkflowError(str(error)) from None

REPORTS = study.config.study.reports
FIGURES = study.figures()


wildcard_constraints:
    dataset="[A-Za-z0-9_-]+",
    model="[A-Za-z0-9_-]+",
    seed="[0-9]+",
    split="train|test",
    probe="[0-9]+-[^/]+",


localrules:
    all,
    data,
    checkpoints,
    difficulty,
    figures,
    report,


rule all:
    """The whole study."""
    input:
        f"{REPORTS}/index.html",
        study.paths(*[f"depth/{split}.parquet" for split in study.config.study.splits]),


include: "rules/data.smk"
include: "rules/training.smk"
include: "rules/activations.smk"
include: "rules/knn.smk"
include: "rules/difficulty.smk"
include: "rules/report.smk"
include: "rules/smoke.smk"
