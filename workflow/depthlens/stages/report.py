"""Write the report: one page that opens without a network, and its numbers as JSON."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from depthlens import ledger, tables
from depthlens.chapters.difficulty import FIGURES
from depthlens.chapters.difficulty.section import section
from depthlens.chapters.difficulty.summary import numbers, plain
from depthlens.errors import ArtifactError
from depthlens.prose import count, number
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
from depthlens.stages.runs import read_images_of, read_run, same_length

_TITLE = "Which images are hard for a network, and why"
_MADE_WITH = "How long it took, and on which machine"


def run(
    *,
    figures: Sequence[Path],
    claims: Path,
    depth: Sequence[Path],
    probes: Sequence[Path],
    convergence: Sequence[Path],
    history: Sequence[Path],
    images: Sequence[Path],
    output_html: Path,
    output_json: Path,
    config: Mapping,
) -> None:
    """Write the page, summary.json and, beside the page, machine.html.

    How long each step took is read from the `benchmarks` folders beside the runs and the images,
    as far as they exist. That and the machine stand in machine.html alone: the page and
    summary.json are the same wherever they are made.

    Parameters
    ----------
    figures, depth, probes, convergence, history, images : sequences of path
        One of each a run, in the same order: captions.json in the folder of its figures, tables
        in results/{dataset}/{model}/seed{n}/, and the test images.
    claims : path
        claims.csv.
    output_html, output_json : path
    config : mapping
        The resolved configuration; `figures.confidence_level` is that of every interval.

    Raises
    ------
    StudyError
        If the lists differ in length or are empty.
    ArtifactError
        If a file is missing, damaged, or does not belong to the others.
    """
    lists = {
        "figures": figures,
        "depth": depth,
        "probes": probes,
        "convergence": convergence,
        "history": history,
        "images": images,
    }
    same_length(**lists)
    findings = ledger.read(claims)
    level = {"confidence_level": config["figures"]["confidence_level"]}
    pictures = _pictures(figures)
    sections, found = [], []
    benchmarks: dict[Path, str] = {}
    for index, paths in enumerate(zip(depth, probes, convergence, strict=True)):
        of_run = read_run(depth=paths[0], probes=paths[1], convergence=paths[2])
        test = read_images_of(of_run, images[index], depth=paths[0])
        epochs = tables.read(history[index], ["epoch"]).to_pandas()
        sections.append(section(of_run, test, epochs, pictures[index], **level))
        found.append(numbers(of_run, test.factors, **level))
        benchmarks[Path(images[index]).parent / "benchmarks"] = of_run.dataset
        folder = Path(paths[1]).parent / "benchmarks"
        benchmarks[folder] = f"{of_run.dataset} · {of_run.model} · seed {of_run.seed}"

    page = Page(
        title=_TITLE,
        runs=sections,
        claims=claims_table(findings),
        config=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
    )
    html = render(page)
    made_with = [
        _durations(benchmarks),
        _pairs("table-versions", "Versions", ("package", "version"), machine.versions()),
        _pairs("table-hardware", "Machine", ("part", "what"), machine.hardware()),
    ]
    tables.write_json(
        output_json,
        {
            "runs": found,
            "claims": [
                {name: plain(value) for name, value in dataclasses.asdict(finding).items()}
                for finding in findings
            ],
        },
    )
    tables.write_text(output_html.with_name("machine.html"), render_machine(_MADE_WITH, made_with))
    tables.write_text(output_html, html)


def _pictures(figures: Sequence[Path]) -> list[list[Picture]]:
    captions = [tables.read_json(path) for path in figures]
    stems = []
    for path, caption in zip(figures, captions, strict=True):
        if missing := [name for name in FIGURES if name not in caption]:
            raise ArtifactError(
                f"{path}: says nothing about {', '.join(missing)}; delete it and run again"
            )
        stems += [Path(path).parent / name for name in FIGURES]
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
            for name in FIGURES
        ]
        for caption in captions
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
