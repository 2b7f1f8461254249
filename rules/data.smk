"""Images of every dataset.

Reads   config.yaml (datasets), and what sources name: collections, folders, files, functions
Makes   data/{dataset}/{split}.parquet, data/{dataset}/replicate{number}/{split}.parquet
Steps   generate the shapes, or import what others made; resample
"""


rule data:
    """Every table of images that the study uses."""
    input:
        expand(
            "data/{dataset}/{split}.parquet",
            dataset=study.config.study.datasets,
            split=["train", "test"],
        ),


for dataset in study.datasets("shapes"):

    rule:
        name:
            f"generate_{dataset}"
        output:
            f"data/{dataset}/{{split}}.parquet",
        log:
            f"data/{dataset}/logs/{{split}}.log",
        benchmark:
            f"data/{dataset}/benchmarks/{{split}}.tsv"
        conda:
            "../envs/depthlens.yaml"
        params:
            cfg=study.block(f"datasets.{dataset}"),
            code=study.digest("stages.generate"),
        shell:
            "depthlens generate --split {wildcards.split} --output {output:q}"
            " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"


for dataset in study.imported():

    rule:
        name:
            f"import_images_{dataset}"
        output:
            train=f"data/{dataset}/train.parquet",
            test=f"data/{dataset}/test.parquet",
        log:
            f"data/{dataset}/logs/import_images.log",
        benchmark:
            f"data/{dataset}/benchmarks/import_images.tsv"
        conda:
            "../envs/depthlens.yaml"
        params:
            cfg=study.block(f"datasets.{dataset}"),
            code=study.digest("stages.import_images"),
            source=study.source(dataset),
        shell:
            "depthlens import-images --train-output {output.train:q}"
            " --test-output {output.test:q} --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"


rule resample:
    """Divide all images of a dataset anew, for one replicate."""
    input:
        train="data/{dataset}/train.parquet",
        test="data/{dataset}/test.parquet",
    output:
        train="data/{dataset}/replicate{number}/train.parquet",
        test="data/{dataset}/replicate{number}/test.parquet",
    log:
        "data/{dataset}/logs/replicate{number}.log",
    benchmark:
        "data/{dataset}/benchmarks/replicate{number}.tsv"
    conda:
        "../envs/depthlens.yaml"
    params:
        cfg=study.block("replicates"),
        code=study.digest("stages.resample"),
    shell:
        "depthlens resample --train-images {input.train:q} --test-images {input.test:q}"
        " --number {wildcards.number} --train-output {output.train:q}"
        " --test-output {output.test:q} --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"
