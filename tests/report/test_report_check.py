"""The check of an opened report finds what is wrong with it; the browser itself is not needed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from depthlens.report import check


def opened(*, ready="true", faults=(), images=3, sorts=4, body=""):
    result = json.dumps({"faults": list(faults), "images": images, "sorts": sorts})
    return (
        f'<html data-ready="{ready}"><body>{body}'
        f'<script type="application/json" id="selfcheck">{result}</script></body></html>'
    )


def test_a_report_that_works_has_no_fault():
    assert check.faults(opened(), []) == []


@pytest.mark.parametrize(
    ("document", "console", "fault"),
    [
        (opened(ready="false"), [], "did not run"),
        (opened(faults=["empty image: x"]), [], "empty image"),
        (opened(images=0), [], "no image"),
        (opened(sorts=0), [], "no table that sorts"),
        (opened(), ["Uncaught TypeError"], "console: Uncaught"),
        (opened(body='<img src="https://example.org/a.png">'), [], "would load https"),
        ('<html data-ready="true"></html>', [], "did not check itself"),
    ],
)
def test_each_fault_is_found(document, console, fault):
    assert any(fault in found for found in check.faults(document, console))


@pytest.mark.parametrize(
    "element",
    [
        '<img src="a.png">',
        '<img srcset="a.png 2x">',
        '<link rel="stylesheet" href="//example.org/a.css">',
        '<script src="https://example.org/a.js"></script>',
        "<style>p { background: url(a.png) }</style>",
        '<style>@import "a.css";</style>',
        '<p style="background: url(a.png)">',
    ],
)
def test_everything_that_would_be_loaded_is_seen(element):
    assert check.external(element)


def test_links_to_follow_and_data_are_no_requests():
    fine = '<a href="https://example.org">x</a><a href="#y">y</a><img src="data:image/png;base64,">'
    assert check.external(fine) == []


def test_links_that_lead_nowhere_are_dead(tmp_path):
    (tmp_path / "a b.html").touch()
    fine = (
        '<a href="https://example.org/x">x</a><a href="a%20b.html#y">y</a><a href="#z" id="z">z</a>'
    )
    assert check.dead(fine, tmp_path) == []
    assert check.dead('<a href="../b.html">b</a><a href="#c">c</a>', tmp_path / "d") == [
        "../b.html",
        "#c",
    ]
    page = tmp_path / "index.html"
    page.write_text('<a href="c/index.html">c</a>')
    done = CliRunner().invoke(check.main, [str(page)])
    assert done.exit_code == 1
    assert done.output == f"{page}: links to c/index.html, which is not there\n"


def test_missing_browser_is_one_clear_sentence(tmp_path, monkeypatch):
    page = tmp_path / "index.html"
    page.write_text("<html></html>")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROME", raising=False)
    done = CliRunner().invoke(check.main, [str(page)])
    assert done.exit_code == 1
    assert done.output.startswith("no Chromium or Chrome on the PATH")


@pytest.fixture
def browser(tmp_path, monkeypatch):
    """A program in the place of Chromium: prints a document and says something on its console."""

    def install(document: str, stderr: str = "", status: int = 0) -> Path:
        path = tmp_path / "chromium"
        (tmp_path / "document").write_text(document)
        (tmp_path / "stderr").write_text(stderr)
        path.write_text(
            f"#!/bin/sh\ncat '{tmp_path}/document'\ncat '{tmp_path}/stderr' >&2\nexit {status}\n"
        )
        path.chmod(0o755)
        monkeypatch.setenv("CHROME", str(path))
        page = tmp_path / "index.html"
        page.write_text("<html></html>")
        return page

    return install


def test_command_succeeds_on_a_working_report(browser):
    done = CliRunner().invoke(check.main, [str(browser(opened()))])
    assert (done.exit_code, done.output.endswith("index.html: works\n")) == (0, True)


def test_command_names_every_fault_and_fails(browser):
    said = '[1:2:3/4.5:INFO:CONSOLE(7)] "Uncaught ReferenceError", source: x (7)\n'
    page = browser(opened(faults=["table t is not sorted by n"]), said)
    done = CliRunner().invoke(check.main, [str(page)])
    assert done.exit_code == 1
    assert "table t is not sorted by n" in done.output
    assert "Uncaught ReferenceError" in done.output


def test_browser_that_fails_is_reported(browser):
    done = CliRunner().invoke(check.main, [str(browser("", "no display\n", status=3))])
    assert done.exit_code == 1
    assert "ended with status 3: no display" in done.output
