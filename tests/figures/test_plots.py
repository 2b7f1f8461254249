"""Building blocks of figures."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest

from depthlens.figures import plots, style


@pytest.mark.parametrize("n", range(1, 32))
def test_grid_has_room_for_every_panel_and_no_empty_row(n):
    rows, columns = plots.grid_shape(n, most_columns=4)
    assert columns <= 4
    assert (rows - 1) * columns < n <= rows * columns


def test_pictures_keep_colour_and_turn_other_channels_grey():
    image = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    assert (plots.as_picture(image)[1, 0] == [2, 6, 10]).all()
    grey = plots.as_picture(image[:1])
    assert grey.shape == (2, 2, 3) and (grey[..., 0] == image[0]).all()


@pytest.mark.parametrize("n_probes", [2, 12, 20, 31])
@pytest.mark.parametrize("name", ["fc", "maxpool", "features.12.block.0.conv"])
def test_names_below_an_axis_never_overlap(n_probes, name):
    with style.styled():
        figure, axes = style.canvas(3)
        labels = [str(i) for i in range(n_probes)]
        plots.category_axis(figure, axes[0, 0], labels, [name] * n_probes)
        figure.draw_without_rendering()
        ticks = axes[0, 0].get_xticklabels()
        if ticks[0].get_rotation() == 0:
            boxes = [tick.get_window_extent() for tick in ticks]
            assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
        else:
            # Slanted lines run side by side: their distance is that of the ticks, times sin 45°.
            x = [axes[0, 0].transData.transform((i, 0))[0] for i in (0, 1)]
            assert (x[1] - x[0]) * np.sqrt(0.5) > 8.5 / 72 * figure.dpi


def test_error_bars_leave_out_what_has_no_interval():
    with style.styled():
        _, axes = style.canvas(2)
        plots.error_bars(axes[0, 0], [0, 1], [0.5, np.nan], [0.4, np.nan], [0.7, np.nan])
    (segments,) = [c.get_segments() for c in axes[0, 0].collections]
    assert np.allclose(segments, [[[0, 0.4], [0, 0.7]]])


def test_text_table_holds_every_cell():
    with style.styled():
        figure, axes = style.canvas(1)
        plots.text_table(figure, axes[0, 0], ["name", "n"], [["a", "1"], ["b", "20"]])
    shown = {text.get_text(): text.get_ha() for text in axes[0, 0].texts}
    assert shown == {"name": "left", "a": "left", "b": "left", "n": "right", "1": "right",
                     "20": "right"}  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.04, 3, ["0.05", "0.1", "0.2", "0.5", "1", "2"]),
        (0.0002, 3, ["0.001", "0.01", "0.1", "1"]),
    ],
)
def test_a_logarithmic_axis_labels_what_there_is_room_for(low, high, labels):
    figure, axes = plt.subplots()
    axes.plot([0, 1], [low, high])
    plots.logarithmic_axis(axes, lambda value: f"{value:g}", low=low, high=high)
    figure.canvas.draw()
    ticks = zip(axes.yaxis.get_majorticklabels(), axes.get_yticks(), strict=True)
    assert [tick.get_text() for tick, at in ticks if low <= at <= high] == labels
    assert not any(tick.get_text() for tick in axes.yaxis.get_minorticklabels())
    plt.close(figure)
