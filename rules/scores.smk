"""Every other score of difficulty, and what all networks of a dataset and model say together.

Reads   predictions, knn and activations of the feature probe, dynamics, snapshots, checkpoint,
        data/{dataset}/{split}.parquet, config.yaml (scores, models, chapters)
Makes   scores/{split}.parquet; results/{dataset}/{model}/{card, reliability}.parquet
Steps   scores, card
"""

DYNAMICS = {"train": "dynamics.parquet", "test": "dynamics_test.parquet"}


rule scores:
    """Every score of every network of the study."""
    input:
        study.paths(*[f"scores/{split}.parquet" for split in study.config.study.splits]),


rule replicates:
    """The card of every dataset and model: depth and scores of each image over all networks."""
    input:
        [card.files for card in study.cards()],


for model in study.config.study.models:
    folder = f"results/{{dataset}}/{model}/seed{{seed}}"
    probe = FEATURES[model]
    for split in study.config.study.splits:

        rule:
            name:
                f"scores_{split}_{model}"
            input:
                **(
                    {
                        "dynamics": f"{folder}/{DYNAMICS[split]}",
                        "snapshots": f"{folder}/snapshots.safetensors",
                    }
                    if study.trains(model)
                    else {}
                ),
                # Of the training split they are its own: Snakemake takes no input twice.
                **(
                    {
                        "labels": f"{folder}/predictions/train.parquet",
                        "reference_features": f"{folder}/activations/train/{probe}.parquet",
                    }
                    if split != "train"
                    else {}
                ),
                images=f"data/{{dataset}}/{split}.parquet",
                checkpoint=f"{folder}/checkpoint.safetensors",
                predictions=f"{folder}/predictions/{split}.parquet",
                knn=f"{folder}/knn/{split}/{probe}.parquet",
                features=f"{folder}/activations/{split}/{probe}.parquet",
            output:
                f"{folder}/scores/{split}.parquet",
            log:
                f"{folder}/logs/scores/{split}.log",
            benchmark:
                f"{folder}/benchmarks/scores/{split}.tsv"
            conda:
                "../envs/depthlens.yaml"
            threads: workflow.cores
            resources:
                mem_mb=4000,
                gpu=1,
            params:
                cfg=study.block("scores", f"models.{model}"),
                code=study.digest("stages.scores"),
                network=study.network_code(model),
                split=split,
                references=f"--labels {folder}/predictions/train.parquet"
                f" --reference-features {folder}/activations/train/{probe}.parquet",
                # Not in the command: it is put together when the job runs, after the last turn.
                training=(
                    f"--dynamics {folder}/{DYNAMICS[split]}"
                    f" --snapshots {folder}/snapshots.safetensors"
                    if study.trains(model)
                    else ""
                ),
            shell:
                "depthlens scores --split {params.split} --images {input.images:q}"
                " --checkpoint {input.checkpoint:q} --predictions {input.predictions:q}"
                " {params.training}"
                " {params.references} --knn {input.knn:q} --features {input.features:q}"
                " --output {output:q}"
                " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"


if not study.card_is_pulled:

    for dataset, model in study.cards():
        folders = [run.folder for run in study.networks(dataset, model)]

        rule:
            name:
                f"card_{dataset}_{model}"
            input:
                train=f"data/{dataset}/train.parquet",
                test=f"data/{dataset}/test.parquet",
                tables=[
                    f"{folder}/{table}/{split}.parquet"
                    for folder in folders
                    for table in ("predictions", "depth", "scores")
                    for split in study.config.study.splits
                ],
            output:
                card=f"results/{dataset}/{model}/card.parquet",
                reliability=f"results/{dataset}/{model}/reliability.parquet",
            log:
                f"results/{dataset}/{model}/logs/card.log",
            benchmark:
                f"results/{dataset}/{model}/benchmarks/card.tsv"
            conda:
                "../envs/depthlens.yaml"
            params:
                cfg=study.block("chapters.difficulty"),
                code=study.digest("stages.card"),
                runs=folders,
            shell:
                "depthlens card {params.runs:q} --train-images {input.train:q}"
                " --test-images {input.test:q} --output {output.card:q}"
                " --reliability {output.reliability:q}"
                " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"

else:

    # Files that are there have no rule, as those of pulled checkpoints.
    for card in study.cards_to_pull():

        rule:
            name:
                f"pull_card_{card.dataset}_{card.model}"
            output:
                card.files,
            log:
                f"results/{card.dataset}/{card.model}/logs/pull.log",
            benchmark:
                f"results/{card.dataset}/{card.model}/benchmarks/pull.tsv"
            conda:
                "../envs/depthlens.yaml"
            # DVC keeps other processes out.
            resources:
                dvc=1,
            shell:
                "dvc pull {output:q} 2> >(tee {log:q} >&2)"
