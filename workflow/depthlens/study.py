"""What the Snakefile asks: which runs there are, which config a rule may see, which code it runs.

Importing this must stay cheap: every `snakemake` call does. So no torch here; the names of a
network's probes, which only torchvision knows, are kept in `.snakemake/` once they were computed.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from depthlens import config as models
from depthlens import tables
from depthlens.chapters.contents import CHAPTERS
from depthlens.chapters.outline import Outline
from depthlens.datasets import sources
from depthlens.errors import ArtifactError, StudyError
from depthlens.provenance import journal, records, user_code
from depthlens.provenance.code import code_digest, module_digests
from depthlens.provenance.fingerprints import Fingerprints
from depthlens.provenance.manifest import manifest
from depthlens.report import machine

RUN = "results/{dataset}/{model}/seed{seed}"
"""Folder of one run: wildcards that a rule fills in."""

TRAINED = (
    "checkpoint.safetensors",
    "history.parquet",
    "dynamics.parquet",
    "dynamics_test.parquet",
    "snapshots.safetensors",
)
"""What training leaves in the folder of a run."""

ADOPTED = ("checkpoint.safetensors",)
"""What a run has instead whose network was trained elsewhere."""

_OF_FILES = {"activations": "keep"}
"""Keys that say what becomes of the files of a rule, and nothing about what is in them."""

_MOST_SENTENCES = 5
_ARTIFACTS = {".parquet", ".safetensors", ".json", ".svg", ".png", ".csv", ".html"}
_BESIDE = {"logs", "benchmarks", "shards", "resume.safetensors"}
"""What rules leave beside their outputs."""


class Run(NamedTuple):
    """One trained network of the study."""

    dataset: str
    model: str
    seed: int

    @property
    def folder(self) -> str:
        """Where its results are."""
        return RUN.format(**self._asdict())


class Card(NamedTuple):
    """What all networks of one dataset and model say of each image."""

    dataset: str
    model: str

    @property
    def files(self) -> list[str]:
        """The card itself, and the reliability of each score."""
        folder = f"results/{self.dataset}/{self.model}"
        return [f"{folder}/{name}.parquet" for name in ("card", "reliability")]


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
        self._stages: set[str] = set()
        self._sources: dict[str, str] = {}

    def runs(self) -> Iterator[Run]:
        """Every dataset × model × seed that is studied."""
        study = self.config.study
        for dataset in study.datasets:
            for model in study.models:
                for seed in self.seeds(model):
                    yield Run(dataset, model, seed)

    def trains(self, model: str) -> bool:
        """Whether a network is trained here; if not, its weights come from a file."""
        return self.config.models[model].weights is None

    def seeds(self, model: str) -> list[int]:
        """Seeds of a network's runs: the first alone where weights are given, as all are equal."""
        return self.config.study.seeds[: None if self.trains(model) else 1]

    def weights(self, model: str) -> Callable[[object], str | None]:
        """File of the weights of a network that is not trained here.

        A function: Snakemake would take `{…}` in a path for a wildcard.
        """
        return lambda _wildcards: self.config.models[model].weights

    def checkpoint_files(self, run: Run) -> list[str]:
        """Paths of what training, or taking over trained weights, leaves of a run."""
        names = TRAINED if self.trains(run.model) else ADOPTED
        return [f"{run.folder}/{name}" for name in names]

    def networks(self, dataset: str, model: str) -> list[Run]:
        """Every network of one dataset and model: of the seeds, then of the replicates.

        Images and results of a replicate are those of a dataset of its own, in a folder of the
        dataset that they are drawn from.
        """
        seeds = [Run(dataset, model, seed) for seed in self.seeds(model)]
        numbers = range(1, self.config.study.replicates + 1)
        return seeds + [Run(f"{dataset}/replicate{n}", model, n) for n in numbers]

    def networks_at_hand(self, dataset: str, model: str) -> list[Run]:
        """The networks of a card whose results are here: those of a pulled one are not."""
        networks = self.networks(dataset, model)
        return networks[: len(self.seeds(model))] if self.card_is_pulled else networks

    def all_networks(self) -> Iterator[Run]:
        """Every network of the study, replicates included."""
        for dataset in self.config.study.datasets:
            for model in self.config.study.models:
                yield from self.networks(dataset, model)

    def cards(self) -> list[Card]:
        """The card of every dataset and model."""
        study = self.config.study
        return [Card(dataset, model) for dataset in study.datasets for model in study.models]

    @property
    def card_is_pulled(self) -> bool:
        """Whether cards come from DVC, which does not keep the networks of replicates."""
        return self.config.checkpoints.source == "pull" and self.config.study.replicates > 0

    def paths(self, *patterns: str) -> list[str]:
        """Every pattern below the folder of every run, patterns outermost."""
        return [f"{run.folder}/{pattern}" for pattern in patterns for run in self.runs()]

    def runs_to_pull(self) -> list[Run]:
        """Runs whose trained network is not here, or not the one that was recorded."""
        return [run for run in self.runs() if not self._are_here(self.checkpoint_files(run))]

    def cards_to_pull(self) -> list[Card]:
        """Cards that are not here, or not those that were recorded."""
        return [card for card in self.cards() if not self._are_here(card.files)]

    def _are_here(self, paths: list[str]) -> bool:
        recorded = {
            path: made for record in records.read() for path, made in record.outputs.items()
        }

        def is_here(path: str) -> bool:
            known = recorded.get(path)
            return Path(path).exists() and (not known or tables.sha256(path) == known.sha256)

        return all(map(is_here, paths))

    def figures(self, run: Run | None = None) -> str:
        """Folder of a run's figures; of any run's, with wildcards, where none is given."""
        folder = f"{self.config.study.reports}/figures" + RUN.removeprefix("results")
        return folder.format(**run._asdict()) if run else folder

    def ensembles(self) -> list[Card]:
        """The cards that are drawn: of datasets and models that have replicates."""
        return self.cards() if self.config.study.replicates else []

    def ensemble_figures(self, card: Card) -> str:
        """Folder of the figures of a card."""
        return f"{self.config.study.reports}/figures/{card.dataset}/{card.model}/ensemble"

    def run_figures(self, *, trained: bool) -> list[str]:
        """Names of the figures of a run; of a network that came with weights, or was trained."""
        train_studied = "train" in self.config.study.splits
        return self._drawn(trained=trained, train_studied=train_studied)["run"]

    def card_figures(self) -> list[str]:
        """Names of the figures of a card."""
        return self._drawn(trained=True, train_studied=True)["card"]

    def _drawn(self, **there: bool) -> dict[str, list[str]]:
        def make() -> dict:
            from depthlens.chapters.difficulty import contents

            return {"run": contents.run_figures(**there), "card": contents.ensemble_figures()}

        asked = there | {"code": code_digest("chapters.difficulty.contents")}
        return _remembered("figures", asked, make)

    def chapters(self) -> list[Outline]:
        """What the rules must know of every chapter of experiments."""
        return [self._outline_of_chapter(name) for name in CHAPTERS]

    def _outline_of_chapter(self, name: str) -> Outline:
        block = self._blocks["chapters"][name]

        def make() -> dict:
            from depthlens.chapters.chapter import outline

            return outline(name, block).as_json()

        asked = {"block": block, "code": code_digest(f"chapters.{name}.contents")}
        return Outline.from_json(_remembered(f"chapter-{name}", asked, make))

    def chapter_folders(self, chapter: str) -> tuple[str, str]:
        """Where the sweeps of a chapter are, and where its page, figures and claims are."""
        return f"results/{chapter}", f"{self.config.study.reports}/{chapter}"

    def datasets(self, source: str) -> list[str]:
        """Names of the datasets of one source, studied or not."""
        return [name for name, block in self.config.datasets.items() if block.source == source]

    def imported(self) -> list[str]:
        """Names of the datasets that others made, studied or not."""
        return [name for name in self.config.datasets if name not in self.datasets("shapes")]

    def source(self, dataset: str) -> Callable[[object], str]:
        """What tells two contents of a dataset's source apart, as `sha256:` and 64 hex digits.

        A function, so that only the source of a dataset that is needed is looked at. Where nothing
        of the source is there, as in a clone, it is what was recorded of the table, which stands
        for it. Files keep their digest as `Fingerprints` says, so that asking again is quick.
        """
        return lambda _wildcards: self._source(dataset)

    def _source(self, dataset: str) -> str:
        if dataset not in self._sources:
            self._sources[dataset] = self._digest_source(dataset)
        return self._sources[dataset]

    def _digest_source(self, dataset: str) -> str:
        try:
            named = sources.files(self._blocks["datasets"][dataset])
        except StudyError:  # whoever imports it is told; what is no source has no content
            named = {}
        if named is None:
            return self._recorded_source(f"data/{dataset}/train.parquet")
        kept = Path(".snakemake", "depthlens", f"source-{dataset}.json")
        try:
            prints = Fingerprints(tables.read_json(kept)) if named and kept.exists() else None
        except ArtifactError:  # half-written: as good as none
            prints = None
        prints = prints or Fingerprints({})
        known = prints.known
        digests = prints.of(map(str, named.values()))
        if prints.known != known:
            tables.write_json(kept, prints.known)
        found = {name: digests.get(str(path), "missing") for name, path in named.items()}
        return f"sha256:{sources.digest(found)}"

    def network_code(self, model: str) -> Callable[[object], str]:
        """What tells two contents of a network's own source apart, as `sha256:` and 64 hex digits.

        It is "library" for networks of libraries, which are known by their versions.

        Parameters
        ----------
        model : str
            A name of the block `models`; wildcards in braces are filled in by the rule.
        """

        def code(wildcards: object) -> str:
            return self._network_code(model.format(**_fields(wildcards)))

        return code

    def _network_code(self, model: str) -> str:
        architecture = self.config.models[model].architecture
        if ":" not in architecture or architecture.startswith("timm:"):
            return "library"
        files = user_code.source_files(architecture)
        found = {name: tables.sha256(path) for name, path in files.items()}
        return f"sha256:{sources.digest(found)}"

    def _recorded_source(self, table: str) -> str:
        for record in records.read():
            if table in record.outputs:
                params = (param.strip("'") for param in record.job.params)
                return next((param for param in params if param.startswith("sha256:")), "absent")
        return "absent"

    @property
    def targets(self) -> list[str]:
        """What the whole study ends with."""
        depth = [f"depth/{split}.parquet" for split in self.config.study.splits]
        pages = [f"{self.config.study.reports}/{name}" for name in ("index.html", "summary.json")]
        scores = [f"scores/{split}.parquet" for split in self.config.study.splits]
        return [*pages, *self.paths(*depth, *scores), *(card.files[0] for card in self.cards())]

    def settle(self) -> list[str]:
        """Hold every file of the study against what is known of it; see `provenance.journal`.

        Returns
        -------
        list of str
            One sentence for each file that will be made again, and for each package whose version
            is not the one that the results were made with.

        Notes
        -----
        What was made is recorded, and listed in manifest.json if the study is whole.
        """
        modules = {code_digest(stage): module_digests(stage) for stage in self._stages}
        found = journal.settle(self._files(), modules=modules)
        if found.made:
            here = {"versions": machine.versions(), "machine": machine.hardware()}
            tables.write_json(self._environment, here)
        self._list(whole=not found.unusable)
        again = [f"{path} will be made again: {why}" for path, why in found.unusable.items()]
        if len(again) > _MOST_SENTENCES:
            rest = len(again) - _MOST_SENTENCES
            again[_MOST_SENTENCES:] = [f"so will {rest} more; depthlens why says of each"]
        return [*self._other_versions(), *again]

    def _list(self, *, whole: bool) -> None:
        """Write manifest.json, or remove it where something is missing or will be made again."""
        path = Path(self.config.study.reports, "manifest.json")
        listed = None
        if whole and all(Path(target).exists() for target in self.targets):
            # A part may be older than what it was made from.
            with contextlib.suppress(ArtifactError):
                listed = manifest(self.targets)
        if listed is None:
            path.unlink(missing_ok=True)
        else:
            tables.write_json(path, listed)

    @property
    def _environment(self) -> Path:
        """Where versions and hardware stand: beside the results, as they would change bytes."""
        return Path(self.config.study.reports, "environment.json")

    def _other_versions(self) -> Iterator[str]:
        if not self._environment.exists():
            return
        there = tables.read_json(self._environment).get("versions", {})
        for package, version in machine.versions().items():
            if there.get(package, version) != version:
                yield (
                    f"the results were made with {package} {there[package]}, here is {version}: "
                    "what is made now may differ in the last digits"
                )

    def _files(self) -> list[str]:
        """Every artifact of the study that is there and that a rule makes."""
        reports = Path(self.config.study.reports)
        folders = [Path("data", name) for name in self.config.study.datasets]
        folders += [Path(run.folder) for run in self.all_networks()]
        folders += [Path(self.figures(run)) for run in self.runs()]
        folders += [Path(self.ensemble_figures(card)) for card in self.ensembles()]
        for chapter in CHAPTERS:
            folders += [Path(of_chapter) for of_chapter in self.chapter_folders(chapter)]
        of_all = ("index.html", "summary.json", "claims.csv", "ledger.html", "ledger.csv")
        found = [reports / name for name in of_all]
        if not self.card_is_pulled:
            found += [Path(file) for card in self.cards() for file in card.files]
        foreign = TRAINED if self.config.checkpoints.source == "pull" else ()
        for folder in folders:
            found += [path for path in folder.rglob("*") if path.suffix in _ARTIFACTS]
        return [
            path.as_posix()
            for path in found
            if path.is_file()
            and not path.name.startswith(".")
            and not _BESIDE.union(foreign).intersection(path.parts)
        ]

    def block(self, *keys: str) -> Callable[[object], str]:
        """The only part of the config that a rule may see, as JSON with sorted keys.

        A function even where no key has wildcards: Snakemake would take `{…}` in a text for one.

        Parameters
        ----------
        *keys : str
            Dotted keys of config.yaml; wildcards in braces are filled in by the rule. One key
            gives its block; several give a mapping, a block of `models` under the name `model`;
            none gives the whole config.

        Returns
        -------
        function of the wildcards
        """
        return lambda wildcards: self._json(keys, wildcards)

    def digest(self, stage: str) -> str:
        """Contents of a stage's module and of all of ours that it imports, 16 hex digits."""
        self._stages.add(stage)
        return code_digest(stage)

    def probes(self, model: str) -> list[str]:
        """Names of the probes of a network, in forward order.

        Raises
        ------
        StudyError
            If the architecture or a module is unknown.
        """
        return self._outline(model)["names"]

    def feature_probe(self, model: str) -> str:
        """Name of the probe at which neighbours and prototypes are scores; raises as `probes`."""
        return self._outline(model)["features"]

    def _outline(self, model: str) -> dict:
        network = self.config.models[model]
        studied = (self.config.datasets[name] for name in self.config.study.datasets)
        sizes = {(block.height, block.width) for block in studied if block.source == "image_folder"}
        tried = [network.input_size] if network.input_size else sorted(sizes)
        asked = {
            "architecture": network.architecture,
            "probes": self.config.activations.probes,
            "channels": network.channels,
            "sizes": tried,
            "code": code_digest("probes.plan"),
            "torchvision": metadata.version("torchvision"),
            "code of the network": self._network_code(model),
        }

        def make() -> dict:
            from depthlens.probes import plan

            return plan.outline(
                network.architecture,
                self.config.activations.probes,
                channels=network.channels,
                sizes=tried,
            )._asdict()

        return _remembered("probes", asked, make)

    def _json(self, keys: tuple[str, ...], wildcards: object) -> str:
        fields = _fields(wildcards)
        block, blocks = self._blocks, {}
        for key in keys:
            block = self._blocks
            for part in key.format(**fields).split("."):
                block = block[part]
            if key in _OF_FILES:
                block = {name: value for name, value in block.items() if name != _OF_FILES[key]}
            blocks["model" if key.startswith("models.") else key] = block
        return as_json(blocks if len(keys) > 1 else block)


def _remembered(what: str, asked: Mapping, make: Callable[[], dict]) -> dict:
    """What takes long to find out, kept in `.snakemake/` by all that it depends on."""
    key = hashlib.sha256(as_json(asked).encode()).hexdigest()[:16]
    kept = Path(".snakemake", "depthlens", f"{what}-{key}.json")
    if not kept.exists():
        tables.write_json(kept, make())
    return tables.read_json(kept)


def drawn(names: Iterable[str]) -> list[str]:
    """The files of figures: each is drawn twice."""
    return [f"{name}.{kind}" for name in names for kind in ("svg", "png")]


def as_json(value: object) -> str:
    """JSON with sorted keys: equal values are equal params of a rule."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _fields(wildcards: Any) -> Mapping:
    """Wildcards by name, as Snakemake or a test gives them."""
    return getattr(wildcards, "__dict__", wildcards)
