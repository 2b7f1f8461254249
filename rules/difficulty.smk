"""Chapter `difficulty`: prediction depth of every example, its figures and its claims.

Reads   predictions, knn/{split}/{probe}.parquet, config.yaml (convergence, figures, chapters)
Makes   convergence.json, depth/{split}.parquet, reports/figures/, reports/claims.csv
Steps   convergence, depth, difficulty_figures, difficulty_claims
"""


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


rule difficulty_figures:
    """Draw the figures of one run and compute what is to be said about them."""
    input:
        train_images="data/{dataset}/train.parquet",
        test_images="data/{dataset}/test.parquet",
        history=f"{RUN}/history.parquet",
        probes=f"{RUN}/probes.parquet",
        depth=f"{RUN}/depth/test.parquet",
        convergence=f"{RUN}/convergence.json",
    output:
        captions=f"{FIGURES}/captions.json",
        svg=[f"{FIGURES}/{name}.svg" for name in difficulty.FIGURES],
        png=report(
            [f"{FIGURES}/{name}.png" for name in difficulty.FIGURES],
            caption="../docs/captions/difficulty.rst",
            category="Prediction depth",
            subcategory="{dataset}",
            labels={"network": "{model}", "seed": "{seed}"},
        ),
    log:
        f"{RUN}/logs/figures.log",
    benchmark:
        f"{RUN}/benchmarks/figures.tsv"
    conda:
        "../envs/depthlens.yaml"
    params:
        cfg=study.block("figures"),
        code=study.digest("stages.figures"),
        folder=FIGURES,
    shell:
        "depthlens figures --train-images {input.train_images:q}"
        " --test-images {input.test_images:q} --history {input.history:q}"
        " --probes {input.probes:q} --depth {input.depth:q}"
        " --convergence {input.convergence:q} --output {params.folder:q}"
        " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"


rule difficulty_claims:
    """Hold what is said about prediction depth against what was measured."""
    input:
        study.paths("depth/test.parquet", "probes.parquet", "convergence.json"),
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
        " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"
