"""Open a report in headless Chromium and see whether it works: `python -m depthlens.report.check`.

The page tries itself out when it is opened with `#selfcheck` (its script runs, every column of
every table sorts both ways, every image decodes, nothing was loaded from elsewhere, no error was
raised) and writes what it found into its own document, which Chromium prints. Where its links lead
is seen without Chromium.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from depthlens.errors import StudyError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SECONDS = 120


class _Links(HTMLParser):
    """Collects what a document would load, and what its own check wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.ids: set[str] = set()
        self.ready = False
        self.result = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.ids.add(values.get("id", ""))
        self.ready |= tag == "html" and values.get("data-ready") == "true"
        for name in ("src", "srcset", "data", "poster", "action"):
            if name in values:
                self.loads.append(values[name])
        # A link that a reader follows is no request; one that the browser follows is.
        if "href" in values:
            (self.leads if tag == "a" else self.loads).append(values["href"])
        self._inside = tag if tag == "style" else values.get("id", "") if tag == "script" else ""
        self.loads += re.findall(r"url\(\s*['\"]?([^'\")]+)", values.get("style", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "selfcheck":
            self.result += data
        if self._inside == "style":
            self.loads += re.findall(r"(?:url\(\s*|@import\s+)['\"]?([^'\")\s]+)", data)


def external(document: str) -> list[str]:
    """What an HTML document would load that is not inside itself."""
    links = _Links()
    links.feed(document)
    return [load for load in links.loads if not load.startswith(("data:", "#"))]


def dead(document: str, folder: Path) -> list[str]:
    """Links of an HTML document that lead to no place in it and to no file from its folder on."""
    links = _Links()
    links.feed(document)
    found = []
    for link in map(urlsplit, links.leads):
        missing = bool(link.path) and not (folder / unquote(link.path)).exists()
        nowhere = not link.path and link.fragment not in links.ids
        if not link.netloc and (missing or nowhere):
            found.append(link.geturl())
    return found


def find_browser() -> str:
    """Path of a Chromium or Chrome on this machine.

    Raises
    ------
    StudyError
        If there is none.
    """
    for name in filter(None, (os.environ.get("CHROME"), *BROWSERS)):
        if path := shutil.which(name):
            return path
    raise StudyError(
        "no Chromium or Chrome on the PATH: install one, or name its program in the environment "
        "variable CHROME"
    )


def opened(path: Path, *, browser: str) -> tuple[str, list[str]]:
    """The document after its self-check, and what the browser's console said.

    Raises
    ------
    StudyError
        If the browser fails or takes more than two minutes.
    """
    with tempfile.TemporaryDirectory(prefix="depthlens-check-") as profile:
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--enable-logging=stderr",
            # Nothing outside the file may answer, so that a missing piece shows here too.
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=60000",
            f"--user-data-dir={profile}",
            # Chromium cannot build its sandbox as root, which is what containers run as.
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            "--dump-dom",
            f"{Path(path).resolve().as_uri()}#selfcheck",
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=_SECONDS, encoding="utf-8", errors="replace"
            )
        except subprocess.TimeoutExpired:
            raise StudyError(f"{path}: not opened by {browser} within {_SECONDS} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StudyError(f"{path}: {browser} ended with status {done.returncode}: {last}")
    return done.stdout, re.findall(r"CONSOLE[^\]]*\]\s*(.*)", done.stderr)


def faults(document: str, console: list[str]) -> list[str]:
    """Everything that is wrong with an opened report; nothing if it works.

    Parameters
    ----------
    document : str
        The document after its self-check.
    console : list of str
        What the browser's console said; a report says nothing.
    """
    links = _Links()
    links.feed(document)
    found = [f"it would load {load[:80]}" for load in external(document)]
    found += [f"console: {line}" for line in console]
    if not links.ready:
        found.append("its script did not run to the end")
    if not links.result:
        return [*found, "it did not check itself"]
    result = json.loads(links.result)
    found += result["faults"]
    if not result["images"]:
        found.append("it has no image")
    if not result["sorts"]:
        found.append("it has no table that sorts")
    return found


@click.command()
@click.argument("page", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(page: Path) -> None:
    """Open the report PAGE in headless Chromium and check that it works."""
    try:
        # Before opening it: the page's own policy would keep these from being seen.
        text = page.read_text(encoding="utf-8")
        if loads := external(text):
            raise StudyError(f"{page}: would load {loads[0][:80]}")
        if links := dead(text, page.parent):
            raise StudyError(f"{page}: links to {links[0]}, which is not there")
        document, console = opened(page, browser=find_browser())
    except StudyError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    if found := faults(document, console):
        for fault in found:
            click.echo(f"{page}: {fault}", err=True)
        sys.exit(1)
    click.echo(f"{page}: works")


if __name__ == "__main__":
    main()
