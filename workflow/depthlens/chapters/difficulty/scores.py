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
    """Depths and scores that vary, a column each, turned so that larger means harder.

    NaN where an example lacks it; none that fewer than 3 examples have.
    """
    columns = {}
    for score in DIFFICULTY:
        table = split.depths if score in DEPTHS else split.scores
        if score.name in table:
            columns[score.name] = score.harder * table[score.name].to_numpy(np.float64)
    table = pd.DataFrame(columns)
    return table.loc[:, (table.notna().sum() >= 3) & (table.nunique() > 1)]


@section.derived
def measures(run):
    """Every measure of the test images."""
    return oriented(run.test)


@section.derived
def agreement(measures, level):
    """Rank correlations of all pairs of measures."""
    return rank_correlations(measures.to_numpy(), confidence_level=level)


@section.derived
def pairs(measures, agreement):
    """The same with one row a pair, the strongest first."""
    return by_pair(list(measures), agreement)


@section.derived
def scores(run, pairs, level):
    """Rank correlation of each score with prediction depth, on each split that is studied.

    Scores with the strongest correlation on the test set first, each with its splits.
    """
    table = pairs.assign(split="test")
    if run.train:
        values = oriented(run.train)
        first = [(0, index) for index in range(1, len(values.columns))]
        found = rank_correlations(values.to_numpy(), confidence_level=level, pairs=first)
        table = pd.concat([table, by_pair(list(values), found).assign(split="train")])
    table = with_depth(table).rename(columns={"b": "score"}).drop(columns="a")
    strongest = table.drop_duplicates("score").sort_values("correlation", ascending=False)
    return table.set_index("score").loc[strongest["score"]].reset_index()


def with_depth(pairs):
    """Pairs of prediction depth and what is no depth, as far as they have a correlation."""
    known = pairs.dropna(subset="correlation")
    return known[(known["a"] == "depth") & ~known["b"].map(words.is_depth).astype(bool)]


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
    words.name_measures(ax.yaxis, names)
    fewest, test = scores["n"].min(), scores[scores["split"] == scores["split"].iloc[0]]
    if fewest < scores["n"].max():
        sheet.facts.append(f"at least {count(fewest)} of sampled scores")
    most, opposite = test.iloc[0], test.loc[test["high"] < 0, "score"].map(words.name_of)
    return (
        f"On {words.SPLITS[most['split']]}, {count((test['low'] > 0).sum())} of "
        f"{some(len(test), 'score')} call deep images harder beyond doubt, most of all "
        f"{words.name_of(most['score'])} (ρ = {words.with_interval(most, 'correlation')}); the "
        f"opposite is said by {joined(opposite) or 'none'}."
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
    level, widest = percent(sheet.confidence_level), (pairs["high"] - pairs["low"]).max()
    sheet.facts.append(f"{level} bootstrap intervals are ± {number(0.5 * widest)} at most")
    order, tree = clustered(agreement.rho)
    rho, low, high = (of[np.ix_(order, order)] for of in agreement[:3])
    size, shares = len(order), {"width_ratios": [8, 1], "wspace": 0}
    ax, beside = sheet.axes(max(1.6, 0.31 * size) + 1.3, columns=2, gridspec_kw=shares)[0]
    written = np.vectorize(_written, otypes=[object])(rho, size)
    np.fill_diagonal(written, "")
    sns.heatmap(
        rho, annot=written, fmt="", annot_kws={"size": 9 if size <= 12 else 7.2},
        mask=np.isnan(rho), cmap="RdBu_r", vmin=-1, vmax=1, linewidth=0.5, cbar=False,
        xticklabels=True, yticklabels=True, ax=ax,
    )  # fmt: skip
    for text, (i, j) in zip(ax.texts, np.argwhere(~np.isnan(rho)), strict=True):
        text.set_fontstyle("italic" if low[i, j] <= 0 <= high[i, j] else "normal")
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    words.name_measures(ax.xaxis, measures.columns[order], **slanted)
    words.name_measures(ax.yaxis, measures.columns[order], rotation=0)
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
    said = f"{count((pairs['low'] > 0).sum())} of {some(len(pairs), 'pair')} agree beyond doubt"
    of_depth = with_depth(pairs).nlargest(1, "correlation")
    said += "".join(
        f"; prediction depth agrees most with {words.name_of(row['b'])} "
        f"(ρ = {words.with_interval(row, 'correlation')})"
        for _, row in of_depth.iterrows()
    )
    return f"Of the measures, {said}."


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
