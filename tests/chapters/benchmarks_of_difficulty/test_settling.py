import numpy as np
import pandas as pd
import pytest

from depthlens.chapters import answers, page_tables
from depthlens.chapters.benchmarks_of_difficulty import settling

LEVEL = {"confidence_level": 0.95}

# Of ten images, at 0, 1/4, 1/2, 3/4, 1 of the computation and never: 7, 0, 1, 0, 1, 1.
DEPTH = [0] * 7 + [2, 4, 5]
OTHER = [0] * 5 + [1, 1, 3, 3, 3]


def verdicts(*networks):
    rows = pd.concat(networks, ignore_index=True)
    found = answers.findings(settling.section, {"portraits": rows}, **LEVEL)
    return {(f.id, f.dataset): f for f in found}


def test_shares_of_settled_images_are_counted_as_on_paper(network):
    found = verdicts(network(DEPTH, seed=1), network(OTHER, seed=2))
    early = found["most-settle-in-the-first-fifth", "toy"]
    assert early.value == pytest.approx((0.7 + 0.5) / 2)
    assert early.verdict == "supported"
    assert early.n == 2
    late = found["few-need-almost-all", "toy"]
    assert late.value == pytest.approx((0.2 + 0.0) / 2)
    assert late.verdict == "supported"


def test_an_image_that_never_settles_needs_all_of_the_network(network):
    rows = network([0, 5])
    assert 1 - settling.settled(rows, settling.ALMOST_ALL) == 0.5
    assert settling.settled(rows, settling.FIFTH) == 0.5


def test_layers_are_counted_apart_from_computation(network):
    """Eleven probes, ten layers: depth 2 is a fifth of them, whatever was computed by then."""
    depth = [0, 1, 2, 3, 9, 10, 11, 11, 0, 2]
    rows = [
        network(depth, seed=s, n_probes=11).assign(computation=np.array(depth) / 11 + 0.15)
        for s in (1, 2)
    ]
    found = verdicts(*rows)
    early = found["most-settle-in-the-first-fifth-of-layers", "toy"]
    assert early.value == pytest.approx(0.5) and early.verdict == "not supported"
    late = found["few-need-almost-all-layers", "toy"]
    # One at 10 of 10 layers, two never; the one at 9 is not behind more than nine tenths.
    assert late.value == pytest.approx(0.3) and late.printed == "0.01 to 0.1"
    assert found["most-settle-in-the-first-fifth", "toy"].value == pytest.approx(0.2)


def test_one_of_four_layers_is_more_than_a_fifth(network):
    assert settling.settled(network([0, 1, 1, 2]), 0.2, "layers") == 0.25


def test_the_figure_says_what_was_found(network, table):
    rows = [network(DEPTH, seed=s) for s in (1, 2)]
    rows += [network(OTHER, seed=s, dataset="second") for s in (1, 2)]
    drawn = dict(answers.drawings(settling.section, {"portraits": table(*rows)}, **LEVEL))
    assert list(drawn) == ["settled_by_computation"]
    said = drawn["settled_by_computation"].sentence
    assert "on toy 70.0\u00a0% in the first fifth and 20.0\u00a0% not before nine tenths" in said
    assert "on second 50.0\u00a0%" in said
    axes = drawn["settled_by_computation"].figure.axes
    panels = [ax.get_title(loc="left") or ax.get_title() for ax in axes]
    assert panels == ["multiply-accumulates", "layers"]
    (shown,) = page_tables.report_tables(settling.section, {"portraits": table(*rows)}, **LEVEL)
    assert {row[1].text for row in shown.rows} == {"multiply-accumulates", "layers"}
