"""Claims: a verdict follows from the value and the threshold, and the table keeps it."""

import csv
import math

import pytest

from depthlens import ledger
from depthlens.errors import ArtifactError
from depthlens.ledger import Claim, Measurement, NotTestableError, Threshold, judge


def claim(*, printed="", **bounds):
    return Claim(
        chapter="c",
        id="i",
        statement="Every swan, black or white, is “white”.",
        source="s",
        measure="m",
        threshold=Threshold(**bounds),
        printed=printed,
    )


@pytest.mark.parametrize(
    ("bounds", "holds", "fails"),
    [
        ({"at_least": 0.95}, [0.95, 1], [0.9499999]),
        ({"at_most": -0.9}, [-0.9, -1], [-0.8999999, 0.9]),
        ({"above": 0.25}, [0.2500001], [0.25, 0]),
        ({"below": 3}, [2.9], [3]),
        ({"at_least": 5, "at_most": 20}, [5, 12, 20], [4.99, 20.01]),
    ],
)
def test_threshold_holds_up_to_its_bound_exactly(bounds, holds, fails):
    threshold = Threshold(**bounds)
    assert all(map(threshold.met_by, holds))
    assert not any(map(threshold.met_by, [*fails, math.nan]))


def test_verdict_follows_from_the_value_not_from_its_interval():
    inside = Measurement(value=0.26, low=0.2, high=0.3, n=10)
    outside = Measurement(value=0.24, low=0.2, high=0.3, n=10)
    quarter = claim(above=0.25)
    assert judge(quarter, inside, dataset="d", model="m").verdict == "supported"
    assert judge(quarter, outside, dataset="d", model="m").verdict == "not supported"


def test_what_cannot_be_tested_says_why_and_has_no_value():
    reason = NotTestableError("the network did not converge")
    finding = judge(claim(above=0), reason, dataset="d", model="m", n=7)
    assert finding.verdict == "not testable here, because the network did not converge"
    assert finding.kind == "not testable"
    assert math.isnan(finding.value) and math.isnan(finding.low) and math.isnan(finding.high)


def test_a_value_that_is_no_number_needs_a_reason():
    nothing = Measurement(value=math.nan, low=0, high=1, n=1)
    with pytest.raises(ValueError, match="reason"):
        judge(claim(above=0), nothing, dataset="d", model="m")


def test_table_has_the_promised_columns_and_comes_back_as_written(tmp_path):
    path = tmp_path / "claims.csv"
    findings = [
        judge(
            claim(printed="12 times", at_least=5, at_most=20),
            Measurement(value=8.5, low=7.25, high=math.inf, n=2538),
            dataset="shapes",
            model="resnet18",
        ),
        judge(claim(above=0), NotTestableError("a, b"), dataset="d", model="m", n=3),
    ]
    ledger.write(path, findings)
    with path.open(encoding="utf-8", newline="") as file:
        header, first, second = csv.reader(file)
    assert ",".join(header) == (
        "chapter,id,statement,source,measure,threshold,printed,value,low,high,verdict,dataset,model,n"
    )
    assert first[5:11] == ["≥ 5 and ≤ 20", "12 times", "8.5", "7.25", "inf", "supported"]
    assert second[7:11] == ["", "", "", "not testable here, because a, b"]
    assert [repr(found) for found in ledger.read(path)] == [repr(found) for found in findings]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "its columns are not those"),
        ("a,b\n1,2\n", "its columns are not those"),
        (",".join(ledger.COLUMNS) + "\na,b\n", "a row does not fit"),
        ("\xff\x00", "not a CSV file"),
    ],
)
def test_damaged_table_of_claims_is_named(tmp_path, content, fault):
    path = tmp_path / "claims.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ArtifactError, match=rf"claims\.csv: {fault}"):
        ledger.read(path)
    with pytest.raises(ArtifactError, match=r"absent\.csv: no such file"):
        ledger.read(tmp_path / "absent.csv")
