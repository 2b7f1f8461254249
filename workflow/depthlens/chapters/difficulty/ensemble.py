"""What do all networks of one dataset and model say together, seen and unseen?"""

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.ticker import FuncFormatter, NullLocator

from depthlens.chapters.difficulty import card, words
from depthlens.chapters.difficulty.card import CORNERS, HELD_OUT, SIDES, TRAIN
from depthlens.chapters.section import Entry, Section
from depthlens.figures import plots, style
from depthlens.figures.sheet import Column
from depthlens.prose import count, joined, number, percent, shortened, some

CORNER_IMAGES = 12
"""images in the gallery of a corner"""
_TARGET = 0.9  # the reliability that `networks_needed` is about
# From a shade that white paper can be told from.
_SHADES = ListedColormap(mpl.colormaps["Blues"](np.linspace(0.14, 1, 256)))
_NO_BOTH = "No image has a depth on both sides."
_GIVE = {"consensus": "give the commonest class", "label": "give the true class"}

section = Section(
    __name__,
    title="Four corners and reliability",
    text="Each image was learned from by some networks and held out from others.",
    columns=words.COLUMNS
    | {
        "depth": Column("mean held-out depth, to the nearest whole depth", count),
        "share": Column("share of the networks", share=True),
        "of": Column(
            "networks", _GIVE.__getitem__, {"consensus": style.RIGHT, "label": style.WRONG}
        ),
        "score": Column("score", words.title_of),
        "side": Column("side", SIDES.__getitem__, {"held_out": style.WRONG, "train": style.INK}),
        "reliability": Column("reliability of one network"),
        "networks_needed": Column("networks needed", lambda n: number(n, 1)),
        "n_examples": Column("n", count),
        "measurements": Column("measurements an image", lambda n: number(n, 1)),
        "consensus_consistency": Column("agree", percent),
        "label_consistency": Column("right", percent),
    },
)


section.derived(card.consensus)
section.derived(card.ranked)


@section.figure(
    "How deep where the label was given, how deep where it was not",
    shows="Images by prediction depth, mean over the networks of each side, to the nearest whole "
    "depth\n0: settled at the first probe, the last depth: never · dotted: both the same",
    alt="A two-dimensional histogram of mean training depth by mean held-out depth.",
)
def four_corners(sheet, ensemble):
    n, size = len(ensemble.both), ensemble.n_probes + 1
    sheet.facts.append(f"n = {count(n)} images, {some(ensemble.n_networks, 'network')}")
    if not n:
        return words.nothing(sheet, _NO_BOTH)
    found, ax = card.histogram(ensemble), sheet.axes(5.4)
    largest = max(int(found.max()), 2)
    sns.heatmap(
        found, mask=found == 0, cmap=_SHADES, norm=LogNorm(1, largest), linewidth=0.5,
        annot=np.vectorize(count)(found) if size <= 16 else None, fmt="", annot_kws={"size": 7.5},
        cbar_kws={"label": "images", "fraction": 0.05, "pad": 0.02, "aspect": 35}, ax=ax,
    )  # fmt: skip
    ax.invert_yaxis()
    ax.grid(False)
    ax.plot([0, size], [0, size], color=style.MUTED, linewidth=0.8, linestyle=":")
    ticks = np.arange(0, size, 1 if size <= 16 else 5)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(ticks + 0.5, [str(depth) for depth in ticks], rotation=0)
    ax.set_xlabel("mean held-out depth (networks that did not learn from the image)")
    ax.set_ylabel("mean training depth (networks that did)")
    for corner in CORNERS:
        ax.annotate(
            f"{'▲' if corner.train else '▼'} {corner.name}", (corner.held_out, corner.train),
            xycoords="axes fraction", textcoords="offset points",
            xytext=(0, 6 if corner.train else -42), va="bottom", fontweight="bold",
            ha="right" if corner.held_out else "left", fontsize=9,
        )  # fmt: skip
    bar = ax.collections[0].colorbar.ax.yaxis
    bar.set_ticks([t for t in (1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000) if t <= largest])
    bar.set_minor_locator(NullLocator())
    bar.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    both, parts = ensemble.both, card.quadrants(ensemble)
    ordered = sorted(CORNERS, key=parts.get, reverse=True)
    shares = [f"{percent(parts[corner] / n, 1)} {corner.verb}" for corner in ordered]
    return (
        f"By the half of the scale that each mean depth lies in, of the images {joined(shares)}. "
        f"The mean depth is {number(both[TRAIN].mean())} where an image was learned from and "
        f"{number(both[HELD_OUT].mean())} where it was not."
    )


@section.figure(
    "What lies in the four corners",
    shows=f"Up to {CORNER_IMAGES} images of each quarter of the plane of mean depths, nearest its "
    "corner first\nBelow each image: label, → class that most "
    "networks give it unseen (their share), training / held-out depth",
    alt="Four grids of images, one for each corner of the plane of depths.",
)
def corner_galleries(sheet, ensemble):
    sheet.facts.append(f"n = {count(len(ensemble.both))}")
    if ensemble.both.empty:
        return words.nothing(sheet, _NO_BOTH)
    shape, colours = ensemble.images["test"].images.shape, style.palette(ensemble.classes)
    columns, tall, room = 4, shape[2] / shape[3], 0.66
    chosen = {corner: card.nearest(ensemble, corner, CORNER_IMAGES) for corner in CORNERS}
    lines = max(1, -(-max(map(len, chosen.values())) // columns))
    # Each image is as wide as in the other galleries of the page.
    inches = (style.WIDTH - 0.35) / (2 * columns * 1.16)
    axes = sheet.axes(
        2 * (inches * lines * (tall + room) + 0.35), rows=2, columns=2, gridspec_kw={"wspace": 0.03}
    )
    said = []
    for ax, (corner, rows) in zip(axes.flat, chosen.items(), strict=True):
        plots.image_grid(
            ax,
            ensemble.pictures(rows),
            columns=columns,
            captions=[
                (
                    ensemble.classes[row.label],
                    f"→ {_class(ensemble, row.consensus)} {percent(row.consensus_consistency)}",
                    f"{number(row.depth_train_mean, 1)} / {number(row.depth_held_out_mean, 1)}",
                )
                for row in rows.itertuples()
            ],
            frames=[colours[label] for label in rows["label"]],
            caption_height=room,
        )
        ax.set_ylim(lines * (tall + room), -0.04)
        none = " (no image)" * rows.empty
        ax.set_title(corner.name[0].upper() + corner.name[1:] + none, fontsize=10.5, pad=20)
        sides = [("deep" if deep else "shallow") for deep in (corner.train, corner.held_out)]
        said_below = f"{sides[0]} where learned from, {sides[1]} where held out"
        ax.text(0, 1.015, said_below, transform=ax.transAxes, fontsize=8.5, color=style.MUTED)
        other = (rows["consensus"] != rows["label"]).sum()
        said += [f"{count(other)} of the {count(len(rows))} that {corner.verb}"] * bool(len(rows))
    return (
        "Networks that did not learn from the image agree on another class than its label for "
        f"{joined(said)}."
    )


def _class(ensemble, label):
    return shortened(ensemble.classes[label], 12) if label >= 0 else "none"


@section.figure(
    "How far networks agree on images that they did not see",
    shows="Networks that did not learn from an image, mean over the images of each depth",
    alt="Two lines by held-out depth: the share of networks that give the commonest class, and the "
    "share that gives the true one.",
)
def consensus_by_depth(sheet, ensemble, consensus):
    sheet.facts.append(f"n = {count(consensus['n'].sum())} images")
    if consensus.empty:
        return words.nothing(sheet, "No image was held out from a network.")
    rows = pd.concat(
        consensus[["depth", of, f"{of}_low", f"{of}_high"]]
        .set_axis(["depth", "share", "low", "high"], axis=1)
        .assign(of=of)
        for of in _GIVE
    )
    sheet.intervals_of = " of the mean over images"
    ax, ends = sheet.axes(3.3), ("low", "high")
    sheet.lines(ax, rows, "depth", "share", hue="of", style="of", interval=ends, err_style="bars")
    words.numbers_above(ax, consensus["depth"], consensus["n"], size=8)
    ax.set_xlim(-0.6, ensemble.n_probes + 0.6)
    said = [
        f"{percent(row.consensus, 1)} of the networks give the same class at a held-out depth of "
        f"about {row.depth:g} and {percent(row.label, 1)} the true one"
        for row in consensus.iloc[[0, -1] if len(consensus) > 1 else [0]].itertuples()
    ]
    return f"Of what they did not see, {'; '.join(said)}."


@section.figure(
    "How much of a score is the image, and how much the one network",
    shows="Reliability of one network: rank correlation of two random halves of the networks, "
    "stepped down to one by Spearman-Brown\nNumbers: networks needed for a reliability of "
    f"{_TARGET:g} (dotted)",
    alt="A dot plot of the reliability of one network for every score, on both sides.",
)
def reliability(sheet, ensemble, ranked):
    if ranked.empty:
        sheet.facts.append(f"n = {count(len(ensemble.card))} images")
        return words.nothing(sheet, "No image was measured by two networks on the same side.")
    names = list(dict.fromkeys(ranked["score"]))
    ax = sheet.axes(0.3 * len(names) + 0.5)
    sheet.facts.append(
        f"n = {count(ranked['n_examples'].max())} images with at least 2 measurements "
        f"({number(ranked['measurements'].mean(), 1)} on average)"
    )
    sheet.intervals_of = " (bootstrap over images)"
    sheet.points(ax, ranked, "reliability", "score", hue="side", interval=("low", "high"))
    for row in ranked.itertuples():
        right, colour = row.side == "train", style.INK if row.side == "train" else "#8a6414"
        ax.text(
            1.04 + 0.08 * right, names.index(row.score), _networks(row.networks_needed),
            transform=ax.get_yaxis_transform(), ha="center", va="center", size=8.5, color=colour,
        )  # fmt: skip
    ax.axvline(_TARGET, color=style.MUTED, linewidth=0.9, linestyle=":")
    ax.set_yticks(range(len(names)), words.short_titles(names))
    words.embolden_depths(ax.get_yticklabels(), names)
    ax.set_ylabel("")
    ax.set_xlim(min(-0.02, np.nanmin(ranked[["low", "reliability"]]) - 0.03), 1.02)
    ax.grid(True, axis="x")
    said = []
    for side, rows in ranked.groupby("side"):
        of = rows.set_index("score")
        best = of["reliability"].idxmax()
        each = [
            f"{words.name_of(name)} has "
            f"{words.with_interval(of.loc[name], 'reliability', 'low', 'high')} "
            f"({_TARGET:g} with {_networks(of.loc[name, 'networks_needed'])} networks)"
            for name in dict.fromkeys([*of.index.intersection(["depth"]), best])
        ]
        said.append(f"on the {SIDES[side]} {joined(each)}, the most of all")
    return f"The reliability of one network: {'; '.join(said)}."


def _networks(needed):
    return "∞" if not np.isfinite(needed) else count(np.ceil(needed))


def _listed(ensemble, rows):
    """Rows of the card with what the tables of images show of them."""
    shown = pd.DataFrame({"rank": range(1, len(rows) + 1)}, index=rows.index)
    shown["image"] = [
        Entry(f"{row.split} {row.split_id}", int(row.example_id), picture)
        for row, picture in zip(rows.itertuples(), ensemble.pictures(rows), strict=True)
    ]
    for name in ("label", "consensus"):
        shown[name] = [ensemble.classes[i] if i >= 0 else "—" for i in rows[name]]
    for side, title in (("held_out", "depth, held out"), ("train", "depth, learned")):
        means, spreads = rows[f"depth_{side}_mean"], rows[f"depth_{side}_std"]
        shown[title] = [
            Entry(f"{number(m, 1)} ± {number(s, 1)}" if np.isfinite(s) else number(m, 1), float(m))
            for m, s in zip(means, spreads, strict=True)
        ]
    return rows.drop(columns=["label", "consensus"]).join(shown)


_SHOWN = (
    "label", "consensus", "consensus_consistency", "label_consistency", "depth, held out",
    "depth, learned",
)  # fmt: skip
_EXPLAINED = (
    "agree: share of unseeing networks that give the consensus; right: that give the label; "
    "depths: mean ± standard deviation"
)
section.table(
    "hardest",
    f"The hardest images: deepest where held out, then least agreed on ({_EXPLAINED})",
    lambda ensemble: _listed(ensemble, card.hardest(ensemble, 100)),
    keys=("rank", "image"),
    values=_SHOWN,
)
section.table(
    "lookalikes",
    f"The images most like another class; some may be mislabelled ({_EXPLAINED})",
    lambda ensemble: _listed(ensemble, card.lookalikes(ensemble, 50)),
    keys=("rank", "image"),
    values=(*_SHOWN, "resemblance"),
)
section.table(
    "reliability",
    "Reliability of one network’s scores, and networks that a reliability of 0.9 needs",
    lambda ranked: ranked,
    keys=("score", "side"),
    values=("reliability", "low", "high", "networks_needed", "n_examples", "measurements"),
)
