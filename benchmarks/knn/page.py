"""The measured part of docs/performance.md: written between two comments, the prose stays."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click

from benchmarks.knn import machine
from benchmarks.knn.engines import FLOAT32, OURS
from benchmarks.knn.verdicts import Row, rows
from depthlens import tables

BEGIN, END = "<!-- knn benchmark: begin -->", "<!-- knn benchmark: end -->"
PICTURE = "images/knn_scaling.png"


def rewrite(page: Path, results: dict) -> None:
    """Replace what stands between the two comments of a page."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise click.ClickException(f"{page}: needs the lines {BEGIN} and {END}")
    tables.write_text(page, f"{before}{BEGIN}\n{text(results)}\n{END}{after}")


def text(results: dict) -> str:
    """Everything that was measured, as Markdown."""
    sections = [
        f"Machine: {machine.sentence(results['machine'])}",
        table(["work", "against", "promised", "measured", ""], map(_verdict, rows(results))),
    ]
    if "speed" in results:
        sections += ["Seconds of every repetition:", _repetitions(results["speed"])]
    if "study" in results:
        sections += [
            "All probes, both splits, from Parquet to votes:",
            _probes(results["study"]),
            "Where that time goes: " + _parts(results["study"]) + ".",
            "Inner products alone, in GFLOP/s:",
            _rates(results["study"]["rates"]),
        ]
    if "scaling" in results:
        sections += [f"![Time by references, queries and dims]({PICTURE})", _slopes(results)]
    return "\n\n".join(sections)


def table(head: list[str], body: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _verdict(row: Row) -> list[str]:
    verdict = f"**{row.verdict}**" + (f", {row.why}" if row.why else "")
    return [row.work, row.against, row.promise, row.measured, verdict]


def _repetitions(speed: list[dict]) -> str:
    engines = list(speed[0]["seconds"])
    body = [
        [f"{arrays['dims']:,}, {arrays['data']}"]
        + [
            ", ".join(f"{s:.2f}" for s in arrays["seconds"].get(name, [])) or "—"
            for name in engines
        ]
        for arrays in speed
    ]
    return table(["dims, data", *engines], body)


def _probes(study: dict) -> str:
    body = [
        [
            name,
            f"{probe['dims']:,}",
            f"{probe['seconds']:.1f}",
            f"{probe['seconds float32']:.1f}",
            f"{probe['seconds of float32 products']:.1f}",
            _proven(probe["proven"]),
            _exact(probe["exactness"]),
        ]
        for name, probe in study["probes"].items()
    ]
    head = ["probe", "dims", "s", "s in float32", "s of float32 products", "proven by"]
    return table([*head, f"same, ties, wrong of {2 * study['sample']:,} queries"], body)


def _proven(proven: dict) -> str:
    count = sum((Counter(of_split) for of_split in proven.values()), Counter())
    shares = {name: queries / count.total() for name, queries in count.items() if queries}
    return ", ".join(f"{name} {share:.2%}" for name, share in shares.items())


def _exact(exactness: dict) -> str:
    count = sum((Counter(of_split) for of_split in exactness.values()), Counter())
    return f"{count['same']}, {count['ties']}, {count['wrong']}"


def _parts(study: dict) -> str:
    seconds = sum((Counter(probe["parts"]) for probe in study["probes"].values()), Counter())
    total = seconds.total()
    return ", ".join(f"{part} {some / total:.0%}" for part, some in seconds.most_common())


def _rates(rates: dict) -> str:
    names = list(next(iter(rates.values())))
    body = [
        [f"{int(dims):,}", *(f"{of_width[name] / 1e9:.0f}" for name in names)]
        for dims, of_width in sorted(rates.items(), key=lambda item: int(item[0]))
    ]
    return table(["dims", *names], body)


def _slopes(results: dict) -> str:
    slopes = [
        f"{axis} {found['slopes'][OURS]:.2f} (float32 {found['slopes'][FLOAT32]:.2f})"
        for axis, found in results["scaling"].items()
    ]
    return "Slopes of the logarithms, least squares through all points: " + ", ".join(slopes) + "."
