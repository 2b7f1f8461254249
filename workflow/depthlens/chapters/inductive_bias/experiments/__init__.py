"""One module a sweep, whose `experiment` makes the tables of one cell; they know no figures.

What `cell` and `settings` hold is read by `material.prepare` and `material.train`, if an experiment
does not say more; `progress` wraps the epochs.
"""
