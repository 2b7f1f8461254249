"""One module a sweep, whose `experiment` makes one cell; they know nothing of figures."""
