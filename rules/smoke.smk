"""The tiny study of tests/smoke.yaml, through every rule.

Reads   tests/smoke.yaml
Makes   results/smoke/: a study of its own, with its own data, results and reports
"""


rule smoke:
    """Run the tiny study in a folder of its own, so that it never mixes with the real one."""
    input:
        config="tests/smoke.yaml",
    log:
        "results/smoke/smoke.log",
    conda:
        "../envs/depthlens.yaml"
    threads: workflow.cores
    params:
        snakefile=workflow.main_snakefile,
        profile=f"{workflow.basedir}/profiles/default",
    shell:
        "snakemake --snakefile {params.snakefile:q} --profile {params.profile:q}"
        " --configfile {input.config:q} --directory results/smoke --cores {threads}"
        " 2> >(tee {log:q} >&2)"
