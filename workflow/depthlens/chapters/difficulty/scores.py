"""Does depth order the images as other scores of difficulty do?"""

import numpy as np
import pandas as pd
import seaborn as sns
from scipy import stats
from scipy.cluster import hierarchy

from depthlens.chapters.difficulty import words
from depthlens.chapters.section import Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.ledger import NotTestableError
from depthlens.prose import count, joined, number, percent, some
from depthlens.scores.catalogue import DEPTHS, DIFFICULTY
from depthlens.scores.correlations import by_pair, clustered, rank_correlations

section = Section(
    __name__,
    title="Scores",
    text="Every other score of the catalogue, turned so that larger means harder, beside depth.",
    columns=words.COLUMNS
    | {
        "score": Column("score", words.title_of),
        "a": Column("score", words.title_of),
        "b": Column("and score", words.title_of),
    },
)


def oriented(split):
    """Depths and scores of a split, turned so that larger means harder.

    Returns
    -------
    DataFrame
        One column each of the catalogue's `DIFFICULTY` that at least 3 examples have and that
        varies; NaN where an example lacks it.
    """
    columns = {}
    for score in DIFFICULTY:
        table = split.depths if score in DEPTHS else split.scores
        if score.name in table:
            columns[score.name] = score.harder * table[score.name].to_numpy(np.float64)
    table = pd.DataFrame(columns)
    return table.loc[:, (table.notna().sum() >= 3) & (table.nunique() > 1)]


@section.derived
def scores(run, level):
    """Rank correlation of every score with prediction depth, on each split that is studied.

    Returns
    -------
    DataFrame
        score, split ("test" or "train"), correlation, low, high, n: scores with the strongest
        correlation on the test set first. Scores are turned so that larger means harder.
    """
    rows = []
    for name, split in run.splits.items():
        values = oriented(split)
        others = [column for column in values if not words.is_depth(column)]
        if "depth" not in values or not others:
            continue
        found = rank_correlations(
            values[["depth", *others]].to_numpy(),
            confidence_level=level,
            pairs=[(0, index) for index in range(1, len(others) + 1)],
        )
        rows += [
            (score, name, found.rho[0, i], found.low[0, i], found.high[0, i], found.n[0, i])
            for i, score in enumerate(others, start=1)
        ]
    columns = ["score", "split", "correlation", "low", "high", "n"]
    table = pd.DataFrame(rows, columns=columns).dropna(subset="correlation")
    first = table.drop_duplicates("score").set_index("score")["correlation"].sort_values()
    turn = {score: index for index, score in enumerate(first.index[::-1])}
    return table.sort_values(
        ["score", "split"],
        key=lambda column: column.map(turn) if column.name == "score" else column,
        kind="stable",
        ignore_index=True,
    )


@section.derived
def measures(run):
    """Every measure of the test images, turned so that larger means harder."""
    return oriented(run.test)


@section.derived
def agreement(measures, level):
    """Rank correlations of all pairs of measures."""
    return rank_correlations(measures.to_numpy(), confidence_level=level)


@section.derived
def pairs(measures, agreement):
    """The same with one row a pair, the strongest first."""
    return by_pair(list(measures), agreement)


@section.claim(
    "The deeper an image, the later it is learned.",
    source=words.PAPER,
    measure="Spearman correlation between depth and the iteration at which an image is learned, "
    "over test images",
    over_seeds=False,
    above=0,
)
def deep_are_learned_late(runs):
    return correlation_with_depth(runs, "iteration_learned")


@section.claim(
    "The deeper an image, the smaller the network's output margin.",
    source=words.PAPER,
    measure="Spearman correlation between depth and output margin, over test images",
    over_seeds=False,
    below=0,
)
def deep_have_small_margins(runs):
    return correlation_with_depth(runs, "output_margin")


def correlation_with_depth(runs, name):
    """Rank correlation of depth with a score, mean of the runs."""
    ranks, called = [], name.replace("_", " ")
    for run in runs.runs:
        if name not in run.test.scores or run.test.scores[name].isna().all():
            raise NotTestableError(f"{called} was not computed")
        score, depth = run.test.scores[name].to_numpy(float), run.test.depths["depth"].to_numpy()
        if np.isnan(score).any():
            raise NotTestableError(f"some test images have no {called}")
        if len(depth) < 3 or np.ptp(score) == 0 or np.ptp(depth) == 0:
            raise NotTestableError(f"depth or {called} is the same for all images")
        ranks.append((stats.rankdata(depth), stats.rankdata(score)))

    # An example keeps its rank in every resample, as in `rank_correlations`.
    def correlation(a, b, times):
        a, b = a - np.average(a, weights=times), b - np.average(b, weights=times)
        scale = np.sqrt((times @ a**2) * (times @ b**2))
        return float((times * a) @ b / scale) if scale > 0 else np.nan

    return runs.estimate(lambda times: float(np.mean([correlation(a, b, times) for a, b in ranks])))


@section.figure(
    "What every other score says of deep images",
    shows="Spearman ρ of each score with prediction depth, most like depth first · above 0: deep "
    "images are harder",
    alt="A dot plot of the rank correlation of every score with depth.",
)
def score_with_depth(sheet, run, scores):
    sheet.facts.append(words.sizes(run))
    if scores.empty:
        return words.nothing(sheet, "Depth, or every other score, is the same for all images.")
    names = list(dict.fromkeys(scores["score"]))
    ax = sheet.axes(0.3 * len(names) + 0.4)
    sheet.intervals_of = " (bootstrap over images)"
    sheet.points(ax, scores, "correlation", "score", hue="split", interval=("low", "high"))
    ax.axvline(0, color=style.MUTED, linewidth=0.9)
    ax.set_yticks(range(len(names)), words.short_titles(names))
    ax.set_ylabel("")
    ax.grid(True, axis="x")
    fewest, test = scores["n"].min(), scores[scores["split"] == scores["split"].iloc[0]]
    if fewest < scores["n"].max():
        sheet.facts.append(f"at least {count(fewest)} of sampled scores")
    against = [words.name_of(score) for score in test.loc[test["high"] < 0, "score"]]
    said = f"; {joined(against)} {'says' if len(against) == 1 else 'say'} the opposite"
    return (
        f"On {words.SPLITS[test['split'].iloc[0]]}, {count((test['low'] > 0).sum())} of "
        f"{some(len(test), 'score')} call deep images harder beyond doubt, most of all "
        f"{words.name_of(test['score'].iloc[0])} ({words.rho_of(test.iloc[0])})"
        f"{said if against else ''}."
    )


@section.figure(
    "Which measures of difficulty agree",
    shows="Spearman ρ of all measures, each turned so that larger means harder · italic: the "
    "interval holds 0\nOrdered by average linkage on 1 − ρ",
    alt="A heat map of the rank correlations of all measures, with similar ones side by side.",
)
def score_correlations(sheet, run, measures, agreement, pairs):
    sheet.facts.append(f"n = {count(len(measures))} test images")
    if len(measures.columns) < 2:
        return words.nothing(sheet, "Fewer than two measures vary on the test set.")
    pairs = pairs.dropna(subset="correlation")
    if len(pairs) and pairs["n"].min() < len(measures):
        sheet.facts.append(f"at least {count(pairs['n'].min())} a pair")
    widest = 0.5 * (pairs["high"] - pairs["low"]).max()
    level = percent(sheet.confidence_level)
    sheet.facts.append(f"{level} bootstrap intervals are ± {number(widest)} at most")
    order, tree = clustered(agreement.rho)
    rho, low, high = (of[np.ix_(order, order)] for of in agreement[:3])
    names, size = measures.columns[order], len(order)
    ax, beside = sheet.axes(
        max(1.6, 0.31 * size) + 1.3, columns=2, gridspec_kw={"width_ratios": [8, 1], "wspace": 0}
    )[0]
    written = [
        [_written(rho[i, j], size) if i != j else "" for j in range(size)] for i in range(size)
    ]
    sns.heatmap(
        rho, annot=np.array(written), fmt="", annot_kws={"size": 9 if size <= 12 else 7.2},
        mask=np.isnan(rho), cmap="RdBu_r", vmin=-1, vmax=1, linewidth=0.5, cbar=False,
        xticklabels=words.short_titles(names), yticklabels=words.short_titles(names), ax=ax,
    )  # fmt: skip
    open_ = (low <= 0) & (high >= 0)
    for text, place in zip(ax.texts, np.argwhere(~np.isnan(rho)), strict=True):
        text.set_fontstyle("italic" if open_[tuple(place)] else "normal")
    for labels in (ax.get_yticklabels(), ax.get_xticklabels()):
        words.embolden_depths(labels, names)
    ax.tick_params(axis="x", rotation=45)
    for label in ax.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    ax.set_facecolor(style.FAINT)
    leaves = hierarchy.dendrogram(tree, no_plot=True)
    for x, y in zip(leaves["dcoord"], leaves["icoord"], strict=True):
        beside.plot(x, np.array(y) / 10, color=style.MUTED, linewidth=0.9)
    beside.set(xlim=(0, None), ylim=(size, 0))
    beside.set_axis_off()
    bar = sheet.figure.colorbar(ax.collections[0], ax=beside, fraction=0.5, aspect=30, pad=0.05)
    bar.set_label("Spearman ρ", fontsize=8.5)
    bar.outline.set_visible(False)
    said = [f"{count((pairs['low'] > 0).sum())} of {some(len(pairs), 'pair')} agree beyond doubt"]
    of_depth = pairs[(pairs["a"] == "depth") & ~pairs["b"].map(words.is_depth)]
    if len(of_depth):
        best = of_depth.loc[of_depth["correlation"].idxmax()]
        said.append(
            f"prediction depth agrees most with {words.name_of(best['b'])} ({words.rho_of(best)})"
        )
    return f"Of the measures, {'; '.join(said)}."


def _written(rho, size):
    """A correlation in a matrix; without its zero where cells are narrow."""
    text = number(rho)
    return text.replace("0.", ".", 1) if size > 12 and abs(rho) < 1 else text


section.table(
    "scores",
    "Scores and prediction depth: rank correlation ρ, scores turned so that larger means harder",
    lambda scores: scores,
    keys=("score", "split"),
    values=("correlation", "low", "high", "n"),
)
section.table(
    "correlations",
    "All pairs of scores on the test images: rank correlation ρ, strongest first",
    lambda pairs: pairs,
    keys=("a", "b"),
    values=("correlation", "low", "high", "n"),
)
