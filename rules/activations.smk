"""What every probe of a trained network gives for every image.

Reads   checkpoint, data/{dataset}/{split}.parquet, config.yaml (activations, models)
Makes   probes.parquet, activations/{split}/{probe}.parquet, predictions/{split}.parquet
Steps   probes, activations (one forward pass a split)
"""

from depthlens.study import as_json


rule probes:
    """Describe the probes of a network."""
    input:
        images="data/{dataset}/train.parquet",
        checkpoint=f"{RUN}/checkpoint.safetensors",
    output:
        f"{RUN}/probes.parquet",
    log:
        f"{RUN}/logs/probes.log",
    benchmark:
        f"{RUN}/benchmarks/probes.tsv"
    conda:
        "../envs/depthlens.yaml"
    params:
        cfg=study.block("activations", "models.{model}"),
        code=study.digest("stages.probes"),
        network=study.network_code("{model}"),
    shell:
        "depthlens probes --images {input.images:q} --checkpoint {input.checkpoint:q}"
        " --output {output:q} --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"


# Files that are not kept vanish with the last job that reads them.
kept = (lambda files: files) if study.config.activations.keep else temp

# Each network has probes of its own, so each has a rule of its own.
for model in study.config.study.models:

    rule:
        name:
            f"activations_{model}"
        input:
            images="data/{dataset}/{split}.parquet",
            checkpoint=f"results/{{dataset}}/{model}/seed{{seed}}/checkpoint.safetensors",
        output:
            probes=kept(
                [
                    f"results/{{dataset}}/{model}/seed{{seed}}/activations/{{split}}/{probe}.parquet"
                    for probe in PROBES[model]
                ]
            ),
            predictions=f"results/{{dataset}}/{model}/seed{{seed}}/predictions/{{split}}.parquet",
        log:
            f"results/{{dataset}}/{model}/seed{{seed}}/logs/activations/{{split}}.log",
        benchmark:
            f"results/{{dataset}}/{model}/seed{{seed}}/benchmarks/activations/{{split}}.tsv"
        conda:
            "../envs/depthlens.yaml"
        threads: workflow.cores
        resources:
            mem_mb=4000,
            gpu=1,
        params:
            cfg=study.block("activations", f"models.{model}"),
            code=study.digest("stages.activations"),
            network=study.network_code(model),
            folder=f"results/{{dataset}}/{model}/seed{{seed}}/activations/{{split}}",
            expect=as_json(PROBES[model]),
        shell:
            "depthlens activations --images {input.images:q} --checkpoint {input.checkpoint:q}"
            " --output {params.folder:q} --predictions {output.predictions:q}"
            " --expect {params.expect:q}"
            " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"
