"""The report: what was found, on one page that needs no network.

Reads   every run's tables, figures and captions, reports/claims.csv, config.yaml (all of it, to print it)
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
        captions=[f"{study.figures(run)}/captions.json" for run in study.runs()],
        figures=[
            f"{study.figures(run)}/{name}.{kind}"
            for run in study.runs()
            for name in difficulty.FIGURES
            for kind in ("svg", "png")
        ],
        tables=study.paths(
            "depth/test.parquet",
            "probes.parquet",
            "convergence.json",
            "history.parquet",
        ),
        images=expand(
            "data/{dataset}/test.parquet", dataset=study.config.study.datasets
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
