"""What the Snakefile asks: which runs there are, which config a rule may see, which code it runs.

Importing this must stay cheap: every `snakemake` call does. So no torch here; the names of a
network's probes, which only torchvision knows, are kept in `.snakemake/` once they were computed.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from string import Formatter
from typing import NamedTuple

from depthlens import config as models
from depthlens import tables
from depthlens.provenance import code_digest

RUN = "results/{dataset}/{model}/seed{seed}"
"""Folder of one run: wildcards that a rule fills in."""


class Run(NamedTuple):
    """One trained network of the study."""

    dataset: str
    model: str
    seed: int

    @property
    def folder(self) -> str:
        """Where its results are."""
        return RUN.format(**self._asdict())


class Study:
    """A checked configuration and the paths that follow from it.

    Parameters
    ----------
    values : mapping
        As Snakemake read it.
    source : str
        File to name in messages.

    Raises
    ------
    ConfigError
        If it does not fit the models of `depthlens.config`.
    """

    def __init__(self, values: Mapping, *, source: str) -> None:
        self.config = models.check(values, source=source)
        self._blocks = self.config.model_dump(mode="json")

    def runs(self) -> Iterator[Run]:
        """Every dataset × model × seed that is studied."""
        study = self.config.study
        for dataset in study.datasets:
            for model in study.models:
                for seed in study.seeds:
                    yield Run(dataset, model, seed)

    def paths(self, *patterns: str) -> list[str]:
        """Every pattern below the folder of every run, patterns outermost."""
        return [f"{run.folder}/{pattern}" for pattern in patterns for run in self.runs()]

    def figures(self, run: Run | None = None) -> str:
        """Folder of a run's figures; of any run's, with wildcards, where none is given."""
        folder = f"{self.config.study.reports}/figures" + RUN.removeprefix("results")
        return folder.format(**run._asdict()) if run else folder

    def datasets(self, source: str) -> list[str]:
        """Names of the datasets of one source, studied or not."""
        return [name for name, block in self.config.datasets.items() if block.source == source]

    def block(self, *keys: str) -> str | Callable[..., str]:
        """The only part of the config that a rule may see, as JSON with sorted keys.

        Parameters
        ----------
        *keys : str
            Dotted keys of config.yaml; wildcards in braces are filled in by the rule. One key
            gives its block; several give a mapping, a block of `models` under the name `model`;
            none gives the whole config.

        Returns
        -------
        str, or a function of the wildcards where a key has any
        """
        if not keys:
            return self._json((), {})
        if not any(field for key in keys for _, field, _, _ in Formatter().parse(key)):
            return self._json(keys, {})
        return lambda wildcards: self._json(keys, wildcards)

    def probes(self, model: str) -> list[str]:
        """Names of the probes of a network, in forward order.

        Raises
        ------
        StudyError
            If the architecture or a module is unknown.
        """
        asked = {
            "architecture": self.config.models[model].architecture,
            "probes": self.config.activations.probes,
            "code": code_digest("probes.plan"),
            "torchvision": version("torchvision"),
        }
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
        kept = Path(".snakemake", "depthlens", f"probes-{key}.json")
        if not kept.exists():
            from depthlens.probes import plan

            names = plan.names(asked["architecture"], asked["probes"])
            tables.write_json(kept, {"names": names})
        return tables.read_json(kept)["names"]

    def _json(self, keys: tuple[str, ...], wildcards: object) -> str:
        fields = getattr(wildcards, "__dict__", wildcards)
        block, blocks = self._blocks, {}
        for key in keys:
            block = self._blocks
            for part in key.format(**fields).split("."):
                block = block[part]
            blocks["model" if key.startswith("models.") else key] = block
        value = blocks if len(keys) > 1 else block
        return json.dumps(value, sort_keys=True, ensure_ascii=False)


def digest(stage: str) -> str:
    """Contents of a stage's module and of every module of ours that it imports, 16 hex digits."""
    return code_digest(stage)
