"""Chapters of experiments: sweeps of many small networks, then claims, figures and a page each.

Reads   data/{dataset}/{split}.parquet, config.yaml (chapters, figures)
Makes   results/{chapter}/{table}/{cell}.parquet, results/{chapter}/{table}.parquet,
        reports/{chapter}/: index.html, claims.csv, figures
        {reports}/ledger.html, ledger.csv: the claims of all chapters
Steps   one cell of each sweep, the sweep, each section, the page; a target for each chapter
"""

from pathlib import Path

from depthlens.study import as_json

chapters = study.chapters()

for chapter in chapters:
    made, told = study.chapter_folders(chapter.name)
    sections = [part.name for part in chapter.sections]
    asked = [table for sweep in chapter.sweeps for table in sweep.tables]

    rule:
        """The page of a chapter."""
        name:
            chapter.name
        input:
            f"{told}/index.html",
        localrule: True

    for sweep in chapter.sweeps:

        rule:
            """Make one cell of a sweep."""
            name:
                f"{chapter.name}_{sweep.name}_cell"
            input:
                # A default: the loop has gone on when Snakemake asks.
                lambda wildcards, cells=sweep.by_name(): [
                    f"data/{cells[wildcards.cell][key]}/{split}.parquet"
                    for key in ("dataset", "other")
                    if key in cells[wildcards.cell]
                    for split in ("train", "test")
                ],
                # Of the user, where a sweep reads some: by a value of the cell.
                files=lambda wildcards, cells=sweep.by_name(), named=sweep.settings.get(
                    "files", {}
                ): [
                    path
                    for value in cells[wildcards.cell].values()
                    for path in named.get(value, {}).values()
                    if path
                ],
            output:
                [f"{made}/{table}/{{cell}}.parquet" for table in sweep.tables],
            log:
                f"{made}/logs/{sweep.name}/{{cell}}.log",
            benchmark:
                f"{made}/benchmarks/{sweep.name}/{{cell}}.tsv"
            wildcard_constraints:
                cell="[^/]+",
            conda:
                "../envs/depthlens.yaml"
            resources:
                mem_mb=4000,  # and no whole GPU: these networks are small, and share one
            params:
                experiment=sweep.experiment,
                cell=lambda wildcards, cells=sweep.by_name(): as_json(
                    cells[wildcards.cell]
                ),
                settings=lambda _wildcards, settings=sweep.settings: as_json(settings),
                stage=study.digest("stages.cell"),
                code=study.digest(f"chapters.{sweep.experiment}"),
            shell:
                "depthlens cell {output:q} --experiment {params.experiment} --data data"
                " --cell {params.cell:q} --settings {params.settings:q}"
                " 2> >(tee {log:q} >&2)"

        for table in sweep.tables:

            rule:
                """Put the cells of a sweep together."""
                name:
                    f"{chapter.name}_{table}"
                input:
                    [f"{made}/{table}/{cell}.parquet" for cell in sweep.by_name()],
                output:
                    f"{made}/{table}.parquet",
                log:
                    f"{made}/logs/{table}.log",
                benchmark:
                    f"{made}/benchmarks/{table}.tsv"
                conda:
                    "../envs/depthlens.yaml"
                params:
                    code=study.digest("stages.gather"),
                shell:
                    "depthlens gather {input:q} --output {output:q} 2> >(tee {log:q} >&2)"

    for part in chapter.sections:

        rule:
            """Hold the claims of a section against its sweeps, and draw its figures."""
            name:
                f"{chapter.name}_{part.name}_section"
            input:
                [f"{made}/{table}.parquet" for table in part.tables if table in asked],
            output:
                captions=f"{told}/figures/{part.name}/captions.json",
                svg=[f"{told}/figures/{part.name}/{name}.svg" for name in part.figures],
                png=report(
                    [
                        f"{told}/figures/{part.name}/{name}.png"
                        for name in part.figures
                    ],
                    caption="../docs/captions/chapter.rst",
                    category=chapter.title,
                    subcategory=part.title,
                ),
                claims=f"{told}/sections/{part.name}.csv",
                contents=f"{told}/sections/{part.name}.json",
            log:
                f"{made}/logs/sections/{part.name}.log",
            benchmark:
                f"{made}/benchmarks/sections/{part.name}.tsv"
            conda:
                "../envs/depthlens.yaml"
            params:
                cfg=study.block("figures"),
                level=study.block(f"chapters.{chapter.name}.confidence_level"),
                chapter=chapter.name,
                section=part.name,
                folder=lambda _wildcards, output: str(Path(output.captions).parent),
                stage=study.digest("stages.section"),
                code=study.digest(f"chapters.{chapter.name}.{part.name}"),
            shell:
                "depthlens section {input:q} --chapter {params.chapter}"
                " --section {params.section} --output {params.folder:q}"
                " --claims {output.claims:q} --contents {output.contents:q}"
                " --confidence-level {params.level} --cfg {params.cfg:q}"
                " 2> >(tee {log:q} >&2)"

    rule:
        """Write the page of a chapter and its ledger of claims."""
        name:
            f"{chapter.name}_page"
        input:
            figures=[
                f"{told}/figures/{part.name}/{name}"
                for part in chapter.sections
                for name in ("captions.json", *drawn(part.figures))
            ],
            parts=[
                f"{told}/sections/{name}.{kind}"
                for name in sections
                for kind in ("csv", "json")
            ],
        output:
            page=f"{told}/index.html",
            claims=report(
                f"{told}/claims.csv",
                caption="../docs/captions/claims.rst",
                category="Claims",
            ),
        log:
            f"{made}/logs/page.log",
        benchmark:
            f"{made}/benchmarks/page.tsv"
        conda:
            "../envs/depthlens.yaml"
        params:
            block=study.block(f"chapters.{chapter.name}"),
            chapter=chapter.name,
            folder=lambda _wildcards, output: str(Path(output.page).parent),
            stage=study.digest("stages.chapter"),
            code=study.digest(f"chapters.{chapter.name}.contents"),
        shell:
            "depthlens chapter --chapter {params.chapter} --figures {params.folder:q}/figures"
            " --parts {params.folder:q}/sections --output {output.page:q}"
            " --claims {output.claims:q} --block {params.block:q} 2> >(tee {log:q} >&2)"


rule ledger:
    """All claims of all chapters as one page and one table; makes what is missing."""
    input:
        f"{REPORTS}/claims.csv",
        [f"{study.chapter_folders(chapter.name)[1]}/claims.csv" for chapter in chapters],
    output:
        page=f"{REPORTS}/ledger.html",
        table=f"{REPORTS}/ledger.csv",
    log:
        f"{REPORTS}/logs/ledger.log",
    benchmark:
        f"{REPORTS}/benchmarks/ledger.tsv"
    conda:
        "../envs/depthlens.yaml"
    params:
        code=study.digest("stages.ledger"),
    shell:
        "depthlens ledger {input:q} --output {output.page:q} --table {output.table:q}"
        " 2> >(tee {log:q} >&2)"
