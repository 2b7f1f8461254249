"""One module a rule: read tables, call the science, write tables."""
