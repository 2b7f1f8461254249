"""The look: colours, titles, and files that are the same bytes every time."""

import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from depthlens.figures import style


def example():
    with style.styled():
        figure, axes = style.canvas(2)
        axes[0, 0].bar([0, 1], [1, 2], hatch="//")
        axes[0, 0].imshow(np.eye(4), extent=(0, 1, 0, 1))
        style.frame(figure, title="Title", subtitle="n = 2", note="Careful")
    return figure


def test_same_figure_gives_the_same_bytes_in_another_process(tmp_path, monkeypatch):
    script = (
        "import sys; from depthlens.figures import style\n"
        "with style.styled():\n"
        "    figure, axes = style.canvas(2)\n"
        "    axes[0, 0].bar([0, 1], [1, 2], hatch='//')\n"
        "    style.frame(figure, title='Title', subtitle='n = 2')\n"
        "style.save(figure, sys.argv[1], dpi=50)\n"
    )
    # Of the environment only what Python needs: the look may depend on nothing else.
    environment = {
        "PYTHONPATH": ":".join(sys.path),
        "PYTHONHASHSEED": "1",
        "MPLCONFIGDIR": mpl.get_configdir(),
    }
    command = [sys.executable, "-c", script, str(tmp_path / "there")]
    subprocess.run(command, check=True, env=environment)
    monkeypatch.setattr(sys, "argv", ["-c", str(tmp_path / "here")])
    exec(script, {})
    for kind in ("svg", "png"):
        here, there = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("here", "there"))
        assert here == there


def test_files_hold_no_date_and_no_version(tmp_path):
    svg, png = style.save(example(), tmp_path / "figure", dpi=50)
    text = svg.read_text(encoding="utf-8")
    assert "<dc:date" not in text and mpl.__version__ not in text
    assert b"Software" not in png.read_bytes() and b"tIME" not in png.read_bytes()


def test_svg_draws_its_letters_itself(tmp_path):
    svg, _ = style.save(example(), tmp_path / "figure", dpi=50)
    assert not re.search(r"<text[ >]", svg.read_text(encoding="utf-8"))


def test_nothing_is_left_behind_when_a_figure_cannot_be_written(tmp_path, monkeypatch):
    figure = example()
    monkeypatch.setattr(figure, "savefig", lambda path, **_: (path.write_text("half"), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        style.save(figure, tmp_path / "figure", dpi=50)
    assert list(tmp_path.iterdir()) == []


def test_style_leaves_the_settings_of_others_alone():
    before = dict(mpl.rcParams)
    example()
    assert dict(mpl.rcParams) == before


def test_frame_makes_room_instead_of_taking_it():
    with style.styled():
        plain, _ = style.canvas(2)
        style.frame(plain, title="T", subtitle="one line")
        noted, _ = style.canvas(2)
        style.frame(noted, title="T", subtitle="two\nlines", xlabel="x", note="Careful")
    for figure in (plain, noted):
        _, _, _, height = figure.get_layout_engine().get()["rect"]
        assert height * figure.get_size_inches()[1] == pytest.approx(2)


@pytest.mark.parametrize("n", [1, 6, 10, 11, 100])
def test_every_class_has_a_colour_of_its_own(n):
    assert len(set(style.palette([str(i) for i in range(n)]))) == n


def test_palette_is_told_apart_by_colour_blind_readers():
    # Dichromats as in Machado, Oliveira, Fernandes (2009), severity 1, on linear RGB.
    views = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                   [-0.011820, 0.042940, 0.968881]],
    }  # fmt: skip
    colours = np.array([mpl.colors.to_rgb(c) for c in style.palette(list("abcdef"))])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    for view in views.values():
        seen = np.clip(linear @ np.array(view).T, 0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=2) + np.eye(6)
        assert apart.min() > 0.1
