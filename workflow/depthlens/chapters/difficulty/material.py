"""What the figures of this chapter are drawn from, and what they have in common."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from depthlens.chapters.difficulty.summary import convergence_note
from depthlens.chapters.difficulty.tables import Run
from depthlens.figures import plots, style
from depthlens.prose import percent, shortened
from depthlens.tables import Images

DEPTH_LABEL = "prediction depth: the probe from which all later ones agree with the network"


@dataclass(frozen=True, kw_only=True)
class Material:
    """All that the figures of one run are drawn from."""

    run: Run
    train: Images
    test: Images
    history: pd.DataFrame | None
    """one row an epoch; None where the network came with weights"""
    gallery_images: int = 32
    confidence_level: float = 0.95
    colours: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "colours", style.palette(self.run.classes))

    @property
    def bars(self) -> str:
        """What the error bars are."""
        return f"bars: {percent(self.confidence_level)} intervals"


def frame(figure: Figure, material: Material, title: str, subtitle: str, **labels: str) -> None:
    """Title, subtitle and, where the network did not converge, a warning; see `style.frame`."""
    note = convergence_note(material.run)
    style.frame(figure, title=title, subtitle=subtitle, note=note, **labels)


def depth_axis(figure: Figure, ax: Axes, run: Run) -> None:
    """Label the x axis by depths and the probes where they settle."""
    plots.category_axis(figure, ax, [str(depth) for depth in range(run.n_depths)], run.depth_names)
    mark_impossible(ax, run, text=True)


def mark_impossible(ax: Axes, run: Run, *, text: bool) -> None:
    """Hatch the depths that cannot occur, and say why."""
    for depth in np.flatnonzero(~run.possible):
        ax.axvspan(
            depth - 0.5,
            depth + 0.5,
            facecolor="#f3f5f8",
            edgecolor=style.FAINT,
            hatch="///",
            linewidth=0,
            zorder=0.5,
        )
        if text:
            ax.text(
                depth,
                0.03,
                f"impossible (= {shortened(run.probe_names[depth - 1], 12)})",
                transform=ax.get_xaxis_transform(),
                rotation=90,
                ha="center",
                va="bottom",
                fontsize=8.5 if run.n_depths <= 24 else 7,
                color=style.MUTED,
                bbox={"facecolor": "#f3f5f8", "edgecolor": "none", "pad": 1.5},
                zorder=3,
            )
