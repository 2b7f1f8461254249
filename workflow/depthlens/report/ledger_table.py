"""The ledger as a table in Markdown, for a page that is read without running anything."""

from collections import Counter
from collections.abc import Sequence

from depthlens.ledger import Finding
from depthlens.prose import count, number

_SIGNS = {"supported": "✓", "not supported": "✗", "not testable": "–"}


def as_markdown(findings: Sequence[Finding]) -> str:
    """One row a claim, with what was found on each dataset beside the others.

    Parameters
    ----------
    findings : sequence of Finding
        In the order of the table; the datasets become columns in the order of their first finding,
        one for each network where a claim was held against several on one dataset. Where a source
        printed numbers, they have a column.

    Returns
    -------
    str
        ✓ held, ✗ did not hold, – not testable; then the value and its interval.
    """
    places = Counter((finding.chapter, finding.id, finding.dataset) for finding in findings)
    several = {dataset for (_, _, dataset), n in places.items() if n > 1}
    claims: dict[str, dict[str, Finding]] = {}
    columns: dict[str, None] = {}
    for finding in findings:
        own = finding.dataset
        if own in several:
            own += f", {finding.model}"
        columns[own] = None
        claims.setdefault(f"{finding.chapter}/{finding.id}", {})[own] = finding
    printed = ["printed"] if any(finding.printed for finding in findings) else []
    header = ["claim", "asked for", *printed, *columns]
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for of_claim in claims.values():
        first = next(iter(of_claim.values()))
        cells = [
            f"{first.statement} ({first.measure})",
            first.threshold.replace("-", "−"),
            *(first.printed for _ in printed),
            *(_cell(of_claim.get(column)) for column in columns),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def tally(findings: Sequence[Finding]) -> str:
    """How many claims held, in a sentence's part."""
    kinds = [finding.kind for finding in findings]
    return ", ".join(f"{count(kinds.count(kind))} {kind}" for kind in _SIGNS if kind in kinds)


def _cell(finding: Finding | None) -> str:
    if finding is None:
        return ""
    if finding.kind == "not testable":
        return _SIGNS[finding.kind]
    low, high = number(finding.low, 3), number(finding.high, 3)
    return f"{_SIGNS[finding.kind]} {number(finding.value, 3)} ({low} … {high})"
