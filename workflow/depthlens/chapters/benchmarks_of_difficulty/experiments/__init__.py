"""One module a sweep, whose `experiment` makes the tables of one cell; they know no figures.

It is given training and test images by dataset; `progress` wraps the batches of an epoch.
"""
