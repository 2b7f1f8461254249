"""One trained network for every dataset × model × seed.

Reads   data/{dataset}/{train,test}.parquet, weights of networks that were trained elsewhere,
        config.yaml (checkpoints, training, models)
Makes   results/{dataset}/{model}/seed{seed}/{checkpoint, snapshots}.safetensors,
        {history, dynamics, dynamics_test}.parquet
Steps   train, or adopt for each model with weights, which leaves only the checkpoint;
        or, where checkpoints.source is pull, dvc pull for what is not there
"""

# Names of models: those that are trained here, and those whose weights come from a file.
TRAINED_HERE = [name for name in study.config.models if study.trains(name)]
TRAINED_ELSEWHERE = [
    name for name in study.config.study.models if not study.trains(name)
]


rule checkpoints:
    """Every trained network of the study."""
    input:
        [f"{run.folder}/checkpoint.safetensors" for run in study.all_networks()],


if study.config.checkpoints.source == "train":

    rule train:
        """Train a network and record what each image went through."""
        input:
            train="data/{dataset}/train.parquet",
            test="data/{dataset}/test.parquet",
        output:
            checkpoint=f"{RUN}/checkpoint.safetensors",
            history=f"{RUN}/history.parquet",
            dynamics=f"{RUN}/dynamics.parquet",
            dynamics_test=f"{RUN}/dynamics_test.parquet",
            snapshots=f"{RUN}/snapshots.safetensors",
        log:
            f"{RUN}/logs/train.log",
        benchmark:
            f"{RUN}/benchmarks/train.tsv"
        wildcard_constraints:
            model="|".join(TRAINED_HERE) or "(?!)",
        conda:
            "../envs/depthlens.yaml"
        threads: study.config.training.threads
        resources:
            mem_mb=4000,
            gpu=1,
        params:
            cfg=study.block("training", "models.{model}"),
            code=study.digest("stages.train"),
            network=study.network_code("{model}"),
            # No output: Snakemake would delete it with the outputs of a killed job.
            resume=f"{RUN}/resume.safetensors",
        shell:
            "depthlens train --train-images {input.train:q} --test-images {input.test:q}"
            " --seed {wildcards.seed} --checkpoint {output.checkpoint:q}"
            " --history {output.history:q} --dynamics {output.dynamics:q}"
            " --dynamics-test {output.dynamics_test:q} --snapshots {output.snapshots:q}"
            " --resume {params.resume:q} --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"

    for model in TRAINED_ELSEWHERE:

        rule:
            name:
                f"adopt_{model}"
            input:
                images="data/{dataset}/train.parquet",
                weights=study.weights(model),
            output:
                f"results/{{dataset}}/{model}/seed{{seed}}/checkpoint.safetensors",
            log:
                f"results/{{dataset}}/{model}/seed{{seed}}/logs/adopt.log",
            benchmark:
                f"results/{{dataset}}/{model}/seed{{seed}}/benchmarks/adopt.tsv"
            conda:
                "../envs/depthlens.yaml"
            params:
                cfg=study.block(f"models.{model}"),
                code=study.digest("stages.adopt"),
                network=study.network_code(model),
            shell:
                "depthlens adopt --images {input.images:q} --weights {input.weights:q}"
                " --checkpoint {output:q} --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"

else:

    # Files that are there have no rule: nothing can make Snakemake train, or pull, again.
    for run in study.runs_to_pull():

        rule:
            name:
                f"pull_{run.dataset}_{run.model}_seed{run.seed}"
            output:
                study.checkpoint_files(run),
            log:
                f"{run.folder}/logs/pull.log",
            benchmark:
                f"{run.folder}/benchmarks/pull.tsv"
            conda:
                "../envs/depthlens.yaml"
            # DVC keeps other processes out.
            resources:
                dvc=1,
            shell:
                "dvc pull {output:q} 2> >(tee {log:q} >&2)"
