"""The command line: one command a stage, one line a fault.

`depthlens knn --references …` calls `run(references=…)` of `stages/knn.py`. What a command says of
itself stands here and not there: better words make nothing again, and help needs no torch.
"""

import errno
import functools
import json
import logging
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from depthlens.errors import StudyError
from depthlens.measuring.options import measure
from depthlens.provenance import checkout

_FILE = click.Path(path_type=Path)
_Option = Callable[[Callable], Callable]
_REFUSED = (
    errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.ENAMETOOLONG
)  # fmt: skip


def main() -> None:
    """Run a command; end with one clear line and a status when something is wrong."""
    signal.signal(signal.SIGTERM, _terminate)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    # Code of a reader that lies here may import what lies beside it while it runs.
    sys.path.append(str(Path.cwd()))
    try:
        checkout.check()
        cli(standalone_mode=False)
    except StudyError as error:
        _stop(str(error), 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _stop("interrupted; nothing half-written was kept", 130)
    except MemoryError:
        _stop("out of memory; lower knn.memory or a batch_size in config.yaml", 1)
    except Exception as error:
        from depthlens.provenance import user_code

        if told := user_code.fault(error):
            _stop(told, 1)
        if not isinstance(error, OSError) or error.errno not in _REFUSED:
            raise
        _stop(f"{error.filename or 'disk'}: {error.strerror}", 1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="depthlens")
def cli() -> None:
    """Which of my examples are hard, and why.

    The commands are the steps of the study; `snakemake` calls them in order.
    """


cli.add_command(measure)


def _stage(options: Callable) -> click.Command:
    """The command of the stage of this name, whose `run` takes what the options give.

    The function says options and help alone: a stage is imported when it runs, and torch with it.
    """

    @functools.wraps(options)
    def run(**arguments: Any) -> None:
        import_module(f"depthlens.stages.{options.__name__}").run(**arguments)

    return cli.command()(run)


def _json(name: str, text: str, *, check: Callable[[Any], dict] = lambda value: value) -> _Option:
    def parse(_context: click.Context, _parameter: click.Parameter, value: str) -> dict:
        try:
            return check(json.loads(value))
        except ValueError as error:
            raise click.BadParameter(f"not JSON ({error})") from None

    return click.option(name, required=True, callback=parse, metavar="JSON", help=text)


def _cfg(*blocks: str) -> _Option:
    """The option --cfg of a step that reads these blocks of config.yaml."""

    def check(values: Any) -> dict:
        from depthlens import config

        return config.check_blocks(blocks, values)

    text = f"What this step reads of config.yaml: {' and '.join(blocks)}."
    return _json("--cfg", text, check=check)


def _file(name: str, text: str, *, required: bool = True) -> _Option:
    return click.option(name, type=_FILE, required=required, help=text)


def _output(name: str, text: str, *, required: bool = True) -> _Option:
    """A file or folder that a command writes: that it can be is found before the work."""

    def check(
        _context: click.Context, _parameter: click.Parameter, path: Path | None
    ) -> Path | None:
        from depthlens import tables

        if path is not None:
            tables.check_writable(path)
        return path

    return click.option(name, type=_FILE, required=required, callback=check, help=text)


_split = click.option("--split", type=click.Choice(["train", "test"]), required=True)


@_stage
@_split
@_output("--output", "Table of images to write.")
@_cfg("dataset")
def generate() -> None:
    """Draw the shapes of one split."""


@_stage
@_output("--train-output", "Table of training images to write.")
@_output("--test-output", "Table of test images to write.")
@_cfg("dataset")
def import_images() -> None:
    """Bring a collection, a folder or a file of images into the study."""


@_stage
@_file("--train-images", "Training images of the dataset.")
@_file("--test-images", "Test images of the dataset.")
@click.option("--number", type=click.IntRange(min=1), required=True, help="Of the replicate.")
@_output("--train-output", "Table of the images to learn from to write.")
@_output("--test-output", "Table of the images held out to write.")
@_cfg("replicates")
def resample() -> None:
    """Divide all images of a dataset anew, for one replicate."""


@_stage
@_file("--train-images", "Images to learn from.")
@_file("--test-images", "Images to test on after each epoch.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    required=True,
    help="Of the weights and the order of examples.",
)
@_output("--checkpoint", "Weights to write.")
@_output("--history", "Table of epochs to write.")
@_output("--dynamics", "Table of epochs × training images to write.")
@_output("--dynamics-test", "Table of epochs × test images to write.")
@_output("--snapshots", "Weights after some of the epochs to write.")
@_output("--resume", "Where to keep the state of an unfinished training.")
@_cfg("training", "model")
def train() -> None:
    """Train one network."""


@_stage
@_file("--images", "Training images.")
@_file("--weights", "Weights that were trained elsewhere: safetensors or .pt.")
@_output("--checkpoint", "Weights to write.")
@_cfg("model")
def adopt() -> None:
    """Take over a network that was trained elsewhere."""


@_stage
@_file("--images", "Training images.")
@_file("--checkpoint", "Trained network.")
@_output("--output", "Table of probes to write.")
@_cfg("activations", "model")
def probes() -> None:
    """Describe the probes of a trained network."""


@_stage
@_file("--images", "Images of the split.")
@_file("--checkpoint", "Trained network.")
@_output("--output", "Folder for one table a probe.")
@_output("--predictions", "Table of the network's answers to write.")
@click.option("--expect", help="Names that the probes must have, as a JSON list.")
@_cfg("activations", "model")
def activations() -> None:
    """Record every probe of a network over one split."""


@_stage
@_file("--references", "Activations of the training set at one probe.")
@_file("--labels", "Predictions table of the training set, for its labels.")
@_file("--queries", "Activations of other examples at the same probe.", required=False)
@_output("--output", "Table of their k-NN classes to write.", required=False)
@_output("--leave-one-out", "Table to write for the references themselves.", required=False)
@_cfg("knn")
def knn() -> None:
    """Classify examples by the training activations of one probe."""


@_stage
@_file("--references", "Activations of the training set at one probe.")
@click.option("--shard", required=True, help="Piece of the references, such as 2-of-8.")
@_file("--queries", "Activations of other examples at the same probe.", required=False)
@_output("--output", "Table of their neighbours to write.", required=False)
@_output("--leave-one-out", "Table to write for the references themselves.", required=False)
@_cfg("knn")
def neighbours() -> None:
    """Find what one shard of the references has to offer."""


@_stage
@click.argument("neighbours", type=_FILE, nargs=-1, required=True)
@_file("--references", "Activations of the training set at the same probe.")
@_file("--labels", "Predictions table of the training set, for its labels.")
@_output("--output", "Table of k-NN classes to write.")
@_cfg("knn")
def votes() -> None:
    """Classify by the neighbours that several shards found."""


@_stage
@_file("--train-predictions", "Network's answers on the training set.")
@_file("--test-predictions", "Network's answers on the test set.")
@_output("--output", "JSON file to write.")
@_cfg("convergence")
def convergence() -> None:
    """Measure whether a network has learned enough."""


@_stage
@click.argument("knn", type=_FILE, nargs=-1, required=True)
@_file("--predictions", "Network's answers on the split.")
@_file("--convergence", "What the convergence check measured.")
@_output("--output", "Table of depths to write.")
def depth() -> None:
    """Prediction depth of a split from the k-NN classes of each probe, in forward order."""


@_stage
@_split
@_file("--predictions", "Network's answers on the split.")
@_file("--knn", "k-NN classes of the split at the feature probe.")
@_file("--features", "Activations of the split at the feature probe.")
@_file("--reference-features", "Activations of the training set at the feature probe.")
@_file("--labels", "Predictions table of the training set, for its labels.")
@_file("--dynamics", "Table of epochs × examples of the split.", required=False)
@_file("--snapshots", "States of the network along the way.", required=False)
@_file("--images", "Images of the split.")
@_file("--checkpoint", "Trained network.")
@_output("--output", "Table of scores to write.")
@_cfg("scores", "model")
def scores() -> None:
    """Compute every other score of a split."""


@_stage
@_file("--train-images", "Training images.")
@_file("--test-images", "Test images.")
@_file("--history", "Table of epochs, if the network was trained here.", required=False)
@_file("--probes", "Table of probes.")
@_file("--depth", "Depths of the test images.")
@_file("--train-depth", "Depths of the training images, if studied.", required=False)
@_file("--test-scores", "Scores of the test images.")
@_file("--train-scores", "Scores of the training images, if studied.", required=False)
@_file("--convergence", "What the convergence check measured.")
@_output("--output", "Folder for the figures and captions.json.")
@_cfg("figures")
def figures() -> None:
    """Draw every figure of one run."""


@_stage
@click.argument("outputs", type=_FILE, nargs=-1, required=True)
@click.option("--experiment", required=True, help="Module below depthlens.chapters.")
@_file("--data", "Folder of the datasets: {dataset}/{train,test}.parquet.")
@_json("--cell", "The values of the cell.")
@_json("--settings", "What all cells of the sweep have in common.")
def cell() -> None:
    """Make one cell of a sweep of experiments: OUTPUTS, each in the folder of its table."""


@_stage
@click.argument("cells", type=_FILE, nargs=-1)
@_output("--output", "Table of the sweep to write.")
def gather() -> None:
    """Put the CELLS of a sweep together in one table."""


@_stage
@click.argument("files", type=_FILE, nargs=-1)
@click.option("--chapter", required=True, help="Package below depthlens.chapters.")
@click.option("--section", required=True, help="Module of that package.")
@_output("--output", "Folder for the figures and captions.json.")
@_output("--claims", "Table of claims to write.")
@_output("--contents", "JSON of the tables of the page to write.")
@click.option("--confidence-level", type=float, required=True, help="Of every interval.")
@_cfg("figures")
def section() -> None:
    """Hold the claims of a section against the tables FILES, and draw its figures."""


@cli.command()
@click.argument("claims", type=_FILE, nargs=-1, required=True)
@click.option("--output", type=_FILE, help="Page to write, instead of printing.")
@click.option("--table", type=_FILE, help="CSV file of all claims to write beside the page.")
def ledger(claims: tuple[Path, ...], output: Path | None, table: Path | None) -> None:
    """Print tables of CLAIMS (claims.csv) as Markdown, or make one page and table of them."""
    if (output is None) != (table is None):
        raise click.UsageError("--output and --table go together")
    if output is not None and table is not None:
        from depthlens.stages import ledger as stage

        stage.run(claims=claims, output=output, table=table)
        return
    from depthlens import ledger
    from depthlens.report.ledger_table import as_markdown

    click.echo(as_markdown([found for path in claims for found in ledger.read(path)]), nl=False)


@_stage
@click.option("--chapter", required=True, help="Package below depthlens.chapters.")
@_file("--figures", "Folder of the figures of each section.")
@_file("--parts", "Folder of claims and tables of each section.")
@_output("--output", "Page to write.")
@_output("--claims", "Table of all claims to write.")
@_json("--block", "The block of the chapter, to be printed.")
def chapter() -> None:
    """Write the page of a chapter of experiments."""


@_stage
@click.argument("convergence", type=_FILE, nargs=-1)
@_file("--card", "Card: what all networks say of each image.")
@_file("--reliability", "Table of the reliability of each score.")
@_file("--train-images", "Training images.")
@_file("--test-images", "Test images.")
@_output("--output", "Folder for the figures and captions.json.")
@_cfg("figures")
def ensemble_figures() -> None:
    """Draw the figures of all networks of one dataset and model together.

    CONVERGENCE: what the convergence check measured, of each network that is here.
    """


@_stage
@click.argument("runs", type=_FILE, nargs=-1, required=True)
@click.option("--train/--no-train", help="Whether training images are studied too.")
@_output("--output", "Table of claims to write.")
@_cfg("chapters.difficulty")
def claims() -> None:
    """Hold the claims of the chapter against RUNS: folders results/{dataset}/{model}/seed{n}."""


@_stage
@click.argument("runs", type=_FILE, nargs=-1, required=True)
@_file("--data", "Folder of the datasets: {dataset}/test.parquet.")
@_file("--claims", "Table of claims; beside it figures/{dataset}/{model}/seed{n}/.")
@_output("--output", "Page to write.")
@_output("--summary", "JSON of the headline numbers to write.")
@_cfg("config")
def report() -> None:
    """Write the page about RUNS: folders results/{dataset}/{model}/seed{n}.

    If the study has replicates, it begins with what all networks of a dataset and model say.
    """


@_stage
@click.argument("runs", type=_FILE, nargs=-1, required=True)
@_file("--train-images", "Training images of the dataset.")
@_file("--test-images", "Test images of the dataset.")
@_output("--output", "Table of images to write.")
@_output("--reliability", "Table of scores to write.")
@_cfg("chapters.difficulty")
def card() -> None:
    """Gather what RUNS say of each image: results/{dataset}[/replicate{r}]/{model}/seed{n}."""


@_stage
@click.argument("card", type=_FILE)
@_output("--output", "Smaller file to write.")
@click.option("--bits", default=8, show_default=True, help="Significant bits of each number.")
def compact() -> None:
    """Write a small copy of a CARD, to be given away."""


_config = click.option(
    "--config",
    "path",
    type=_FILE,
    default=Path("config.yaml"),
    show_default=True,
    help="Configuration of the study.",
)


@cli.command()
@click.argument("targets", nargs=-1)
@_config
def why(targets: tuple[str, ...], path: Path) -> None:
    """Say in one line each why TARGETS (files or rules) would be made again; by default, all."""
    from depthlens.why import why

    for target in targets or ("all",):
        click.echo(why(target, path))


@cli.command()
@_config
@click.option(
    "--against",
    type=_FILE,
    help="Folder of the report of the same study, made elsewhere: compare with that.",
)
def verify(path: Path, against: Path | None) -> None:
    """Check every file of the study against its record, or against another machine's study."""
    from depthlens import config
    from depthlens.study import Study
    from depthlens.verify import compare
    from depthlens.verify import verify as check

    study = Study(config.load(path).model_dump(mode="json"), source=str(path))
    found = compare(study, against) if against else check(study)
    for difference in found.differences:
        click.echo(difference)
    for name in found.absent:
        click.echo(f"{name}: not here; it is made again when something needs it")
    said = "equal to the other study's" if against else "as recorded"
    click.echo(f"{found.checked} files are {said}, {len(found.differences)} differences")
    if found.differences:
        sys.exit(1)


@cli.command()
@click.argument("name", required=False)
@_config
def preset(name: str | None, path: Path) -> None:
    """Set config.yaml to the preset NAME; without one, say which there are."""
    from depthlens import preset

    if name is None:
        for known, about in preset.names().items():
            click.echo(f"{known}: {about}")
        return
    changed = preset.apply(name, path)
    for line in changed:
        click.echo(line)
    click.echo(f"{path}: {'set to' if changed else 'already'} {name}")


@cli.command()
@_output("--output", "JSON schema to write.")
def schema(output: Path) -> None:
    """Write the JSON schema of config.yaml."""
    from depthlens import config, tables

    tables.write_text(output, config.schema())


@cli.command()
@click.argument("path", type=_FILE, default=Path("config.yaml"))
def check(path: Path) -> None:
    """Check a configuration file."""
    from depthlens import config

    config.load(path)
    click.echo(f"{path}: valid")


def _stop(message: str, status: int) -> None:
    click.echo("\n".join(f"error: {line}" for line in message.splitlines()), err=True)
    sys.exit(status)


def _terminate(*_: object) -> None:
    """Leave as after an interrupt, so that temporary files are taken away."""
    raise KeyboardInterrupt
