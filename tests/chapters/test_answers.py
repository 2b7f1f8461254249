"""What a section says of its tables: means over seeds, verdicts, figures and tables of the page."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from depthlens.chapters import answers, page_tables
from depthlens.chapters.section import Section
from depthlens.figures.sheet import Column
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED, NotTestableError, exactly
from depthlens.prose import count

SEEDS = (1, 2, 3)
COLUMNS = {
    "architecture": Column("network", {"cnn": "convolutions", "mlp": "MLP"}.get),
    "images": Column("images", count),
    "right": Column("right", share=True),
}


def rows(*, datasets=("edges",), networks=("cnn", "mlp"), seeds=SEEDS, images=(1000, 2000)):
    """Shares right: 0.9 and 0.8, a tenth of a seed's number less, 0.05 less with fewer images."""
    return pd.DataFrame(
        {
            "dataset": dataset, "architecture": name, "images": n, "seed": seed,
            "right": {"cnn": 0.9, "mlp": 0.8}[name] - seed**2 / 100 - 0.05 * (n == 1000),
        }
        for dataset in datasets for name in networks for n in images for seed in seeds
    )  # fmt: skip


def made():
    return Section("depthlens.chapters.edges.few", title="Few", text="Text.", columns=COLUMNS)


def found(section, table=None, **more):
    tables = {"table": rows() if table is None else table, **more}
    judged = answers.findings(section, tables, confidence_level=0.9)
    return {(finding.id, finding.dataset): finding for finding in judged}


def claim(section, **options):
    options = {"above": 0} | options
    return section.claim("It is.", source="a book", measure="a share", **options)


def by_network(table):
    return table.pivot_table(index="seed", columns="architecture", values="right")


def test_one_value_a_seed_makes_mean_interval_verdict_and_n():
    section = made()

    @claim(section, above=0.8)
    def much(table):
        return by_network(table)["cnn"]

    (row,) = found(section).values()
    values = 0.9 - np.array(SEEDS) ** 2 / 100 - 0.025
    low, high = stats.t.interval(0.9, 2, values.mean(), stats.sem(values))
    assert (row.value, row.low, row.high) == pytest.approx((values.mean(), low, high))
    assert (row.verdict, row.n, row.model) == (SUPPORTED, 3, "cnn + mlp")


def test_datasets_are_judged_apart_and_claims_of_a_table_stand_together():
    section = made()

    @claim(section)
    def first(table):
        return by_network(table)["cnn"]

    @claim(section, above=None, below=0)
    def second(table):
        return by_network(table)["cnn"]

    table = rows(datasets=("edges", "shapes"))
    table.loc[table["dataset"] == "shapes", "right"] *= -1
    verdicts = {key: row.verdict for key, row in found(section, table).items()}
    assert list(verdicts.items()) == [
        (("first", "edges"), SUPPORTED), (("second", "edges"), NOT_SUPPORTED),
        (("first", "shapes"), NOT_SUPPORTED), (("second", "shapes"), SUPPORTED),
    ]  # fmt: skip


def test_a_claim_about_nothing_that_was_measured_is_in_the_ledger_all_the_same():
    section = made()

    @section.derived
    def nothing(table):
        return table[:0]

    @claim(section)
    def much(nothing):
        return by_network(nothing)["cnn"]

    (row,) = found(section).values()
    assert row.kind == "not testable" and (row.dataset, row.model) == ("edges", "cnn")


def test_another_column_may_say_what_is_judged_apart():
    section = made()
    section.per = "images"

    @claim(section)
    def spread(table):
        assert table["images"].nunique() == 1
        return by_network(table)["cnn"]

    assert len(answers.findings(section, {"table": rows()}, confidence_level=0.9)) == 2


def test_a_claim_about_some_networks_is_given_their_rows_and_misses_none():
    section = made()

    @claim(section, networks=["mlp"])
    def of_one(table):
        assert set(table["architecture"]) == {"mlp"}
        return by_network(table)["mlp"]

    assert found(section)["of-one", "edges"].model == "mlp"
    lacking = found(section, rows(networks=["cnn"]))["of-one", "edges"]
    assert lacking.verdict.endswith("because the sweep has no MLP")


@pytest.mark.parametrize(
    ("measure", "reason"),
    [
        (lambda table: by_network(table)["resnet"], "the sweep has no networks of resnet"),
        (lambda table: {}["cnn", True], "the sweep has no networks of cnn"),
        (lambda table: {}[False], "what it compares was not made"),
        (lambda table: by_network(table)["cnn"][:1], "fewer than two seeds were measured"),
        (lambda table: pd.Series([1.0, np.nan]), "fewer than two seeds were measured"),
    ],
)
def test_what_is_missing_makes_a_claim_not_testable(measure, reason):
    section = made()
    measure.__name__ = "it_is"
    claim(section)(measure)
    row = found(section)["it-is", "edges"]
    assert row.kind == "not testable" and row.verdict.endswith(f"because {reason}")


def test_a_section_has_reasons_and_measurements_of_its_own():
    section = made()

    @claim(section)
    def cannot(table):
        raise NotTestableError("it is night")

    @claim(section, over_seeds=False)
    def exact(table):
        return exactly(0.5, 7)

    judged = found(section)
    assert judged["cannot", "edges"].verdict.endswith("because it is night")
    half = judged["exact", "edges"]
    assert (half.value, half.low, half.high, half.n) == (0.5, 0.5, 0.5, 7)


def test_a_table_is_derived_of_others_and_of_what_is_derived():
    section = made()

    @section.derived
    def cnn(table):
        return table[table["architecture"] == "cnn"]

    @section.derived
    def few(cnn, absent=None):
        assert absent is None
        return cnn[cnn["images"] == 1000]

    @claim(section)
    def it_is(few):
        return few.set_index("seed")["right"]

    assert found(section)["it-is", "edges"].value == pytest.approx(0.85 - 14 / 300)


def test_a_figure_is_drawn_in_its_frame():
    section = made()

    @section.figure("Title", shows="Shown", alt="Lines.")
    def curves(sheet, table):
        sheet.lines(sheet.axes(3), table, "images", "right", hue="architecture")
        return "It is 1."

    ((name, drawing),) = answers.drawings(section, {"table": rows()}, confidence_level=0.9)
    assert (name, drawing.title, drawing.sentence) == ("curves", "Title", "It is 1.")
    assert drawing.figure.texts[1].get_text().startswith("Shown\nBands: 90\u00a0% intervals")


def shown(**options):
    section = made()
    options = {"keys": ["architecture", "images"], "values": ["right"]} | options
    table = options.pop("rows", rows())
    section.table("few", "Caption", lambda table: table, **options)
    return page_tables.report_tables(section, {"table": table}, confidence_level=0.9)


def test_a_table_of_the_page_has_means_over_seeds_with_intervals():
    (table,) = shown()
    assert (table.id, table.caption) == ("table-few", "Caption")
    assert table.columns == ["network", "images", "right", "interval", "seeds"]
    values = 0.85 - np.array(SEEDS) ** 2 / 100
    low, high = stats.t.interval(0.9, 2, values.mean(), stats.sem(values))
    first = table.rows[0]
    assert [cell.text for cell in first] == [
        "convolutions", "1\u202f000", "0.803", f"{low:.3f} … {high:.3f}", "3",
    ]  # fmt: skip
    assert first[2].sort == pytest.approx(values.mean()) and len(table.rows) == 4


def test_a_mean_leaves_out_what_is_not_known_and_ends_where_a_share_does():
    table = rows(networks=["cnn"], images=[1000]).assign(right=[0.9, 1, np.nan])
    (first,) = shown(rows=table)[0].rows
    assert [cell.text for cell in first[2:]] == ["0.950", "0.634 … 1.000", "3"]


def test_rows_without_seeds_and_rows_by_seed_are_shown_as_they_are():
    by_seed, = shown(rows=rows(seeds=[2]), keys=["seed"], values=["images", "right"])  # fmt: skip
    assert [cell.text for cell in by_seed.rows[0]] == ["2", "1\u202f000", "0.810"]
    (plain,) = shown(rows=rows(seeds=[2]).drop(columns="seed"))
    assert plain.columns == ["network", "images", "right"] and len(plain.rows) == 4


def test_an_empty_table_is_not_shown():
    assert shown(rows=rows()[:0]) == []
