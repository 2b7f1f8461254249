"""What a few images teach: claims and figure of the sweep `few_images`."""

from collections.abc import Mapping

import pandas as pd

from depthlens.chapters import comparing
from depthlens.chapters.inductive_bias import accuracy_by_images as by_images
from depthlens.chapters.inductive_bias.words import COLOURS, NETWORKS, sizes_of
from depthlens.figures import plots, style
from depthlens.figures.style import Drawing
from depthlens.ledger import Finding
from depthlens.prose import count, percent, some
from depthlens.report.page import Table

claim = comparing.claims_of("inductive_bias")
_COURSE = "course material on inductive biases"
CLAIMS = (
    claim(
        "cnn-ahead-with-few",
        "From few images the convolutional network learns more than the MLP.",
        _COURSE,
        "validation accuracy with the fewest images, convolutional network minus MLP",
        above=0,
    ),
    claim(
        "cnn-ahead-throughout",
        "It is ahead with every number of images.",
        _COURSE,
        "smallest difference of validation accuracy over the numbers of images, convolutional "
        "network minus MLP",
        above=0,
    ),
    claim(
        "gap-narrows",
        "The more images there are, the smaller its lead.",
        _COURSE,
        "lead with the most images minus lead with the fewest",
        below=0,
    ),
)
_MEASURES = {
    "cnn-ahead-with-few": by_images.with_fewest,
    # A seed that lacks a number of images has no smallest difference.
    "cnn-ahead-throughout": lambda lead: lead.min(axis=1, skipna=False),
    "gap-narrows": lambda lead: by_images.with_most(lead) - by_images.with_fewest(lead),
}


def evaluate(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Finding]:
    """Hold the claims against both networks."""
    return by_images.judge_lead(
        CLAIMS,
        tables["few_images"],
        "cnn",
        "mlp",
        measures=_MEASURES,
        confidence_level=confidence_level,
    )


def draw(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> dict[str, Drawing]:
    """Accuracy by number of images, and the lead of the convolutional network."""
    table = tables["few_images"]
    validated = by_images.validated(table)
    lead = by_images.lead(table, "cnn", "mlp")
    figure, axes = style.canvas(5.2, rows=2, height_ratios=[1.5, 1], sharex=True)
    above, below = axes[:, 0]
    dodges = by_images.dodges(table["images"], 2)
    for name, dodge in zip(("cnn", "mlp"), dodges, strict=True):
        by_images.draw_points(
            above,
            validated[validated["architecture"] == name],
            "accuracy",
            colour=COLOURS[name],
            label=NETWORKS[name],
            dodge=dodge,
            bounds=(0, 1),
            confidence_level=confidence_level,
        )
    above.set_ylim(max(0, above.get_ylim()[0]), min(1.02, above.get_ylim()[1]))
    above.set_ylabel("validation accuracy")
    plots.percent_axis(above.yaxis)
    above.legend(loc="best")
    below.axhline(0, color=COLOURS["mlp"], linewidth=1.2)
    by_images.draw_points(
        below,
        by_images.as_rows(lead),
        "lead",
        colour=COLOURS["cnn"],
        dodge=0,
        confidence_level=confidence_level,
    )
    by_images.label_lead(below, f"the {NETWORKS['mlp']}")
    by_images.label_images(below, table["images"])
    title = "What a few images teach"
    style.frame(
        figure,
        title=title,
        subtitle=f"Accuracy on {sizes_of(table, 'validation')} · {sizes_of(table).split(',')[0]}\n"
        f"Below: {NETWORKS['cnn']} minus {NETWORKS['mlp']}, seed by seed\n"
        f"Bars: {percent(confidence_level)} intervals of the mean over seeds · faint dots: single "
        "seeds",
    )
    alt = (
        "Two lines of validation accuracy by the number of training images, one a network; below "
        "them a line of the difference, with a line at zero."
    )
    return {"few_images": Drawing(figure, title, _sentence(validated, lead), alt)}


def _sentence(validated: pd.DataFrame, lead: pd.DataFrame) -> str:
    means = validated.groupby(["architecture", "images"])["accuracy"].mean()
    accuracies = {
        images: f"{percent(means['cnn', images], 1)} and {percent(means['mlp', images], 1)}"
        for images in (min(lead), max(lead))
    }
    said = f"{accuracies[min(lead)]} right with {some(min(lead), 'training image')} a class"
    if len(accuracies) > 1:
        said += f", and {accuracies[max(lead)]} with {count(max(lead))}"
    return (
        f"Of the validation images, the {NETWORKS['cnn']} and the {NETWORKS['mlp']} get {said}. "
        f"The {NETWORKS['cnn']} is {by_images.standing(lead)}, in the mean over seeds."
    )


def report_tables(tables: Mapping[str, pd.DataFrame], *, confidence_level: float) -> list[Table]:
    """Accuracy by number of images and network, and the lead."""
    table = tables["few_images"]
    return [
        Table(
            id="table-few-images",
            caption="Validation accuracy by the number of training images, mean over seeds",
            columns=["images a class", "network", "accuracy", "interval", "seeds"],
            rows=by_images.accuracy_rows(table, NETWORKS, confidence_level=confidence_level),
        ),
        Table(
            id="table-few-images-lead",
            caption="Lead of the convolutional network over the MLP, mean over seeds",
            columns=["images a class", "lead", "interval", "seeds ahead", "seeds"],
            rows=by_images.lead_rows(
                by_images.lead(table, "cnn", "mlp"), confidence_level=confidence_level
            ),
        ),
    ]
