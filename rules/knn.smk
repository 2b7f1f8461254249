"""The k-NN class of every example at every probe.

Reads   activations/{split}/{probe}.parquet, labels in predictions/train.parquet, config.yaml (knn)
Makes   knn/{split}/{probe}.parquet
Steps   knn; or neighbours (one job a shard of the references) and votes, where knn.shards > 1
"""

# Both splits ask the same references, in one sweep over them.
LEAVE_ONE_OUT = "train" in study.config.study.splits

if study.config.knn.shards == 1:

    rule knn:
        """Classify the examples of all splits by the training activations of one probe."""
        input:
            references=f"{RUN}/activations/train/{{probe}}.parquet",
            queries=f"{RUN}/activations/test/{{probe}}.parquet",
            labels=f"{RUN}/predictions/train.parquet",
        output:
            **{
                split: f"{RUN}/knn/{split}/{{probe}}.parquet"
                for split in study.config.study.splits
            },
        log:
            f"{RUN}/logs/knn/{{probe}}.log",
        benchmark:
            f"{RUN}/benchmarks/knn/{{probe}}.tsv"
        conda:
            "../envs/depthlens.yaml"
        # Several probes at a time: reading and starting up do not use more than one core.
        threads: max(1, workflow.cores // 4)
        resources:
            mem_mb=int(1000 * study.config.knn.memory + 500),
        params:
            cfg=study.block("knn"),
            code=study.digest("stages.knn"),
        shell:
            "depthlens knn --references {input.references:q} --labels {input.labels:q}"
            " --queries {input.queries:q} --output {output.test:q}"
            + (" --leave-one-out {output.train:q}" if LEAVE_ONE_OUT else "")
            + " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"

else:

    scattergather:
        references=study.config.knn.shards,

    # gather fills in one wildcard; doubled braces keep the others for the rule.
    ESCAPED_RUN = RUN.replace("{", "{{").replace("}", "}}")

    rule neighbours:
        """Find what one shard of the references has to offer to the examples of all splits."""
        input:
            references=f"{RUN}/activations/train/{{probe}}.parquet",
            queries=f"{RUN}/activations/test/{{probe}}.parquet",
        output:
            **{
                split: temp(
                    f"{RUN}/knn/shards/{{scatteritem}}/{split}/{{probe}}.parquet"
                )
                for split in study.config.study.splits
            },
        log:
            f"{RUN}/logs/neighbours/{{scatteritem}}/{{probe}}.log",
        benchmark:
            f"{RUN}/benchmarks/neighbours/{{scatteritem}}/{{probe}}.tsv"
        conda:
            "../envs/depthlens.yaml"
        threads: max(1, workflow.cores // 4)
        resources:
            mem_mb=int(1000 * study.config.knn.memory + 500),
        params:
            cfg=study.block("knn"),
            code=study.digest("stages.neighbours"),
        shell:
            "depthlens neighbours --references {input.references:q}"
            " --shard {wildcards.scatteritem:q}"
            " --queries {input.queries:q} --output {output.test:q}"
            + (" --leave-one-out {output.train:q}" if LEAVE_ONE_OUT else "")
            + " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"

    rule votes:
        """Classify the examples of a split by what all shards of the references offer."""
        input:
            neighbours=gather.references(
                f"{ESCAPED_RUN}/knn/shards/{{scatteritem}}/{{{{split}}}}/{{{{probe}}}}.parquet"
            ),
            references=f"{RUN}/activations/train/{{probe}}.parquet",
            labels=f"{RUN}/predictions/train.parquet",
        output:
            f"{RUN}/knn/{{split}}/{{probe}}.parquet",
        log:
            f"{RUN}/logs/votes/{{split}}/{{probe}}.log",
        benchmark:
            f"{RUN}/benchmarks/votes/{{split}}/{{probe}}.tsv"
        conda:
            "../envs/depthlens.yaml"
        params:
            cfg=study.block("knn"),
            code=study.digest("stages.votes"),
        shell:
            "depthlens votes {input.neighbours:q} --references {input.references:q}"
            " --labels {input.labels:q} --output {output:q}"
            " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"
