"""What do all networks of one dataset and model say together, seen and unseen?"""

import numpy as np
import pandas as pd

from depthlens.chapters.difficulty import card, words
from depthlens.chapters.section import Entry, Section
from depthlens.figures import style
from depthlens.figures.sheet import Column
from depthlens.prose import count, joined, number, percent

_SIDES = {"held_out": "held-out side", "train": "training side"}
_TARGET = 0.9  # the reliability that `networks_needed` is about
_GIVE = {"consensus": "give the commonest class", "label": "give the true class"}

section = Section(
    __name__,
    title="Agreement and reliability",
    text="How far networks agree on what they did not see, and how far one speaks for all.",
    columns=words.COLUMNS
    | {
        "depth": Column("mean held-out depth, to the nearest whole depth", count),
        "share": Column("share of the networks", share=True),
        "of": Column(
            "networks", _GIVE.__getitem__, {"consensus": style.RIGHT, "label": style.WRONG}
        ),
        "score": Column("score", words.title_of),
        "side": Column("side", _SIDES.__getitem__, {"held_out": style.WRONG, "train": style.INK}),
        "reliability": Column("reliability of one network"),
        "networks_needed": Column("networks needed", lambda n: number(n, 1)),
        "n_examples": Column("n", count),
        "measurements": Column("measurements an image", lambda n: number(n, 1)),
        "consensus_consistency": Column("agree", percent),
        "label_consistency": Column("right", percent),
    },
)


@section.derived
def consensus(ensemble, level):
    """How far networks agree on images that they did not see, by mean held-out depth (halves up).

    Mean shares of networks that give the commonest class, and the true one.
    """
    known = ensemble.card.dropna(
        subset=[card.HELD_OUT, "consensus_consistency", "label_consistency"]
    )
    at = np.floor(known[card.HELD_OUT] + 0.5).astype(int)
    rows = [
        {"depth": depth, "n": len(images)}
        | words.mean_of(images["consensus_consistency"], level, "consensus")
        | words.mean_of(images["label_consistency"], level, "label")
        for depth, images in known.groupby(at)
    ]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["depth", "n"])


@section.derived
def ranked(ensemble):
    """The table of reliabilities, best score on the held-out side first, then on the other."""
    table = ensemble.reliability.sort_values("side", kind="stable")
    best = table.sort_values(["side", "reliability", "score"], ascending=[True, False, True])
    return table.set_index("score").loc[best["score"].unique()].reset_index()


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
    rows = words.stacked(consensus, ["depth"], _GIVE, "share")
    sheet.intervals_of = " of the mean over images"
    ax, look = sheet.axes(3.3), {"err_style": "bars", "interval": ("low", "high")}
    sheet.lines(ax, rows, "depth", "share", hue="of", style="of", **look)
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
    colours = {"held_out": (1.04, "#8a6414"), "train": (1.12, style.INK)}
    for row in ranked.itertuples():
        place, colour = colours[row.side]
        ax.text(
            place, names.index(row.score), _networks(row.networks_needed), size=8.5, color=colour,
            transform=ax.get_yaxis_transform(), ha="center", va="center",
        )  # fmt: skip
    ax.axvline(_TARGET, color=style.MUTED, linewidth=0.9, linestyle=":")
    words.name_measures(ax.yaxis, names)
    ax.set_xlim(min(-0.02, np.nanmin(ranked[["low", "reliability"]]) - 0.03), 1.02)
    said = []
    for side, rows in ranked.groupby("side"):
        best = rows.loc[rows["reliability"].idxmax()]
        own = rows[rows["score"].isin(["depth", best["score"]])].sort_values("reliability")
        each = [
            f"{words.name_of(row['score'])} has {words.with_interval(row, 'reliability')} "
            f"({_TARGET:g} with {_networks(row['networks_needed'])} networks)"
            for _, row in own.iterrows()
        ]
        said.append(f"on the {_SIDES[side]} {joined(each)}, the most of all")
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
        shown[name] = rows[name].map(ensemble.class_name)
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
