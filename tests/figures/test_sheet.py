"""What a sheet draws of tidy tables: means, intervals, levels, legends, and the text around."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from depthlens.figures import style
from depthlens.figures.sheet import Column, Sheet

COLUMNS = {
    "network": Column("network", {"a": "first", "b": "second"}.get, {"b": "#de8f05", "a": "blue"}),
    "moved": Column("images", {False: "in place", True: "moved"}.get),
    "right": Column("answered right", share=True),
    "loss": Column("loss, nats"),
    "size": Column("kernel", lambda size: f"{size}×{size}"),
}
SEEDS = np.arange(5)


@pytest.fixture(autouse=True)
def styled():
    with style.styled():
        yield


def sheet(*, shows="What is shown"):
    return Sheet("Title", shows, confidence_level=0.9, columns=COLUMNS)


def table(networks=("a", "b"), sizes=(3, 5)):
    """Shares near 1, losses that grow a hundredfold from seed to seed."""
    return pd.DataFrame(
        {
            "network": network, "moved": moved, "size": size, "seed": seed,
            "right": 1 - 0.01 * size * seed, "loss": 100.0**seed,
        }
        for network in networks for moved in (False, True) for size in sizes for seed in SEEDS
    )  # fmt: skip


def student(values):
    return stats.t.interval(0.9, len(values) - 1, np.mean(values), stats.sem(values))


def bars_of(ax):
    """Ends of the upright bars of intervals."""
    of_lines = [bars for made in ax.containers if hasattr(made, "has_yerr") for bars in made[2]]
    if of_lines:
        return [segment[:, 1] for bars in of_lines for segment in bars.get_segments()]
    return [np.asarray(line.get_ydata()) for line in ax.lines if len(set(line.get_xdata())) == 1]


@pytest.mark.parametrize(
    ("draw", "options"),
    [("lines", {"err_style": "bars"}), ("points", {"capsize": 0}), ("bars", {})],
)
def test_intervals_are_student_s_of_the_seeds(draw, options):
    rows, drawn = table(networks=["a"]).query("not moved"), sheet()
    ax = drawn.axes(3)
    getattr(drawn, draw)(ax, rows, "size", "loss", **options)
    ends = [ends for ends in bars_of(ax) if len(ends) == 2]
    assert ends == [pytest.approx(student(100.0**SEEDS))] * 2


def test_intervals_of_a_share_end_where_a_share_does():
    rows, drawn = table(networks=["a"], sizes=[3]).query("not moved"), sheet()
    ax = drawn.axes(3)
    drawn.lines(ax, rows.assign(right=[0.9, 1, 1, 1, 1]), "size", "right", err_style="bars")
    low, high = student([0.9, 1, 1, 1, 1])
    assert high > 1 and bars_of(ax) == [pytest.approx((low, 1))]
    assert ax.yaxis.get_major_formatter()(0.98, 0) == "98\u00a0%"


@pytest.mark.parametrize("draw", ["points", "bars"])
def test_categories_are_called_by_name_in_their_order(draw):
    rows, drawn = table(), sheet()
    for ax, options in zip(drawn.axes(3, columns=2)[0], ({}, {"order": ["a", "b"]}), strict=True):
        getattr(drawn, draw)(ax, rows, "right", "network", hue="network", **options)
    drawn.figure.draw_without_rendering()
    left, right = ([label.get_text() for label in ax.get_yticklabels()] for ax in drawn.figure.axes)
    assert (left, right) == (["second", "first"], ["first", "second"])


def test_means_on_a_logarithmic_axis_are_no_means_of_logarithms():
    rows, drawn = table(networks=["a"], sizes=[3]).query("not moved"), sheet()
    ax = drawn.axes(3)
    ax.set(xscale="log", yscale="log")
    drawn.lines(ax, rows, "size", "loss", err_style="bars")
    assert ax.lines[0].get_ydata() == pytest.approx((100.0**SEEDS).mean())
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_levels_stand_in_the_order_of_their_colours_and_numbers_ascend():
    drawn, rows = sheet(), table(sizes=[7, 3])
    assert drawn.levels(rows, "network") == ["b", "a"]
    assert drawn.levels(rows, "size") == [3, 7]
    assert drawn.levels(pd.DataFrame({"name": ["z", "b", "z"]}), "name") == ["z", "b"]
    assert drawn.colours(rows, "network") == {"second": "#de8f05", "first": "blue"}
    assert drawn.colours(rows, "size") == dict(
        zip(["3×3", "7×7"], style.palette("ab"), strict=True)
    )


def test_a_legend_has_every_entry_once_and_no_names_of_columns():
    drawn = sheet()
    for ax, _, rows in drawn.panels(table(), "size", 3):
        drawn.lines(ax, rows, "seed", "right", hue="network", style="moved")
    figure = drawn.drawing("Sentence.", "alt").figure
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "second", "first", "in place", "moved",
    ]  # fmt: skip
    assert not any(ax.get_legend() for ax in figure.axes)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["3×3", "5×5"]
    assert [ax.get_ylabel() for ax in figure.axes] == ["answered right", ""]


@pytest.mark.parametrize(
    "labels", [{}, {"note": "Not converged"}, {"xlabel": "shared", "note": "Not converged"}]
)
@pytest.mark.parametrize("ncols", [1, 4])
def test_a_legend_covers_nothing(labels, ncols):
    drawn = sheet()
    drawn.labels |= labels
    drawn.legend(ncols=ncols)
    for ax, _, rows in drawn.panels(table(), "size", 3):
        drawn.lines(ax, rows, "seed", "right", hue="network", style="moved")
    figure = drawn.drawing("Sentence.", "alt").figure
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    others = [ax.get_tightbbox() for ax in figure.axes]
    others += [text.get_window_extent() for text in figure.texts]
    assert len(others) == 2 + 2 + len(labels)
    assert legend.y0 >= 0 and not any(legend.overlaps(other) for other in others)


def test_the_text_below_the_title_says_what_intervals_are():
    drawn = sheet(shows="long " * 40)
    left, right = drawn.axes(3, columns=2)[0]
    drawn.facts.append("5 seeds")
    drawn.lines(left, table(), "seed", "right", hue="network")
    drawn.points(right, table(), "network", "right")
    title, subtitle = drawn.drawing("Sentence.", "alt").figure.texts
    assert title.get_text() == "Title"
    lines = subtitle.get_text().splitlines()
    assert lines[-1] == "5 seeds · bands and bars: 90\u00a0% intervals of the mean over seeds"
    assert len(lines) == 3 and max(map(len, lines)) <= 117


def test_the_same_table_gives_the_same_bytes(tmp_path):
    def written(name):
        drawn = sheet()
        drawn.lines(drawn.axes(3), table(), "size", "right", hue="network", style="moved")
        paths = style.save(drawn.drawing("Sentence.", "alt").figure, tmp_path / name, dpi=40)
        return [path.read_bytes() for path in paths]

    assert written("one") == written("two")


def test_a_place_without_a_value_has_no_interval_and_the_others_keep_theirs():
    rows = pd.DataFrame(
        {
            "network": ["a", "a", "b", "b"], "size": [3, 5, 3, 5], "loss": [1.0, np.nan, 3.0, 4.0],
            "low": [0.5, np.nan, 2.0, 3.5], "high": [2.0, np.nan, 5.0, 4.5],
        }
    )  # fmt: skip
    drawn = sheet()
    ax = drawn.axes(3)
    options = {"hue": "network", "interval": ("low", "high"), "err_style": "bars"}
    drawn.lines(ax, rows, "size", "loss", **options)
    assert sorted(map(tuple, bars_of(ax))) == [(0.5, 2.0), (2.0, 5.0), (3.5, 4.5)]


def test_on_a_native_scale_bars_stand_at_their_numbers():
    shown = sheet()
    ax = shown.axes(3)
    shown.bars(ax, table(sizes=(3, 9)), "size", "right", native_scale=True)
    centres = sorted(bar.get_x() + bar.get_width() / 2 for bar in ax.patches)
    assert centres == pytest.approx([3, 9])
