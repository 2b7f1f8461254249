"""The ledger in Markdown."""

from depthlens.ledger import Claim, Measurement, NotTestableError, Threshold, judge
from depthlens.report.ledger_table import as_markdown, tally


def finding(id: str, dataset: str, value: float | None, model: str = "m", printed: str = ""):
    claim = Claim(
        chapter="c", id=id, statement=f"{id} holds.", source="s", measure="a|b",
        threshold=Threshold(at_least=-0.5), printed=printed,
    )  # fmt: skip
    measured = (
        NotTestableError("none was made")
        if value is None
        else Measurement(value=value, low=value - 0.1, high=value + 0.1, n=3)
    )
    return judge(claim, measured, dataset=dataset, model=model)


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


def test_what_a_source_printed_stands_beside_what_was_found():
    found = as_markdown([finding("one", "d", 0.25, printed="0.30"), finding("two", "d", 0.5)])
    header, _, one, two = found.splitlines()
    assert header == "| claim | asked for | printed | d |"
    assert "| ≥ −0.5 | 0.30 | ✓ 0.250" in one
    assert "| ≥ −0.5 |  | ✓ 0.500" in two


def test_tally_counts_verdicts():
    assert tally(FINDINGS) == "1 supported, 1 not supported, 1 not testable"


def test_two_networks_on_one_dataset_do_not_hide_each_other():
    found = as_markdown([finding("x", "d", 1.0, "a"), finding("x", "d", -1.0, "b")])
    header, _, row = found.splitlines()
    assert header == "| claim | asked for | d, a | d, b |"
    assert "✓ 1" in row and "✗ −1" in row
