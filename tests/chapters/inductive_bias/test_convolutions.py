"""Arithmetic of convolutions: what is claimed of formulas, and what figure and table show."""

import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters import page_tables
from depthlens.chapters.inductive_bias import convolutions
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}

LAYERS = {  # layer: kind, output size, parameters, receptive field, L (K - 1) + 1
    "conv1": ("Conv2d", 28, 30, 3, 3),
    "pool1": ("MaxPool2d", 14, 0, 4, 3),
    "conv2": ("Conv2d", 14, 84, 8, 5),
    "conv3": ("Conv2d", 14, 84, 12, 7),
}
NAMES = ("output_size", "parameters", "receptive_field")


def of(*, architectures=("cnn", "cnn_deeper"), sizes=(3, 5)):
    """Made-up layers, alike for all kernel sizes; formula and network agree."""
    return {
        "convolutions": pd.DataFrame(
            [
                {
                    "architecture": architecture, "kernel_size": size, "dataset": "edges",
                    "layer": layer, "kind": kind, **dict(zip(NAMES, numbers, strict=True)),
                    **{f"measured_{name}": n for name, n in zip(NAMES, numbers, strict=True)},
                    "field_of_alike": alike, "measured_field_of_alike": alike,
                }
                for architecture in architectures
                for size in sizes
                for layer, (kind, *numbers, alike) in LAYERS.items()
            ]
        )
    }  # fmt: skip


def found(given):
    return {row.id: row for row in frame.findings(convolutions.section, given, **LEVEL)}


def test_formulas_hold_where_all_layers_agree():
    rows = found(of())
    assert {row.verdict for row in rows.values()} == {SUPPORTED}
    assert {row.value for row in rows.values()} == {1.0}
    assert {id: row.n for id, row in rows.items()} == {
        "output-sizes-by-formula": 16, "parameters-by-formula": 16,
        "receptive-fields-by-formula": 16,
        "alike-convolutions": 12,
    }  # fmt: skip
    assert {(row.dataset, row.model) for row in rows.values()} == {("edges", "cnn + cnn_deeper")}


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("output_size", "output-sizes-by-formula"),
        ("parameters", "parameters-by-formula"),
        ("receptive_field", "receptive-fields-by-formula"),
    ],
)
def test_one_layer_that_differs_is_counted_for_its_formula_alone(name, id):
    given = of()
    given["convolutions"].loc[3, f"measured_{name}"] += 1
    rows = found(given)
    assert rows[id].value == 15 / 16 and rows[id].verdict == NOT_SUPPORTED
    assert {other for other, row in rows.items() if row.verdict == SUPPORTED} == set(rows) - {id}


def test_what_convolutions_see_is_measured():
    given = of()
    given["convolutions"].loc[0, "measured_field_of_alike"] += 1
    row = found(given)["alike-convolutions"]
    assert row.value == pytest.approx(11 / 12) and row.verdict == NOT_SUPPORTED


def test_without_a_convolution_there_is_nothing_to_judge():
    given = of()
    table = given["convolutions"]
    given["convolutions"] = table[table["kind"] != "Conv2d"]
    row = found(given)["alike-convolutions"]
    assert row.kind == "not testable" and "no network has such a layer" in row.verdict


def drawing(given):
    return dict(frame.drawings(convolutions.section, given, **LEVEL))["receptive_fields"]


def test_a_sentence_counts_layers_and_names_the_largest_field():
    given = of()
    assert drawing(given).sentence == (
        "Formula and gradient agree for 16 of 16 layers; the largest field has 12 pixels along a "
        "side (convolutional network, kernels of 3×3), where L(K − 1) + 1 is 7 and the image has "
        "28."
    )
    given["convolutions"].loc[15, "measured_receptive_field"] = 30
    sentence = drawing(given).sentence
    assert "15 of 16" in sentence
    assert "30 pixels along a side (four convolutions, kernels of 5×5)" in sentence


def test_panels_show_all_of_both_networks():
    given = of()
    given["convolutions"].loc[15, ["receptive_field", "measured_receptive_field"]] = 70
    panels = drawing(given).figure.axes
    assert len(panels) == 2 and {ax.get_ylim()[1] > 70 for ax in panels} == {True}


def test_a_table_has_every_layer_both_ways():
    given = of()
    given["convolutions"].loc[0, "measured_parameters"] = 31
    (table,) = page_tables.report_tables(convolutions.section, given, **LEVEL)
    assert table.id == "table-convolutions" and len(table.rows) == 16
    assert [cell.text for cell in table.rows[0]] == [
        "convolutional network", "3×3", "conv1", "28", "28", "30", "31", "3", "3", "3",
    ]  # fmt: skip
