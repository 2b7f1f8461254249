"""Images of every dataset.

Reads   config.yaml (datasets), and for collections the files under their data_root
Makes   data/{dataset}/{split}.parquet
Steps   generate the shapes, or import a collection
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


for dataset in study.datasets("torchvision"):

    rule:
        name:
            f"import_images_{dataset}"
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
            code=study.digest("stages.import_images"),
        shell:
            "depthlens import-images --split {wildcards.split} --output {output:q}"
            " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"
