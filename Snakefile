"""The study from images to report. `snakemake` makes all of it; see README.md for the targets."""

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from depthlens import plain_yaml
from depthlens.errors import StudyError
from depthlens.provenance import checkout, journal
from depthlens.study import RUN, Study, drawn

# A --configfile replaces config.yaml; merged, the default study would run as well. Not `configfile:`,
# by which a key may stand twice, `no` is false and the numbers of --config are texts.
if not workflow.configfiles:
    workflow.configfiles.append("config.yaml")
given = workflow.config_settings.config
named = [*workflow.configfiles, "--config"] if given else workflow.configfiles

try:
    checkout.expect(workflow.basedir)
    config = plain_yaml.read(workflow.configfiles, given)
    study = Study(config, source=", ".join(map(str, named)))
    PROBES = {model: study.probes(model) for model in study.config.study.models}
    FEATURES = {
        model: study.feature_probe(model) for model in study.config.study.models
    }
except StudyError as error:
    raise WorkflowError(str(error)) from None

REPORTS = study.config.study.reports
FIGURES = study.figures()


wildcard_constraints:
    dataset="[A-Za-z0-9_-]+(/replicate[0-9]+)?",
    model="[A-Za-z0-9_-]+",
    seed="[0-9]+",
    split="train|test",
    probe="[0-9]+-[^/]+",
    number="[1-9][0-9]*",


localrules:
    all,
    data,
    checkpoints,
    difficulty,
    scores,
    replicates,
    figures,
    report,


rule all:
    """The whole study."""
    input:
        study.targets,


include: "rules/data.smk"
include: "rules/training.smk"
include: "rules/activations.smk"
include: "rules/knn.smk"
include: "rules/difficulty.smk"
include: "rules/scores.smk"
include: "rules/report.smk"
include: "rules/chapters.smk"
include: "rules/smoke.smk"


# Last: by now every rule has said which code it runs. Jobs that Snakemake starts elsewhere read
# this file as well, and leave the journal to it.
MAIN = workflow.is_main_process
ALONE = MAIN and journal.begin()
if ALONE:
    try:
        for sentence in study.settle():
            logger.warning(sentence)
    except StudyError as error:
        raise WorkflowError(str(error)) from None


onstart:
    if MAIN and not ALONE:
        raise WorkflowError(
            "another snakemake works in this folder; wait for it, or work in another "
            "with --directory"
        )
    if MAIN and workflow.touch:
        raise WorkflowError(
            "--touch says that jobs have run which did not, and dates count for nothing here; "
            "snakemake -n shows what has to be made again, depthlens why says why"
        )


onsuccess:
    study.settle()


onerror:
    study.settle()
