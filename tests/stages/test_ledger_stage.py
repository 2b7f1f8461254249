"""The ledger of all chapters: one page, one table, whole or not at all."""

from depthlens import ledger
from depthlens.ledger import Claim, Measurement, NotTestableError, Threshold, judge


def finding(chapter: str, id: str, value: float | None):
    claim = Claim(
        chapter=chapter, id=id, statement=f"<{id}> holds.", source="s", measure="m",
        threshold=Threshold(above=0),
    )  # fmt: skip
    measured = (
        NotTestableError("nobody looked")
        if value is None
        else Measurement(value=value, low=value, high=value, n=2)
    )
    return judge(claim, measured, dataset="d", model="net")


def test_all_claims_are_in_one_page_and_table_with_a_tally_by_chapter(tmp_path, depthlens):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    ledger.write(first, [finding("one", "x", 1.0), finding("one", "y", -1.0)])
    ledger.write(second, [finding("two", "z", None)])
    page, table = tmp_path / "ledger.html", tmp_path / "ledger.csv"
    done = depthlens("ledger", first, second, "--output", page, "--table", table)
    assert done.status == 0, done.err
    assert ledger.read(table)[:2] == ledger.read(first)
    assert [found.chapter for found in ledger.read(table)] == ["one", "one", "two"]
    text = page.read_text()
    assert "&lt;x&gt; holds." in text and "<x>" not in text
    assert "Of 3 claims, each on one dataset, 1 supported, 1 not supported and 1 not" in text
    # By chapter: claims, supported, not supported, not testable.
    rows = text.split('id="table-chapters"')[1].split("</table>")[0].split("<tr>")[2:]
    cells = [[part.split("<")[0] for part in row.split(">") if part[:1].isalnum()] for row in rows]
    assert [row[-4:] for row in cells] == [["2", "1", "1", "0"], ["1", "0", "0", "1"]]


def test_a_page_without_a_table_is_refused(tmp_path, depthlens):
    ledger.write(tmp_path / "a.csv", [finding("one", "x", 1.0)])
    done = depthlens("ledger", tmp_path / "a.csv", "--output", tmp_path / "ledger.html")
    assert done.status and "go together" in done.err and not (tmp_path / "ledger.html").exists()


def test_a_table_that_is_none_is_named(tmp_path, depthlens):
    (tmp_path / "a.csv").write_text("x\n1\n")
    arguments = ("--output", tmp_path / "l.html", "--table", tmp_path / "l.csv")
    done = depthlens("ledger", tmp_path / "a.csv", *arguments)
    assert done.status and "a.csv" in done.err and not (tmp_path / "l.html").exists()
