"""Chapter `difficulty`: prediction depth of every example, its figures and its claims.

Reads   predictions, knn/{split}/{probe}.parquet, config.yaml (convergence, figures, chapters)
Makes   convergence.json, depth/{split}.parquet, reports/figures/, reports/claims.csv
Steps   convergence, depth, difficulty_figures, difficulty_claims
"""


rule difficulty:
    """Prediction depth of every split that is studied."""
    input:
        study.paths(*[f"depth/{split}.parquet" for split in study.config.study.splits]),


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
        code=digest("stages.convergence"),
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
            code=digest("stages.depth"),
        shell:
            "depthlens depth {input.knn:q}"
            " --predictions {input.predictions:q} --convergence {input.convergence:q}"
            " --output {output:q} 2> >(tee {log:q} >&2)"
