"""Chapter `difficulty`: prediction depth of every example, its figures and its claims.

Reads   predictions, knn/{split}/{probe}.parquet, scores/{split}.parquet, the cards of replicates,
        config.yaml (convergence, figures, chapters)
Makes   convergence.json, depth/{split}.parquet, reports/figures/, reports/claims.csv
Steps   convergence, depth, difficulty_figures, ensemble_figures, difficulty_claims
"""

# Training images have depths and scores of their own only where their split is studied.
STUDY_TRAIN = "train" in study.config.study.splits


rule difficulty:
    """Prediction depth of every split that is studied, and the probes that it is counted in."""
    input:
        study.paths(
            "probes.parquet",
            *[f"depth/{split}.parquet" for split in study.config.study.splits],
        ),


rule figures:
    """Every figure of the study."""
    input:
        [f"{study.figures(run)}/captions.json" for run in study.runs()],
        [f"{study.ensemble_figures(card)}/captions.json" for card in study.ensembles()],


rule convergence:
    """Measure whether a network has learned enough for its difficulties to mean something."""
    input:
        train=f"{RUN}/predictions/train.parquet",
        test=f"{RUN}/predictions/test.parquet",
    output:
        f"{RUN}/convergence.json",
    log:
        f"{RUN}/logs/convergence.log",
    benchmark:
        f"{RUN}/benchmarks/convergence.tsv"
    conda:
        "../envs/depthlens.yaml"
    params:
        cfg=study.block("convergence"),
        code=study.digest("stages.convergence"),
    shell:
        "depthlens convergence --train-predictions {input.train:q}"
        " --test-predictions {input.test:q} --output {output:q}"
        " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"


for model in study.config.study.models:

    rule:
        name:
            f"depth_{model}"
        input:
            knn=[
                f"results/{{dataset}}/{model}/seed{{seed}}/knn/{{split}}/{probe}.parquet"
                for probe in PROBES[model]
            ],
            predictions=f"results/{{dataset}}/{model}/seed{{seed}}/predictions/{{split}}.parquet",
            convergence=f"results/{{dataset}}/{model}/seed{{seed}}/convergence.json",
        output:
            f"results/{{dataset}}/{model}/seed{{seed}}/depth/{{split}}.parquet",
        log:
            f"results/{{dataset}}/{model}/seed{{seed}}/logs/depth/{{split}}.log",
        benchmark:
            f"results/{{dataset}}/{model}/seed{{seed}}/benchmarks/depth/{{split}}.tsv"
        conda:
            "../envs/depthlens.yaml"
        params:
            code=study.digest("stages.depth"),
        shell:
            "depthlens depth {input.knn:q}"
            " --predictions {input.predictions:q} --convergence {input.convergence:q}"
            " --output {output:q} 2> >(tee {log:q} >&2)"


# Networks that came with weights have no history to draw.
for name, models, trained in (
    ("difficulty_figures", TRAINED_HERE, True),
    ("adopted_figures", TRAINED_ELSEWHERE, False),
):
    names = study.run_figures(trained=trained)

    rule:
        """Draw the figures of one run and compute what is to be said about them."""
        name:
            name
        input:
            **{
                f"{split}_{kind}": f"{RUN}/{kind}/{split}.parquet"
                for split in study.config.study.splits
                for kind in ("depth", "scores")
            },
            **({"history": f"{RUN}/history.parquet"} if trained else {}),
            train_images="data/{dataset}/train.parquet",
            test_images="data/{dataset}/test.parquet",
            probes=f"{RUN}/probes.parquet",
            convergence=f"{RUN}/convergence.json",
        output:
            captions=f"{FIGURES}/captions.json",
            svg=[f"{FIGURES}/{figure}.svg" for figure in names],
            png=report(
                [f"{FIGURES}/{figure}.png" for figure in names],
                caption="../docs/captions/difficulty.rst",
                category="Prediction depth",
                subcategory="{dataset}",
                labels={"network": "{model}", "seed": "{seed}"},
            ),
        log:
            f"{RUN}/logs/figures.log",
        benchmark:
            f"{RUN}/benchmarks/figures.tsv"
        wildcard_constraints:
            model="|".join(models) or "(?!)",
        conda:
            "../envs/depthlens.yaml"
        params:
            cfg=study.block("figures"),
            code=study.digest("stages.figures"),
            folder=FIGURES,
            # Not in the command: it is put together when the job runs, after the last turn.
            history=f"--history {RUN}/history.parquet" if trained else "",
        shell:
            "depthlens figures --train-images {input.train_images:q}"
            " --test-images {input.test_images:q} --probes {input.probes:q}"
            " --depth {input.test_depth:q} --test-scores {input.test_scores:q}"
            " {params.history}"
            + (
                " --train-depth {input.train_depth:q} --train-scores {input.train_scores:q}"
                if STUDY_TRAIN
                else ""
            )
            + " --convergence {input.convergence:q} --output {params.folder:q}"
            " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"


for card in study.ensembles():
    ensemble = study.ensemble_figures(card)
    train_images, test_images = (
        f"data/{card.dataset}/{split}.parquet" for split in ("train", "test")
    )

    rule:
        """Draw the figures of all networks of one dataset and model together."""
        name:
            f"ensemble_figures_{card.dataset}_{card.model}"
        input:
            card=card.files[0],
            reliability=card.files[1],
            train_images=train_images,
            test_images=test_images,
            convergence=[
                f"{run.folder}/convergence.json"
                for run in study.networks_at_hand(card.dataset, card.model)
            ],
        output:
            captions=f"{ensemble}/captions.json",
            svg=[f"{ensemble}/{figure}.svg" for figure in study.card_figures()],
            png=report(
                [f"{ensemble}/{figure}.png" for figure in study.card_figures()],
                caption="../docs/captions/ensemble.rst",
                category="Prediction depth",
                subcategory=card.dataset,
                labels={"network": card.model, "seed": "all"},
            ),
        log:
            f"results/{card.dataset}/{card.model}/logs/ensemble_figures.log",
        benchmark:
            f"results/{card.dataset}/{card.model}/benchmarks/ensemble_figures.tsv"
        conda:
            "../envs/depthlens.yaml"
        params:
            cfg=study.block("figures"),
            code=study.digest("stages.ensemble_figures"),
            folder=ensemble,
        shell:
            "depthlens ensemble-figures {input.convergence:q} --card {input.card:q}"
            " --reliability {input.reliability:q} --train-images {input.train_images:q}"
            " --test-images {input.test_images:q}"
            " --output {params.folder:q} --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"


rule difficulty_claims:
    """Hold what is said about prediction depth against what was measured."""
    input:
        study.paths(
            "probes.parquet",
            "convergence.json",
            *[
                f"{kind}/{split}.parquet"
                for split in study.config.study.splits
                for kind in ("depth", "scores")
            ],
        ),
    output:
        report(
            f"{REPORTS}/claims.csv",
            caption="../docs/captions/claims.rst",
            category="Claims",
        ),
    log:
        f"{REPORTS}/logs/claims.log",
    benchmark:
        f"{REPORTS}/benchmarks/claims.tsv"
    conda:
        "../envs/depthlens.yaml"
    params:
        cfg=study.block("chapters.difficulty"),
        code=study.digest("stages.claims"),
        runs=[run.folder for run in study.runs()],
    shell:
        "depthlens claims {params.runs:q} --output {output:q}"
        + (" --train" if STUDY_TRAIN else "")
        + " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"
