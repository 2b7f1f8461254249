"""The ledger in Markdown."""

from depthlens.ledger import Claim, Measurement, NotTestableError, Threshold, judge
from depthlens.report.ledger_table import as_markdown, tally


def finding(id: str, dataset: str, value: float | None):
    claim = Claim(
        chapter="c", id=id, statement=f"{id} holds.", source="s", measure="a|b",
        threshold=Threshold(at_least=-0.5),
    )  # fmt: skip
    measured = (
        NotTestableError("none was made")
        if value is None
        else Measurement(value=value, low=value - 0.1, high=value + 0.1, n=3)
    )
    return judge(claim, measured, dataset=dataset, model="m")


FINDINGS = [
    finding("one", "shapes", 0.25),
    finding("one", "mnist", -0.75),
    finding("two", "shapes", None),
]


def test_a_row_a_claim_and_a_column_a_dataset():
    assert as_markdown(FINDINGS).splitlines() == [
        "| claim | asked for | shapes | mnist |",
        "|---|---|---|---|",
        "| one holds. (a\\|b) | ≥ −0.5 | ✓ 0.250 (0.150 … 0.350) | ✗ −0.750 (−0.850 … −0.650) |",
        "| two holds. (a\\|b) | ≥ −0.5 | – |  |",
    ]


def test_tally_counts_verdicts():
    assert tally(FINDINGS) == "1 supported, 1 not supported, 1 not testable"
