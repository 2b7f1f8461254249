"""The page: one file, escaped, with tables that say how they sort."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from depthlens.ledger import Claim, Measurement, NotTestableError, Threshold, judge
from depthlens.report import check, page
from depthlens.report.page import (
    Card,
    Cell,
    EnsembleSection,
    Page,
    Picture,
    RunSection,
    Table,
    Thumbnail,
)


def example(**changes):
    source = page.image_source(np.zeros((1, 4, 4), np.uint8))
    section = RunSection(
        id="toy-net-seed0",
        dataset=changes.get("dataset", "toy"),
        model="net",
        seed=0,
        warning=changes.get("warning"),
        cards=[Card("test accuracy", "71 %", "6 images")],
        explanation=["Because."],
        hardest=[Thumbnail(source, "heart", ["→ circle", "no. 3"])],
        easiest=[],
        pictures=[Picture("depth", "Title", "Sentence.", "Alternative", source)],
        tables=[
            Table(
                id="t",
                caption="Table",
                columns=["class", "n"],
                rows=[[Cell("a"), Cell("10", 10)], [Cell("b"), Cell("—", float("nan"))]],
            )
        ],
    )
    ensemble = EnsembleSection(
        id="toy-net-ensemble",
        title="toy · net · over 3 networks",
        warning=changes.get("ensemble_warning"),
        cards=[Card("networks", "3")],
        explanation=["Together."],
        pictures=[Picture("corners", "Title", "Sentence.", "Alternative", source)],
        tables=[
            Table(
                id="ranked",
                caption="Ranked",
                columns=["image", "needed"],
                rows=[[Cell("train 3", 3, image=source), Cell("∞", float("inf"))]] * 26,
            )
        ],
    )
    return Page(
        title="Report",
        probes="children",
        n_neighbors=7,
        metric="cosine",
        ensembles=[ensemble],
        runs=[section],
        scores=Table(id="table-scores", caption="Scores", columns=["score"], rows=[[Cell("x")]]),
        claims=page.claims_table(changes.get("findings", [])),
        chapters={"a_chapter": "Further things"},
        config="study: {}",
    )


def test_page_loads_nothing_from_elsewhere():
    document = page.render(example())
    assert check.external(document) == []
    assert not re.search(r"https?://", document)
    assert "default-src 'none'" in document


def test_page_about_the_machine_holds_its_tables_and_loads_nothing():
    about = Table(id="t", caption="Versions", columns=["package"], rows=[[Cell("<torch>")]])
    document = page.render_machine("Machine", [about])
    assert check.external(document) == []
    assert "<title>Machine</title>" in document and "&lt;torch&gt;" in document


def test_text_of_a_study_is_escaped_and_the_script_is_not():
    document = page.render(example(dataset="<script>alert(1)</script>"))
    assert "<script>alert" not in document
    assert "&lt;script&gt;alert(1)" in document
    assert '"use strict";' in document and "&#34;use strict" not in document


def test_every_section_is_in_the_contents_and_exists():
    document = page.render(example())
    targets = set(re.findall(r'<a href="#([^"]+)"', document)) - {"content"}
    ids = re.findall(r'id="([^"]+)"', document)
    known = {"toy-net-ensemble", "toy-net-seed0", "toy-net-seed0-why", "scores", "claims", "made"}
    assert known <= targets <= set(ids)
    assert ids.index("toy-net-ensemble") < ids.index("toy-net-seed0")
    assert len(ids) == len(set(ids))


def test_warning_of_an_unconverged_network_is_shown():
    assert 'role="alert"' not in page.render(example())
    document = page.render(example(warning="Network not converged"))
    assert re.search(r'role="alert">Network not converged<', document)
    assert 'role="alert">Beware<' in page.render(example(ensemble_warning="Beware"))


def test_long_tables_scroll_in_a_frame_and_show_their_images():
    document = page.render(example())
    assert '<div class="scroll tall" role="region" aria-labelledby="ranked-caption"' in document
    assert '<div class="scroll" role="region" aria-labelledby="t-caption"' in document
    cell = r'<td class="number" data-sort="3"><img src="data:image/png[^"]*" alt="">train 3</td>'
    assert len(re.findall(cell, document)) == 26


def test_numbers_sort_as_numbers_and_every_header_is_a_button():
    document = page.render(example())
    assert re.search(r'<th scope="col" class="number"><button type="button">n<', document)
    assert re.search(r'<th scope="col"><button type="button">class<', document)
    assert '<td class="number" data-sort="10">10</td>' in document
    assert '<td class="number" data-sort="nan">—</td>' in document


def test_row_that_does_not_fit_its_header_is_refused():
    with pytest.raises(ValueError, match="table t"):
        Table(id="t", caption="", columns=["a", "b"], rows=[[Cell("1")]])


def test_every_image_has_an_alternative_text():
    images = re.findall(r"<img [^>]*>", page.render(example()))
    assert len(images) == 29 and all(" alt=" in image for image in images)


def test_claims_show_their_verdict_as_a_badge():
    claim = Claim(
        chapter="c", id="i", statement="s", source="x", measure="m", threshold=Threshold(above=0)
    )
    value = Measurement(value=1, low=0.5, high=2, n=1234)
    findings = [
        judge(claim, value, dataset="toy", model="net"),
        judge(claim, NotTestableError("of reasons"), dataset="toy", model="net"),
    ]
    document = page.render(example(findings=findings))
    assert '<span class="badge supported">supported</span>' in document
    assert (
        '<span class="badge not-testable">not testable here, because of reasons</span>' in document
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_image_becomes_the_same_pixels_as_png(channels):
    image = np.random.default_rng(0).integers(0, 256, (channels, 5, 7)).astype(np.uint8)
    head, content = page.image_source(image).split(",")
    assert head == "data:image/png;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
    expected = np.moveaxis(image, 0, -1) if channels == 3 else image[0]
    assert (pixels == expected).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_large_images_become_small_in_the_page(channels):
    image = np.zeros((channels, 300, 150), np.uint8)
    _, content = page.image_source(image).split(",")
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (48, 96)


def test_galleries_are_embedded_as_pixels_and_charts_as_vectors(tmp_path, monkeypatch):
    (tmp_path / "gallery.svg").write_text('<svg><image href="data:,"/></svg>')
    (tmp_path / "chart.svg").write_text("<svg>" + " " * 100 + "</svg>")
    for name in ("gallery", "chart"):
        (tmp_path / f"{name}.png").write_bytes(b"pixels")
    stems = [tmp_path / "gallery", tmp_path / "chart"]
    kinds = [source.split(";")[0] for source in page.figure_sources(stems)]
    assert kinds == ["data:image/png", "data:image/svg+xml"]
    # Beyond what a page may weigh the smaller file wins.
    monkeypatch.setattr(page, "MOST_VECTOR_BYTES", 50)
    assert page.figure_sources(stems)[1].startswith("data:image/png")


def test_the_page_says_what_a_depth_counts():
    said = " ".join(page.render(example()).split())
    assert "A depth here counts the probes of a network (<code>children</code>;" in said
    assert "with 7 neighbours by cosine distance" in said and "Relative depth" in said


def test_pages_that_another_command_makes_are_named_with_it_and_not_linked(tmp_path):
    document = page.render(example())
    assert "Further things: <code>snakemake a_chapter</code>" in document
    assert check.dead(document, tmp_path) == ["machine.html"]  # written with the page
    chapter = page.ChapterPage(title="", introduction=[], sections=[], verdicts=[], config="")
    table = Table(id="t", caption="", columns=["a"], rows=[])
    ledger = page.LedgerPage(title="", chapters=table, claims=table, verdicts=[])
    for document in (page.render_chapter(chapter), page.render_ledger(ledger)):
        assert "<code>snakemake report</code>" in document
        assert check.dead(document, tmp_path) == []


def test_the_page_of_a_chapter_has_every_section_with_its_claims():
    claims = page.claims_table([], id="table-claims-first")
    table = page.Table(id="t", caption="How it went", columns=["a"], rows=[[page.Cell("1", 1)]])
    shown = page.ChapterPage(
        title="A <chapter>",
        introduction=["What it is about."],
        sections=[
            page.ChapterSection(
                id="first", title="One question", explanation=["So & so."], pictures=[],
                claims=claims, tables=[table],
            )
        ],
        verdicts=["supported", "supported", "not supported", "not testable"],
        config="seeds: [1]",
    )  # fmt: skip
    document = page.render_chapter(shown)
    assert "A &lt;chapter&gt;" in document and "So &amp; so." in document
    assert '<section id="first"' in document and '<a href="#first">One question</a>' in document
    assert 'id="table-claims-first"' in document and "How it went" in document
    assert (
        "Of 4 claims, each on one dataset, 2 supported, 1 not supported and 1 not testable here."
        in document
    )
    assert check.external(document) == []
