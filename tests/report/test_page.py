"""The page: one file, escaped, with tables that say how they sort."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from depthlens.ledger import Claim, Measurement, NotTestableError, Threshold, judge
from depthlens.report import check, page
from depthlens.report.page import Card, Cell, Page, Picture, RunSection, Table, Thumbnail


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
    return Page(
        title="Report",
        runs=[section],
        claims=page.claims_table(changes.get("findings", [])),
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
    assert {"toy-net-seed0", "toy-net-seed0-why", "claims", "made"} <= targets <= set(ids)
    assert len(ids) == len(set(ids))


def test_warning_of_an_unconverged_network_is_shown():
    assert 'role="alert"' not in page.render(example())
    document = page.render(example(warning="Network not converged"))
    assert re.search(r'role="alert">Network not converged<', document)


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
    assert len(images) == 2 and all(" alt=" in image for image in images)


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
