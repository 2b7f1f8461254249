"""The site of all pages (`make docs`): their order here, and how Sphinx reads them.

The source folder is the repository, so that a link means the same on the site and on a code host.
"""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

PAGES = {
    "Your own": ["docs/measure", "docs/data", "docs/networks", "docs/training", "docs/api"],
    "The study": ["docs/study", "docs/findings", "docs/fashion_mnist/README"],
    "The science": ["docs/scores", "docs/sensitivity", "tests/vectors/README"],
    "Inside": [
        "CONTRIBUTING",
        "docs/design",
        "docs/chapters",
        "docs/reproducibility",
        "docs/performance",
        "CHANGELOG",
    ],
}

project = "depthlens"
root_doc = "README"
include_patterns = ["README.md", *(f"{page}.md" for pages in PAGES.values() for page in pages)]
# Not even looked into: they may hold thousands of files.
exclude_patterns = [".*", "data", "reports", "results", "workflow", "docs/_build"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
highlight_language = "none"  # blocks that name no language are commands
default_role = "code"  # `name` in a docstring, as in Markdown
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types, with shapes
napoleon_google_docstring = False
napoleon_use_param = napoleon_use_rtype = False  # or "n" in a shape becomes a link to any n

html_theme = "furo"
html_title = "depthlens"
html_show_search_summary = False  # from the disk a browser does not fetch the texts for it
html_copy_source = html_show_sourcelink = html_show_copyright = html_show_sphinx = False


def with_contents(_app: Sphinx, page: str, text: list[str]) -> None:
    """Give the first page the list of all others, which a code host would show as code."""
    if page == root_doc:
        for caption, pages in PAGES.items():
            lines = ["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"]
            text[0] += "\n" + "\n".join(lines) + "\n"


def with_index(app: Sphinx, error: Exception | None) -> None:
    """The first page under the name that is opened."""
    if error is None:
        shutil.copyfile(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))


def setup(app: Sphinx) -> None:
    app.connect("source-read", with_contents)
    app.connect("build-finished", with_index)
