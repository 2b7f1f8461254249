"""Arithmetic of convolutions: claims and figure of the sweep `convolutions`."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from depthlens.chapters.inductive_bias.judging import exact_claim, exactly
from depthlens.chapters.inductive_bias.words import NETWORKS
from depthlens.datasets.edges import IMAGE_SIZE
from depthlens.figures import style
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding, NotTestableError, judge
from depthlens.prose import count, joined, some
from depthlens.report.page import Cell, Table

_DUMOULIN = "Dumoulin, Visin (2016), arXiv 1603.07285"
CLAIMS = (
    exact_claim(
        "output-sizes-by-formula",
        "Output sizes follow from the formula.",
        _DUMOULIN,
        "share of layers for which formula and network agree",
        at_least=1,
    ),
    exact_claim(
        "parameters-by-formula",
        "Parameters follow from the formula.",
        _DUMOULIN,
        "share of layers for which formula and network agree",
        at_least=1,
    ),
    exact_claim(
        "receptive-fields-by-formula",
        "Receptive fields follow from the formula.",
        "Araujo, Norris, Sim (2019), Computing receptive fields of convolutional neural networks",
        "share of layers for which formula and network agree",
        at_least=1,
    ),
    exact_claim(
        "alike-convolutions",
        "L convolutions of kernel K see L(K − 1) + 1 pixels.",
        "course material on inductive biases",
        "share of the convolutions for which that is so, without the poolings between them",
        at_least=1,
    ),
)
_AGREES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "output-sizes-by-formula": lambda table: _as_measured(table, "output_size"),
    "parameters-by-formula": lambda table: _as_measured(table, "parameters"),
    "receptive-fields-by-formula": lambda table: _as_measured(table, "receptive_field"),
    "alike-convolutions": lambda table: _as_alike(table),
}


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against every layer of every network."""
    table = tables["convolutions"]
    model = " + ".join(dict.fromkeys(table["architecture"]))
    findings = []
    for claim in CLAIMS:
        agrees = _AGREES[claim.id](table)
        found = (
            exactly(agrees.mean(), len(agrees))
            if len(agrees)
            else NotTestableError("no network has such a layer")
        )
        findings.append(judge(claim, found, dataset="edges", model=model))
    return findings


def _as_measured(table: pd.DataFrame, column: str) -> pd.Series:
    return table[column] == table[f"measured_{column}"]


def _as_alike(table: pd.DataFrame) -> pd.Series:
    """Of convolutions without poolings: whether they see what L (K - 1) + 1 says."""
    rows = table[table["kind"] == "Conv2d"]
    return _as_measured(rows, "field_of_alike")


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Receptive fields, layer by layer."""
    table = tables["convolutions"]
    architectures = list(dict.fromkeys(table["architecture"]))
    sizes = sorted(set(table["kernel_size"]))
    colours = dict(zip(sizes, style.palette(list(map(str, sizes))), strict=True))
    n_layers = table.groupby(["architecture", "kernel_size"], sort=False).size()
    figure, axes = style.canvas(
        3.9,
        columns=len(architectures),
        sharey=True,
        # Steps from layer to layer are equally wide in all panels.
        width_ratios=[n_layers[name].max() + 1 for name in architectures],
    )
    for ax, architecture in zip(axes[0], architectures, strict=True):
        for size in sizes:
            rows = table[(table["architecture"] == architecture) & (table["kernel_size"] == size)]
            if len(rows):
                _draw_fields(ax, rows, colours[size])
        ax.axhline(IMAGE_SIZE, color=style.MUTED, linewidth=1, linestyle=":", zorder=1)
        name = NETWORKS[architecture]
        ax.set_title(name[0].upper() + name[1:])
    # Once all panels are drawn, whose axis this is: it would not grow any more.
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].set_ylabel("receptive field, pixels along a side")
    axes[0, 0].text(
        0.02, IMAGE_SIZE, "side of the image", transform=axes[0, 0].get_yaxis_transform(),
        va="center", fontsize=8.5, color=style.MUTED,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )  # fmt: skip
    figure.legend(handles=_legend(colours), loc="outside lower center", ncols=len(sizes) + 3)
    title = "How much of the image a value depends on"
    style.frame(
        figure,
        title=title,
        subtitle=f"Receptive field of every layer of {some(len(n_layers), 'network')} · line: by "
        "the formula, dots: by gradient\nDashed: L(K − 1) + 1 for L convolutions of K×K, as if "
        "there were no pooling between them",
    )
    agreeing = int(_as_measured(table, "receptive_field").sum())
    alt = (
        f"Lines that rise from layer to layer, one a kernel size, for "
        f"{joined([NETWORKS[name] for name in architectures])}; beside each a dashed line."
    )
    sentence = (
        f"Formula and gradient agree for {count(agreeing)} of {some(len(table), 'layer')}; "
        f"{_largest(table)}."
    )
    return {"receptive_fields": Drawing(figure, title, sentence, alt)}


def _draw_fields(ax: Axes, rows: pd.DataFrame, colour: str) -> None:
    places = range(len(rows))
    ax.plot(places, rows["receptive_field"], "-", color=colour)
    ax.plot(places, rows["measured_receptive_field"], "o", color=colour, markersize=5)
    ax.plot(places, rows["field_of_alike"], "--", color=colour, linewidth=1.2)
    ax.set_xticks(places, [_named(layer) for layer in rows["layer"]], size=8)
    ax.set_xlim(-0.4, len(rows) - 0.6)


def _named(layer: str) -> str:
    """What a layer is called below an axis: its kind, and which of them it is."""
    kind = layer.rstrip("0123456789")
    words = {"conv": "convolution", "pool": "pooling"}
    return f"{words.get(kind, kind)}\n{layer[len(kind) :]}".strip()


def _legend(colours: Mapping[int, str]) -> list[Line2D]:
    plain = {"color": style.INK}
    return [
        *(
            Line2D([], [], color=colour, label=f"kernels of {size}×{size}")
            for size, colour in colours.items()
        ),
        Line2D([], [], label="formula", **plain),
        Line2D([], [], marker="o", markersize=5, linestyle="", label="measured", **plain),
        Line2D([], [], linestyle="--", linewidth=1.2, label="L(K − 1) + 1", **plain),
    ]


def _largest(table: pd.DataFrame) -> str:
    """The largest receptive field, and what the formula without poolings makes of it."""
    row = table.loc[table["measured_receptive_field"].idxmax()]
    return (
        f"the largest field has {some(row['measured_receptive_field'], 'pixel')} along a side "
        f"({NETWORKS[row['architecture']]}, kernels of {row['kernel_size']}×{row['kernel_size']}), "
        f"where L(K − 1) + 1 is {row['field_of_alike']} and the image has {IMAGE_SIZE}"
    )


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Every layer: by the formulas and as measured."""
    columns = [
        "network",
        "kernel size",
        "layer",
        "output size",
        "measured",
        "parameters",
        "measured",
        "receptive field",
        "measured",
        "L(K − 1) + 1",
    ]
    numbers = [
        f"{prefix}{name}"
        for name in ("output_size", "parameters", "receptive_field")
        for prefix in ("", "measured_")
    ]
    rows = [
        [
            Cell(NETWORKS[row["architecture"]]),
            Cell(count(row["kernel_size"]), int(row["kernel_size"])),
            Cell(row["layer"]),
            *(Cell(count(row[name]), int(row[name])) for name in (*numbers, "field_of_alike")),
        ]
        for _, row in tables["convolutions"].iterrows()
    ]
    caption = "Layers by formula, and as found by running the networks; sizes in pixels"
    return [Table(id="table-convolutions", caption=caption, columns=columns, rows=rows)]
