"""Write the report: one page that opens without a network, and its numbers as JSON."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from depthlens import ledger, tables
from depthlens.chapters.contents import CHAPTERS
from depthlens.chapters.difficulty import contents, numbers, page
from depthlens.errors import ArtifactError
from depthlens.prose import count, joined, number
from depthlens.report import machine
from depthlens.report.page import (
    Cell,
    Page,
    Picture,
    Table,
    claims_table,
    figure_sources,
    render,
    render_machine,
)
from depthlens.stages.runs import (
    read_ensemble,
    read_images_of,
    read_runs,
    same_length,
    unconverged,
)

_TITLE = "Which images are hard for a network, and why"
_MADE_WITH = "How long it took, and on which machine"


class EnsemblePaths(NamedTuple):
    """What the report reads of all networks of one dataset and model."""

    figures: Path
    """captions.json in the folder of the figures"""
    card: Path
    reliability: Path
    train: Path
    """training images"""
    test: Path
    """test images"""


def run(
    *,
    figures: Sequence[Path],
    claims: Path,
    depth: Sequence[Path],
    probes: Sequence[Path],
    convergence: Sequence[Path],
    scores: Sequence[Path],
    history: Sequence[Path | None],
    images: Sequence[Path],
    output_html: Path,
    output_json: Path,
    config: Mapping,
    train_depth: Sequence[Path] = (),
    train_scores: Sequence[Path] = (),
    ensembles: Sequence[EnsemblePaths] = (),
) -> None:
    """Write the page, summary.json and, beside the page, machine.html.

    How long each step took is read from the `benchmarks` folders beside the runs and the images,
    as far as they exist. That and the machine stand in machine.html alone: the page and
    summary.json are the same wherever they are made.

    Parameters
    ----------
    figures, depth, probes, convergence, scores, history, images : sequences of path
        One of each a run, in the same order: captions.json in the folder of its figures, tables
        in results/{dataset}/{model}/seed{n}/ (depth and scores those of the test images), and the
        test images. A run whose network came with weights has None for its history.
    claims : path
        claims.csv.
    output_html, output_json : path
    config : mapping
        The resolved configuration; `figures.confidence_level` is that of every interval;
        `activations.probes`, `knn.n_neighbors` and `knn.metric` say what a depth counts.
    train_depth, train_scores : sequences of path
        Tables of the training images of each run; none where they are not studied.
    ensembles : sequence of EnsemblePaths
        One for each dataset and model that has replicates.

    Raises
    ------
    StudyError
        If the lists differ in length or are empty.
    ArtifactError
        If a file is missing, damaged, or does not belong to the others.
    """
    same_length(figures=figures, depth=depth, history=history, images=images)
    findings = ledger.read(claims)
    level = config["figures"]["confidence_level"]
    asked = [
        (path, contents.run_figures(trained=epochs is not None, train_studied=bool(train_depth)))
        for path, epochs in zip(figures, history, strict=True)
    ]
    asked += [(ensemble.figures, contents.ensemble_figures()) for ensemble in ensembles]
    drawn_figures = pictures(asked)
    sections, found = [], []
    warned: dict[tuple[str, str], list[Path]] = {}
    benchmarks: dict[Path, str] = {}
    runs = read_runs(
        depth=depth,
        probes=probes,
        convergence=convergence,
        scores=scores,
        train_depth=train_depth,
        train_scores=train_scores,
    )
    for index, (paths, of_run) in enumerate(runs):
        test = read_images_of(of_run, images[index], depth=paths["depth"])
        curves = history[index]
        epochs = tables.read(curves, ["epoch"]).to_pandas() if curves else None
        things = contents.of_run(of_run, test=test, history=epochs, level=level)
        sections.append(page.run_section(things, drawn_figures[index]))
        found.append(numbers.of_run(things))
        warned.setdefault((of_run.dataset, of_run.model), []).append(paths["convergence"])
        benchmarks[Path(images[index]).parent / "benchmarks"] = of_run.dataset
        folder = Path(paths["probes"]).parent / "benchmarks"
        benchmarks[folder] = f"{of_run.dataset} · {of_run.model} · seed {of_run.seed}"

    together, of_ensembles = [], []
    for paths, drawn in zip(ensembles, drawn_figures[len(figures) :], strict=True):
        ensemble = read_ensemble(
            card=paths.card, reliability=paths.reliability, train=paths.train, test=paths.test
        )
        warning = unconverged(warned.get((ensemble.dataset, ensemble.model), []))
        things = contents.of_ensemble(ensemble, level=level)
        together.append(page.ensemble_section(things, drawn, warning=warning))
        of_ensembles.append(numbers.of_ensemble(things))

    whole = Page(
        title=_TITLE,
        probes=joined(list(np.atleast_1d(config["activations"]["probes"]))),
        n_neighbors=config["knn"]["n_neighbors"],
        metric=config["knn"]["metric"],
        ensembles=together,
        runs=sections,
        scores=page.scores_table(),
        claims=claims_table(findings),
        chapters=CHAPTERS,
        config=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
    )
    html = render(whole)
    made_with = [
        _durations(benchmarks),
        _pairs("table-versions", "Versions", ("package", "version"), machine.versions()),
        _pairs("table-hardware", "Machine", ("part", "what"), machine.hardware()),
    ]
    tables.write_json(
        output_json,
        {
            "headline": numbers.headline(found),
            "runs": found,
            "ensembles": of_ensembles,
            "claims": [numbers.plain(dataclasses.asdict(finding)) for finding in findings],
        },
    )
    tables.write_text(output_html.with_name("machine.html"), render_machine(_MADE_WITH, made_with))
    tables.write_text(output_html, html)


def pictures(asked: Sequence[tuple[Path, Sequence[str]]]) -> list[list[Picture]]:
    """The figures that lie beside each captions.json, in the order of their names."""
    captions, stems = [], []
    for path, names in asked:
        captions.append(tables.read_json(path))
        if missing := [name for name in names if name not in captions[-1]]:
            raise ArtifactError(
                f"{path}: says nothing about {', '.join(missing)}; delete it and run again"
            )
        stems += [Path(path).parent / name for name in names]
    try:
        sources = iter(figure_sources(stems))
    except FileNotFoundError as error:
        raise ArtifactError(f"{error.filename}: no such file; run the rule that makes it") from None
    return [
        [
            Picture(
                name=name,
                title=caption[name]["title"],
                sentence=caption[name]["sentence"],
                alt=caption[name]["alt"],
                source=next(sources),
            )
            for name in names
        ]
        for (_, names), caption in zip(asked, captions, strict=True)
    ]


def _durations(benchmarks: Mapping[Path, str]) -> Table:
    # Steps of a run that were not measured are listed with a dash; a dataset has but one step.
    folders = list(benchmarks.items())
    of_runs = dict(pair for pair in folders if " · " in pair[1])
    of_data = dict(pair for pair in folders if " · " not in pair[1])
    data = machine.durations(of_data)
    found = [dataclasses.replace(item, step=f"images, {item.step}") for item in data]
    found += machine.durations(of_runs, expected=machine.STEPS)
    return Table(
        id="table-durations",
        caption="How long each step took",
        columns=["of", "step", "jobs", "seconds", "peak memory, MiB"],
        rows=[
            [
                Cell(item.of),
                Cell(item.step),
                Cell(count(item.jobs) if item.jobs else "—", item.jobs),
                Cell(number(item.seconds, 1), item.seconds),
                Cell(number(item.peak_mib, 0), item.peak_mib),
            ]
            for item in found
        ],
    )


def _pairs(id: str, caption: str, columns: tuple[str, str], pairs: Mapping[str, str]) -> Table:
    rows = [[Cell(name), Cell(value)] for name, value in pairs.items()]
    return Table(id=id, caption=caption, columns=list(columns), rows=rows)
