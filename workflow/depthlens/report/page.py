"""The page: what it holds, and how that becomes one HTML file without any link to the outside.

Pages are built from a few plain parts (cards, tables, figures, thumbnails) that any chapter can
fill. Whatever text comes from a study is escaped by the templates.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from depthlens.ledger import NOT_SUPPORTED, SUPPORTED, Finding
from depthlens.prose import count, joined, number

MOST_THUMBNAIL_PIXELS = 96
"""longer side of a small image: larger ones are made smaller, which a table of them needs"""

MOST_VECTOR_BYTES = 5_000_000
"""figures are embedded as SVG up to this in all, beyond it as whichever file is smaller"""

_MOST_ROWS = 25


@dataclass(frozen=True)
class Cell:
    """What a table shows in one place, and what it is sorted by."""

    text: str
    sort: float | str | None = None
    """a number or text; None: the text itself"""
    kind: str = ""
    """a class of the style sheet, such as a verdict"""
    image: str = ""
    """a data URI of a small image before the text"""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that a reader can sort by any column."""

    id: str
    caption: str
    columns: list[str]
    rows: list[list[Cell]]
    numeric: list[bool] = field(init=False)

    @property
    def tall(self) -> bool:
        """Whether it has so many rows that it scrolls in a frame of its own."""
        return len(self.rows) > _MOST_ROWS

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.id}: a row is not as long as the header")
        columns = zip(*self.rows, strict=True) if self.rows else [[] for _ in self.columns]
        numeric = [all(isinstance(cell.sort, int | float) for cell in column) for column in columns]
        object.__setattr__(self, "numeric", numeric)


@dataclass(frozen=True)
class Card:
    """A headline number."""

    label: str
    value: str
    hint: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure, with what is to be said about it."""

    name: str
    title: str
    sentence: str
    alt: str
    source: str
    """a data URI"""


@dataclass(frozen=True)
class Thumbnail:
    """A small image with lines below it."""

    source: str
    title: str
    lines: list[str]


@dataclass(frozen=True)
class Gallery:
    """Small images that have something in common."""

    title: str
    thumbnails: list[Thumbnail]


@dataclass(frozen=True, kw_only=True)
class RunSection:
    """Everything about one run."""

    id: str
    dataset: str
    model: str
    seed: int
    warning: str | None
    cards: list[Card]
    explanation: list[str]
    hardest: list[Thumbnail]
    easiest: list[Thumbnail]
    pictures: list[Picture]
    tables: list[Table]


@dataclass(frozen=True, kw_only=True)
class EnsembleSection:
    """Everything about all networks of one dataset and model together."""

    id: str
    title: str
    warning: str | None
    cards: list[Card]
    explanation: list[str]
    pictures: list[Picture]
    tables: list[Table]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole report."""

    title: str
    probes: str
    n_neighbors: int
    metric: str
    ensembles: list[EnsembleSection]
    runs: list[RunSection]
    scores: Table
    """what the scores are"""
    claims: Table
    chapters: Mapping[str, str]
    """titles of chapters that have a page of their own, by the target that makes it"""
    config: str
    """the resolved configuration, as YAML"""


@dataclass(frozen=True, kw_only=True)
class ChapterSection:
    """One question of a chapter."""

    id: str
    title: str
    explanation: Sequence[str]
    pictures: list[Picture]
    claims: Table
    tables: list[Table]


@dataclass(frozen=True, kw_only=True)
class ChapterPage:
    """The page of a chapter of experiments."""

    title: str
    introduction: Sequence[str]
    sections: list[ChapterSection]
    verdicts: list[str]
    """of all claims: supported, not supported or not testable"""
    config: str
    """its block of the configuration, as YAML"""

    @property
    def summary(self) -> str:
        """How many claims held."""
        return _summary(self.verdicts)


@dataclass(frozen=True, kw_only=True)
class LedgerPage:
    """The page of all claims."""

    title: str
    chapters: Table
    claims: Table
    verdicts: list[str]
    """of all claims: supported, not supported or not testable"""

    @property
    def summary(self) -> str:
        """How many claims held."""
        return _summary(self.verdicts)


def _summary(verdicts: Sequence[str]) -> str:
    of = {kind: verdicts.count(kind) for kind in (SUPPORTED, NOT_SUPPORTED)}
    rest = len(verdicts) - sum(of.values())
    said = [f"{count(n)} {kind}" for kind, n in of.items()]
    said += [f"{count(rest)} not testable here"] if rest else []
    return f"Of {count(len(verdicts))} claims, each on one dataset, {joined(said)}."


@dataclass(frozen=True, kw_only=True)
class ExamplesPage:
    """The page about someone's own images and network."""

    title: str
    leave_one_out: bool
    n_neighbors: int
    metric: str
    n_probes: int
    cards: list[Card]
    worth: str
    """from where on labels are suspect, and how many right ones are: the end of a sentence"""
    groups: Table
    suspects: list[Gallery]
    hardest: list[Thumbnail]
    ranking: Table
    probes: Table
    options: str
    """what it was made with, as YAML"""


def render(page: Page) -> str:
    """The page as one HTML document: styles, script and images inside it.

    It forbids itself, by its content security policy, to load anything from elsewhere.
    """
    return _render("page.html", page=page)


def render_machine(title: str, tables: Sequence[Table]) -> str:
    """The page about versions, hardware and times that lies beside the report."""
    return _render("machine.html", title=title, tables=tables)


def render_examples(page: ExamplesPage) -> str:
    """The page about someone's own images and network, as one HTML document; see `render`."""
    return _render("examples.html", page=page)


def render_chapter(page: ChapterPage) -> str:
    """The page of a chapter of experiments, as one HTML document; see `render`."""
    return _render("chapter.html", page=page)


def render_ledger(page: LedgerPage) -> str:
    """The page of all claims, as one HTML document; see `render`."""
    return _render("ledger.html", page=page)


def _render(template: str, **values: object) -> str:
    loader = PackageLoader("depthlens.report")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    # Style sheet and script are ours: escaping would break them.
    def inline(name: str) -> Markup:
        return Markup(loader.get_source(environment, name)[0])

    return environment.get_template(template).render(**values, inline=inline)


def claims_table(findings: Sequence[Finding], *, id: str = "table-claims") -> Table:
    """The claims with their verdicts, as they stand in claims.csv."""
    return Table(
        id=id,
        caption="Claims and verdicts",
        columns=[
            "verdict",
            "dataset · model",
            "statement",
            "measure",
            "threshold",
            "source printed",
            "value",
            "low",
            "high",
            "n",
            "source",
            "id",
        ],
        rows=[
            [
                Cell(finding.verdict, kind=f"badge {finding.kind.replace(' ', '-')}"),
                Cell(f"{finding.dataset} · {finding.model}"),
                Cell(finding.statement, kind="sentence"),
                Cell(finding.measure, kind="sentence"),
                Cell(finding.threshold.replace("-", "−")),
                Cell(finding.printed),
                *(
                    Cell(number(value, 3), value)
                    for value in (finding.value, finding.low, finding.high)
                ),
                Cell(count(finding.n), finding.n),
                Cell(finding.source),
                Cell(f"{finding.chapter}/{finding.id}"),
            ]
            for finding in findings
        ],
    )


def image_source(image: NDArray[np.uint8]) -> str:
    """A PNG data URI of an image of shape (channels, height, width).

    No side of it is longer than `MOST_THUMBNAIL_PIXELS`.
    """
    if len(image) == 3:
        picture = Image.fromarray(np.ascontiguousarray(np.moveaxis(image, 0, -1)))
    else:
        picture = Image.fromarray(np.round(image.mean(axis=0)).astype(np.uint8))
    if max(picture.size) > MOST_THUMBNAIL_PIXELS:
        picture.thumbnail((MOST_THUMBNAIL_PIXELS, MOST_THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return _data_uri("image/png", buffer.getvalue())


def figure_sources(stems: list[Path]) -> list[str]:
    """Data URIs of figures that lie on disk as {stem}.svg and {stem}.png.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    """
    files = [[stem.with_name(f"{stem.name}.{kind}") for kind in ("svg", "png")] for stem in stems]
    # Photographs inside an SVG do not become sharper by it: galleries are embedded as pixels.
    photographs = [b"<image" in svg.read_bytes() for svg, _ in files]
    vectors = sum(
        svg.stat().st_size for (svg, _), photo in zip(files, photographs, strict=True) if not photo
    )
    sources = []
    for (svg, png), photo in zip(files, photographs, strict=True):
        smaller = min((svg, png), key=lambda path: path.stat().st_size)
        chosen = png if photo else svg if vectors <= MOST_VECTOR_BYTES else smaller
        kind = "image/svg+xml" if chosen.suffix == ".svg" else "image/png"
        sources.append(_data_uri(kind, chosen.read_bytes()))
    return sources


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
