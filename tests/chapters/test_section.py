"""What stands in the file of a section registers itself, and says what it reads."""

import pytest

from depthlens.chapters.section import Section, parameters, read
from depthlens.ledger import SUPPORTED, Claim, Threshold, exactly, judge


@pytest.fixture
def section():
    return Section("depthlens.chapters.edges.few", title="Few", text="A paragraph.")


def claim(section, **options):
    return section.claim("It is.", source="a book", measure="a share", **{"above": 0} | options)


def test_a_section_is_called_as_its_file(section):
    assert (section.chapter, section.name) == ("edges", "few")
    assert section.explanation == ("A paragraph.",)
    two = Section("depthlens.chapters.edges.few", title="Few", text=("One.", "Two."))
    assert two.explanation == ("One.", "Two.")


def test_what_is_declared_is_registered_and_stays_a_function(section):
    @claim(section)
    def it_is_so(rows):
        return rows + 1

    @section.figure("A figure", alt="Lines.")
    def curves(sheet, rows):
        return "It is."

    section.table("few", "Rows", lambda rows: rows, keys=["size"], values=["right"])
    assert it_is_so(1) == 2 and section.claims["it-is-so"].measure is it_is_so
    assert section.claims["it-is-so"].claim == Claim(
        chapter="edges", id="it-is-so", statement="It is.", source="a book",
        measure="a share, mean over seeds", threshold=Threshold(above=0),
    )  # fmt: skip
    assert section.figures["curves"].draw is curves
    assert [table.id for table in section.shown] == ["few"]


def test_an_exact_measure_is_no_mean_over_seeds_and_bounds_are_those_of_a_threshold(section):
    @claim(section, over_seeds=False, above=None, at_least=1)
    def exact(rows):
        return exactly(1, 3)

    declared = section.claims["exact"].claim
    assert declared.measure == "a share" and str(declared.threshold) == "≥ 1"
    assert judge(declared, exact(None), dataset="d", model="m").verdict == SUPPORTED
    with pytest.raises(TypeError):
        claim(section, atleast=1)(lambda rows: rows)


@pytest.mark.parametrize(
    "declare",
    [
        claim,
        lambda section: section.figure("A figure", alt="Lines."),
        lambda section: section.derived,
    ],
)
def test_a_name_is_declared_once(section, declare):
    def twice(rows):
        return rows

    declare(section)(twice)
    with pytest.raises(ValueError, match="few: twice is declared twice"):
        declare(section)(twice)


def test_a_section_reads_what_its_functions_do_and_what_that_is_derived_of(section):
    @section.derived
    def ends(course, kernels=None):
        return course

    @section.derived
    def nobody_reads(unread):
        return unread

    @claim(section)
    def it_is(ends):
        return ends

    @section.figure("A figure", alt="Lines.")
    def curves(sheet, ends, course, answers):
        return "It is."

    section.table("few", "Rows", lambda more: more, keys=["size"], values=["right"])
    assert section.tables == ("course", "kernels", "answers", "more")


def test_a_default_of_none_is_what_may_be_absent_and_others_are_no_tables():
    def draw(sheet, rows, extra=None, size=3):
        return rows

    assert parameters(draw) == ["rows", "extra"]
    assert read(draw, {"rows": 1, "other": 2}) == {"rows": 1}
    assert read(draw, {"rows": 1, "extra": 2}) == {"rows": 1, "extra": 2}


def test_a_sweep_is_made_of_the_block(section):
    section.sweep(
        "few", "learning", cells=lambda block: ({"seed": s} for s in block["seeds"]),
        settings=lambda block: {"k": block["k"]}, tables=["few", "few_answers"],
    )  # fmt: skip
    sweep = section.sweeps["few"]({"seeds": [1, 2], "k": 3})
    assert (sweep.name, sweep.experiment) == ("few", "edges.experiments.learning")
    assert sweep.cells == [{"seed": 1}, {"seed": 2}] and sweep.settings == {"k": 3}
    assert sweep.tables == ("few", "few_answers")
