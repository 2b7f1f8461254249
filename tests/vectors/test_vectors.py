"""The vectors hold for our functions, and for the rule written down without them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from depthlens import KNNClassifier
from depthlens.depth import prediction_depth
from depthlens.knn.votes import count, vote

VECTORS = json.loads((Path(__file__).parent / "prediction_depth.json").read_text("utf-8"))


def cases(kind: str):
    return pytest.mark.parametrize("case", VECTORS[kind], ids=[c["name"] for c in VECTORS[kind]])


def plain_depth(row: list[int], reference: int) -> int:
    for probe in range(len(row)):
        if row[probe:] == [reference] * (len(row) - probe):
            return probe
    return len(row)


def plain_vote(classes: list[int]) -> int:
    return min(sorted(set(classes)), key=lambda name: -classes.count(name))


def plain_knn(case: dict) -> list[list[int]]:
    rows = []
    own = case["queries"] is None
    every = case["references"] if own else case["queries"]
    for query in range(len(every[0])):
        row = []
        for references, queries in zip(case["references"], every, strict=True):
            order = sorted(
                (number for number in range(len(references)) if not (own and number == query)),
                key=lambda number: (math.dist(queries[query], references[number]), number),
            )
            row.append(plain_vote([case["labels"][n] for n in order[: case["n_neighbors"]]]))
        rows.append(row)
    return rows


@cases("depth")
def test_depth(case):
    knn = np.array(case["knn"], int).reshape(len(case["reference"]), case.get("n_probes", -1))
    assert prediction_depth(knn, np.array(case["reference"], int)).tolist() == case["depth"]
    pairs = zip(case["knn"], case["reference"], strict=True)
    assert [plain_depth(row, reference) for row, reference in pairs] == case["depth"]


@cases("votes")
def test_votes(case):
    classes = np.array(case["neighbour_classes"])
    assert vote(classes).tolist() == case["prediction"]
    assert count(classes, case["n_classes"]).tolist() == case["votes"]
    assert [plain_vote(row) for row in case["neighbour_classes"]] == case["prediction"]


@cases("probes")
def test_probes(case):
    columns = []
    for index, references in enumerate(case["references"]):
        knn = KNNClassifier(case["n_neighbors"], device="cpu").fit(references, case["labels"])
        columns.append(knn.predict(None if case["queries"] is None else case["queries"][index]))
    found = np.stack(columns, axis=1)
    assert found.tolist() == case["knn"] == plain_knn(case)
    assert prediction_depth(found, np.array(case["reference"])).tolist() == case["depth"]
    pairs = zip(case["knn"], case["reference"], strict=True)
    assert [plain_depth(row, reference) for row, reference in pairs] == case["depth"]


def test_every_case_says_what_it_is_for():
    named = [case for kind in ("depth", "votes", "probes") for case in VECTORS[kind]]
    assert len({case["name"] for case in named}) == len(named)
    assert all(case["why"].endswith(".") for case in named)
