"""What results were made from, by content: so that exactly what depends on a change is made again.

`code` digests modules, `fingerprints` digests files, `snakemake` reads and writes what Snakemake
remembers of a job, `records` is the same in a form that travels with git, `journal` brings the
two and the files on disk into agreement, `manifest` lists what a study consists of, `checkout` says
whose code it is that runs.
"""
