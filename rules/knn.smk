"""The k-NN class of every example at every probe.

Reads   activations/{split}/{probe}.parquet and activations/train/{probe}.parquet, config.yaml (knn)
Makes   knn/{split}/{probe}.parquet
Steps   knn
"""


rule knn:
    """Classify every example of a split by the training activations of one probe."""
    input:
        queries=f"{RUN}/activations/{{split}}/{{probe}}.parquet",
        references=f"{RUN}/activations/train/{{probe}}.parquet",
        labels=f"{RUN}/predictions/train.parquet",
    output:
        f"{RUN}/knn/{{split}}/{{probe}}.parquet",
    log:
        f"{RUN}/logs/knn/{{split}}/{{probe}}.log",
    benchmark:
        f"{RUN}/benchmarks/knn/{{split}}/{{probe}}.tsv"
    conda:
        "../envs/depthlens.yaml"
    # Several probes at a time: reading and starting up do not use more than one core.
    threads: max(1, workflow.cores // 4)
    resources:
        mem_mb=4000,
    params:
        cfg=study.block("knn"),
        code=digest("stages.knn"),
        leave_one_out=branch(
            evaluate("{split} == 'train'"),
            then="--leave-one-out",
            otherwise="--no-leave-one-out",
        ),
    shell:
        "depthlens knn --queries {input.queries:q} --references {input.references:q}"
        " --labels {input.labels:q} --output {output:q} {params.leave_one_out}"
        " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"
