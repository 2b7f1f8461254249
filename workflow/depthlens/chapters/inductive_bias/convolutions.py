"""Arithmetic of convolutions: do output sizes, parameters and receptive fields follow formulas?"""

from matplotlib.lines import Line2D

from depthlens.chapters.inductive_bias.words import COLUMNS, NETWORKS
from depthlens.chapters.section import Section
from depthlens.chapters.sources import INDUCTIVE_BIAS
from depthlens.datasets.edges import IMAGE_SIZE
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError, exactly
from depthlens.prose import count, some
from depthlens.sweep import grid

DUMOULIN = "Dumoulin, Visin (2016), arXiv 1603.07285"
QUANTITIES = {
    "output_size": "output size",
    "parameters": "parameters",
    "receptive_field": "receptive field",
}
section = Section(
    __name__,
    title="Arithmetic of convolutions",
    text="Output size, parameters and receptive field of every layer by their formulas, and as "
    "found by running the network: shapes of its activations, numbers of its weights, and where "
    "the gradient of one value reaches the image. A layer of stride S makes the field of all that "
    "come behind it grow S times as fast, and leaves them 1/S² of the places to compute. The "
    "recursion that the homework gives, S (field − 1) + K, holds from the last layer back to the "
    "first; forwards each layer adds (K − 1) times the strides before it.",
    columns=COLUMNS
    | {name: Column(title, count) for name, title in QUANTITIES.items()}
    | {f"measured_{name}": Column("measured", count) for name in QUANTITIES}
    | {"field_of_alike": Column("L(K − 1) + 1", count)},
)
section.sweep(
    "convolutions",
    "convolutions",
    cells=lambda block: grid(
        architecture=["cnn", "cnn_deeper"], kernel_size=block["permuted"]["kernel_sizes"]
    ),
    settings=lambda block: {},
)


def claim(statement, source):
    return section.claim(
        statement,
        source=source,
        measure="share of layers for which formula and network agree",
        over_seeds=False,
        at_least=1,
    )


def share_that_agrees(layers, quantity):
    """Of how many layers a quantity is as the network has it."""
    if layers.empty:
        raise NotTestableError("no network has such a layer")
    return exactly((layers[quantity] == layers[f"measured_{quantity}"]).mean(), len(layers))


@claim("Output sizes follow from the formula.", DUMOULIN)
def output_sizes_by_formula(convolutions):
    return share_that_agrees(convolutions, "output_size")


@claim("Parameters follow from the formula.", DUMOULIN)
def parameters_by_formula(convolutions):
    return share_that_agrees(convolutions, "parameters")


@claim(
    "Receptive fields follow from the formula.",
    "Araujo, Norris, Sim (2019), Computing receptive fields of convolutional neural networks",
)
def receptive_fields_by_formula(convolutions):
    return share_that_agrees(convolutions, "receptive_field")


@section.claim(
    "L convolutions of kernel K see L(K − 1) + 1 pixels.",
    source=f"{INDUCTIVE_BIAS}, written part",
    measure="share of the convolutions for which that is so, without the poolings between them",
    over_seeds=False,
    at_least=1,
)
def alike_convolutions(convolutions):
    return share_that_agrees(convolutions[convolutions["kind"] == "Conv2d"], "field_of_alike")


@section.figure(
    "How much of the image a value depends on",
    shows="Receptive field of every layer · line: by the formula, dots: by gradient · dashed: "
    "L(K − 1) + 1 for L convolutions of K×K, as if there were no pooling between them · dotted: "
    "side of the image",
    alt="Lines that rise from layer to layer, one a kernel size, a panel a network; beside each a "
    "dashed line.",
)
def receptive_fields(sheet, convolutions):
    colours = sheet.colours(convolutions, "kernel_size")
    for ax, _, rows in sheet.panels(convolutions, "architecture", 3.9):
        for size, own in rows.groupby("kernel_size"):
            look = {"color": colours[COLUMNS["kernel_size"].write(size)]}
            ax.plot(own["layer"], own["receptive_field"], **look)
            ax.plot(own["layer"], own["measured_receptive_field"], "o", markersize=5, **look)
            ax.plot(own["layer"], own["field_of_alike"], "--", linewidth=1.2, **look)
        ax.axhline(IMAGE_SIZE, color=style.MUTED, linewidth=1, linestyle=":")
        ax.tick_params("x", labelrotation=45)
        ax.set(ylabel="receptive field, pixels along a side")
    ax.set_ylim(0)
    sheet.legend(
        handles=[Line2D([], [], color=c, label=f"kernels of {size}") for size, c in colours.items()]
    )
    agreeing = (convolutions["receptive_field"] == convolutions["measured_receptive_field"]).sum()
    row = convolutions.loc[convolutions["measured_receptive_field"].idxmax()]
    return (
        f"Formula and gradient agree for {count(agreeing)} of {some(len(convolutions), 'layer')}; "
        f"the largest field has {count(row['measured_receptive_field'])} pixels along a side "
        f"({NETWORKS[row['architecture']]}, kernels of {row['kernel_size']}×{row['kernel_size']}), "
        f"where L(K − 1) + 1 is {row['field_of_alike']} and the image has {IMAGE_SIZE}."
    )


section.table(
    "convolutions",
    "Layers by formula, and as found by running the networks; sizes in pixels",
    lambda convolutions: convolutions,
    keys=["architecture", "kernel_size", "layer"],
    values=[
        *(f"{prefix}{name}" for name in QUANTITIES for prefix in ("", "measured_")),
        "field_of_alike",
    ],
)
