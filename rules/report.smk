"""The report: what was found, on one page that needs no network.

Reads   every run's tables, figures and captions, the cards of replicates, reports/claims.csv,
        config.yaml (all of it, to print it)
Makes   reports/index.html, reports/summary.json
Steps   study_report
"""


rule report:
    """The page."""
    input:
        f"{REPORTS}/index.html",


rule study_report:
    """Write the page and the headline numbers for machines."""
    input:
        figures=[
            f"{study.figures(run)}/{name}"
            for run in study.runs()
            for name in (
                "captions.json",
                *drawn(study.run_figures(trained=study.trains(run.model))),
            )
        ],
        ensembles=[
            f"{study.ensemble_figures(card)}/{name}"
            for card in study.ensembles()
            for name in (
                "captions.json",
                *drawn(study.card_figures()),
            )
        ],
        tables=study.paths(
            "probes.parquet",
            "convergence.json",
            *[
                f"{kind}/{split}.parquet"
                for split in study.config.study.splits
                for kind in ("depth", "scores")
            ],
        ),
        history=[
            f"{run.folder}/history.parquet"
            for run in study.runs()
            if study.trains(run.model)
        ],
        cards=[path for card in study.ensembles() for path in card.files],
        images=expand(
            "data/{dataset}/{split}.parquet",
            dataset=study.config.study.datasets,
            split=["train", "test"] if study.ensembles() else ["test"],
        ),
        claims=f"{REPORTS}/claims.csv",
    output:
        page=f"{REPORTS}/index.html",
        summary=f"{REPORTS}/summary.json",
    log:
        f"{REPORTS}/logs/report.log",
    benchmark:
        f"{REPORTS}/benchmarks/report.tsv"
    conda:
        "../envs/depthlens.yaml"
    params:
        cfg=study.block(),
        code=study.digest("stages.report"),
        runs=[run.folder for run in study.runs()],
    shell:
        "depthlens report {params.runs:q} --data data --claims {input.claims:q}"
        " --output {output.page:q} --summary {output.summary:q}"
        " --cfg {params.cfg:q} 2> >(tee {log:q} >&2)"
