"""Write the report: one page that opens without a network, and its numbers as JSON."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from depthlens import ledger, tables
from depthlens.chapters.contents import CHAPTERS
from depthlens.chapters.difficulty import contents, numbers, page
from depthlens.errors import ArtifactError, StudyError, closest
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
    identify,
    read_ensemble,
    read_images_of,
    read_runs,
    unconverged,
)

_TITLE = "Which images are hard for a network, and why"
_MADE_WITH = "How long it took, and on which machine"


def run(
    *, runs: Sequence[Path], data: Path, claims: Path, output: Path, summary: Path, cfg: Mapping
) -> None:
    """Write the page, the summary and, beside the page, machine.html.

    How long each step took is read from the `benchmarks` folders beside the runs and the images,
    as far as they exist. That and the machine stand in machine.html alone: the page and the
    summary are the same wherever they are made.

    Parameters
    ----------
    runs : sequence of path
        Folders results/{dataset}/{model}/seed{n}. If the study has replicates, the card of each
        dataset and model is beside them.
    data : path
        Folder of the datasets.
    claims : path
        claims.csv; beside it are the figures of the runs, figures/{dataset}/{model}/seed{n}/, and
        of the cards, figures/{dataset}/{model}/ensemble/.
    output, summary : path
        HTML and JSON.
    cfg : mapping
        The resolved configuration, to print it; `figures.confidence_level` is that of every
        interval; `activations.probes`, `knn.n_neighbors` and `knn.metric` say what a depth counts.

    Raises
    ------
    StudyError
        If there is no run, or a folder is none.
    ArtifactError
        If a file is missing, damaged, or does not belong to the others.
    """
    findings = ledger.read(claims)
    level = cfg["figures"]["confidence_level"]
    train_studied = "train" in cfg["study"]["splits"]
    cards = list(dict.fromkeys(run.parent for run in runs)) if cfg["study"]["replicates"] else []
    figures = claims.parent / "figures"
    trained, asked = [], []
    for folder in runs:
        dataset, model, seed = identify(folder / "probes.parquet")
        if model not in cfg["models"]:
            raise StudyError(f"{folder}: models has no {model!r}{closest(model, cfg['models'])}")
        trained.append(not cfg["models"][model].get("weights"))
        names = contents.run_figures(trained=trained[-1], train_studied=train_studied)
        asked.append((figures / dataset / model / f"seed{seed}/captions.json", names))
    asked += [
        (figures.joinpath(*card.parts[-2:], "ensemble/captions.json"), contents.ensemble_figures())
        for card in cards
    ]
    drawn_figures = pictures(asked)
    sections, found = [], []
    warned: dict[tuple[str, str], list[Path]] = {}
    benchmarks: dict[Path, str] = {}
    for index, (folder, of_run) in enumerate(read_runs(runs, train=train_studied)):
        images = data / of_run.dataset / "test.parquet"
        test = read_images_of(of_run, images, depth=folder / "depth/test.parquet")
        epochs = None
        if trained[index]:
            epochs = tables.read(folder / "history.parquet", ["epoch"]).to_pandas()
        things = contents.of_run(of_run, test=test, history=epochs, level=level)
        sections.append(page.run_section(things, drawn_figures[index]))
        found.append(numbers.of_run(things))
        convergence = folder / "convergence.json"
        warned.setdefault((of_run.dataset, of_run.model), []).append(convergence)
        benchmarks[images.parent / "benchmarks"] = of_run.dataset
        named = f"{of_run.dataset} · {of_run.model} · seed {of_run.seed}"
        benchmarks[folder / "benchmarks"] = named

    together, of_ensembles = [], []
    for card, drawn in zip(cards, drawn_figures[len(runs) :], strict=True):
        images = data / card.parent.name
        ensemble = read_ensemble(
            card=card / "card.parquet",
            reliability=card / "reliability.parquet",
            train=images / "train.parquet",
            test=images / "test.parquet",
        )
        warning = unconverged(warned.get((ensemble.dataset, ensemble.model), []))
        things = contents.of_ensemble(ensemble, level=level)
        together.append(page.ensemble_section(things, drawn, warning=warning))
        of_ensembles.append(numbers.of_ensemble(things))

    whole = Page(
        title=_TITLE,
        probes=joined(list(np.atleast_1d(cfg["activations"]["probes"]))),
        n_neighbors=cfg["knn"]["n_neighbors"],
        metric=cfg["knn"]["metric"],
        ensembles=together,
        runs=sections,
        scores=page.scores_table(),
        claims=claims_table(findings),
        chapters=CHAPTERS,
        config=yaml.safe_dump(dict(cfg), sort_keys=False, allow_unicode=True),
    )
    html = render(whole)
    made_with = [
        _durations(benchmarks),
        _pairs("table-versions", "Versions", ("package", "version"), machine.versions()),
        _pairs("table-hardware", "Machine", ("part", "what"), machine.hardware()),
    ]
    tables.write_json(
        summary,
        {
            "headline": numbers.headline(found),
            "runs": found,
            "ensembles": of_ensembles,
            "claims": [numbers.plain(dataclasses.asdict(finding)) for finding in findings],
        },
    )
    tables.write_text(output.with_name("machine.html"), render_machine(_MADE_WITH, made_with))
    tables.write_text(output, html)


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
