"""Every figure draws whatever a study may hold, and says what the data say."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from depthlens.chapters import answers
from depthlens.chapters.difficulty import contents, scores, words
from depthlens.chapters.difficulty.classes import classes
from depthlens.chapters.difficulty.galleries import hardest
from depthlens.figures import style
from depthlens.prose import number
from depthlens.scores.correlations import rank_correlations
from depthlens.tables import Images

LEVEL = 0.95


def draw(made):
    return dict(contents.drawings(made, note=made["run"].warning))


def one(made, name):
    """A figure, drawn with none but those of its section."""
    (section,) = (section for section in contents.SECTIONS if name in section.figures)
    return dict(answers.drawings(section, made, confidence_level=LEVEL))[name]


def material(make_run, *, n=60, n_classes=3, n_probes=5, channels=1, depths=None, **options):
    random = np.random.default_rng(0)
    label = np.arange(n) % n_classes
    depth = random.integers(0, n_probes + 1, n) if depths is None else np.resize(depths, n)
    duplicate_of = options.pop("duplicate_of", [None] * n_probes)
    if duplicate_of[-2:] != [None, None][: len(duplicate_of[-2:])]:
        depth = np.where(depth == n_probes - 1, 0, depth)
    run = make_run(
        depth,
        options.pop("correct", depth < n_probes),
        label,
        confidence=random.random(n),
        classes=[f"class number {i}" for i in range(n_classes)],
        duplicate_of=duplicate_of,
        knn=random.integers(0, n_classes, (n, n_probes)),
        **options,
    )
    images = random.integers(0, 256, (n, channels, 6, 6)).astype(np.uint8)
    factors = {"brightness": images.mean(axis=(1, 2, 3)), "fixed": np.ones(n)}
    split = Images(np.arange(n, dtype=np.int32), images, label, run.classes, factors)
    history = pd.DataFrame(
        {name: [0.5] for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy")}
    ).assign(epoch=1)
    return contents.of_run(
        run, train=split, test=split, history=history, gallery_images=9, level=LEVEL
    )


def made_with_train(make_run, make_split, depths=None, **options):
    depths = np.arange(80) % 6 if depths is None else depths
    return material(make_run, train=make_split(depths, n_probes=5, train=True), **options)


def texts(figure):
    return [text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))]


def test_every_name_in_the_list_is_drawn_once_in_order(make_run, make_split):
    drawn = draw(material(make_run))
    assert list(drawn) == contents.run_figures(trained=True, train_studied=False)
    with_train = made_with_train(make_run, make_split)
    drawn = draw(with_train)
    assert list(drawn) == contents.run_figures(trained=True, train_studied=True)
    for drawing in drawn.values():
        assert drawing.title and drawing.sentence.endswith((".", ")")) and drawing.alt
        assert any("n = " in text for text in texts(drawing.figure))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "case",
    [
        {"n": 12, "n_classes": 1, "n_probes": 2, "channels": 3},
        {"n": 120, "n_classes": 100, "n_probes": 30},
        {"depths": [0]},
        {"depths": [5], "correct": np.zeros(60, bool)},
        {"depths": [0, 5], "duplicate_of": [None, "00-p0", None, None, "03-p3"]},
        {"n": 1, "n_classes": 1, "channels": 4},
    ],
    ids=["one class", "many classes", "all easy", "all wrong", "duplicates", "one image"],
)
def test_extreme_studies_are_drawn_without_a_warning(make_run, case):
    for drawing in draw(material(make_run, **case)).values():
        drawing.figure.draw_without_rendering()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_kinds", [0, 1])
def test_scores_that_say_nothing_are_drawn_without_a_warning(make_run, make_split, n_kinds):
    scores = pd.DataFrame({"loss": np.ones(60), "entropy": np.full(60, np.nan)})
    if n_kinds:
        scores["el2n"] = np.where(np.arange(60) < 2, np.arange(60.0), np.nan)
    for ks in ((), (1,), (30,)):
        split = make_split(np.zeros(60, int), n_probes=5, scores=scores, ks=ks,
                           by_k=np.zeros((60, len(ks)), int))  # fmt: skip
        split.depths["depth_last_probe"] = split.depths["depth_label"] = 0
        drawn = draw(material(make_run, depths=[0], test=split))
        assert drawn["score_correlations"].sentence.startswith("Fewer than two measures vary")
        assert drawn["score_with_depth"].sentence.startswith("Depth, or every other score")
        for drawing in drawn.values():
            drawing.figure.draw_without_rendering()


def test_network_that_came_with_weights_has_no_training_curves(make_run):
    made = material(make_run)
    del made["history"]
    drawn = list(draw(made))
    assert drawn == contents.run_figures(trained=False, train_studied=False)
    assert "training_curves" not in drawn


def test_self_voting_says_what_it_hides(make_run, make_split):
    train = make_split([2, 2, 0, 4], n_probes=5, train=True)
    train.depths["depth_self_voting"] = [0, 2, 0, 3]
    sentence = one(material(make_run, train=train), "self_voting").sentence.replace("\u00a0", " ")
    assert "mean depth of 1.25 instead of 2.00 (difference 0.75 [" in sentence
    assert "50.0 % become shallower, and 50.0 % instead of 25.0 % seem settled" in sentence


def test_matrix_writes_each_correlation_where_its_measures_meet(make_run):
    made = material(make_run)
    ax = one(made, "score_correlations").figure.axes[0]
    values = scores.oriented(made["run"].test)
    found = rank_correlations(values.to_numpy(), confidence_level=LEVEL)
    titles = [words.title_of(column) for column in values]
    down, across = ([tick.get_text() for tick in ticks] for ticks in (
        ax.get_yticklabels(), ax.get_xticklabels()
    ))  # fmt: skip
    assert sorted(down) == sorted(titles) and down == across
    written = [text for text in ax.texts if text.get_text()]
    assert len(written) == len(titles) * (len(titles) - 1)
    for text in written:
        x, y = (int(place) for place in text.get_position())
        rho = found.rho[titles.index(down[y]), titles.index(across[x])]
        assert text.get_text() == number(rho).replace("0.", ".")


def test_network_that_did_not_converge_is_named_on_every_figure(make_run):
    note = "Network not converged: 93.1 % of the training set, 99 % required"
    for drawing in draw(material(make_run, converged=False)).values():
        assert note in [text.replace("\u00a0", " ") for text in texts(drawing.figure)]
    for drawing in draw(material(make_run)).values():
        assert not any("not converged" in text for text in texts(drawing.figure))


@pytest.mark.parametrize("name", ["depth_histogram", "accuracy_by_depth"])
def test_impossible_depths_are_marked_with_their_reason(make_run, name):
    duplicate_of = [None, None, None, None, "03-p3"]
    drawn = one(material(make_run, duplicate_of=duplicate_of), name)
    assert "impossible (= p3)" in texts(drawn.figure)
    plain = one(material(make_run), name)
    assert not any("impossible" in text for text in texts(plain.figure))


def test_histogram_writes_the_number_of_images_above_each_bar(make_run):
    drawing = one(material(make_run, n=50, depths=[0, 0, 0, 1, 5]), "depth_histogram")
    assert {"30", "10"} <= set(texts(drawing.figure))
    assert drawing.sentence.startswith("Of 50 test images 60.0\u00a0% are settled at the input")


def test_gallery_shows_true_and_predicted_class_of_the_hardest(make_run):
    made = material(make_run)
    shown = texts(one(made, "gallery_hardest").figure)
    first = made["run"].examples.loc[hardest(made["run"], 1)[0]]
    assert f"class number {first['label']}" in shown
    assert f"→ class number {first['prediction']}" in shown


def test_small_multiples_show_the_hardest_of_many_classes_and_say_so(make_run):
    made = material(make_run, n=120, n_classes=30)
    drawing = one(made, "depth_by_class")
    assert any("the 20 hardest classes" in text for text in texts(drawing.figure))
    hardest = classes(made["run"], LEVEL)["class"][0]
    assert drawing.sentence.startswith(f"The hardest class is {hardest}: ")


def test_small_multiples_share_their_axes(make_run):
    made = material(make_run)
    for drawing in (one(made, "depth_by_class"), one(made, "class_mix_by_depth")):
        panels = [axes for axes in drawing.figure.axes if axes.axison]
        for first, second in itertools.pairwise(panels):
            assert first.get_xlim() == second.get_xlim()
            assert first.get_ylim() == second.get_ylim()


def test_bars_and_intervals_of_depths_with_few_images_are_whole(make_run):
    made = material(make_run, n=121, n_classes=6, depths=[*[0] * 120, 5])
    for axes in one(made, "class_mix_by_depth").figure.axes:
        ends = [line.get_xdata().max() for line in axes.lines]
        assert max(ends, default=0) <= axes.get_xlim()[1]


def test_a_class_has_its_colour_in_every_figure(make_run):
    made = material(make_run)
    colours = style.palette(made["run"].classes)
    by_class = classes(made["run"], LEVEL)
    panels = one(made, "depth_by_class").figure.axes
    for axes, label in zip(panels, by_class["label"], strict=False):
        assert {to_hex(bar.get_facecolor()) for bar in axes.containers[0]} == {colours[label]}
    for axes in one(made, "class_mix_by_depth").figure.axes:
        if axes.axison:
            bars = [bar for drawn in axes.containers for bar in drawn]
            assert [to_hex(bar.get_facecolor()) for bar in bars] == colours
    frames = one(made, "gallery_hardest").figure.axes[0].patches
    shown = made["run"].examples.loc[hardest(made["run"], 9), "label"]
    assert [to_hex(frame.get_edgecolor()) for frame in frames] == [colours[i] for i in shown]


def test_axes_carry_units_of_generated_factors_only(make_run):
    assert "as measured" in "".join(texts(one(material(make_run), "depth_by_factor").figure))
