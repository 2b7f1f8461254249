"""One module a sweep: what a job of it does. Figures and claims are elsewhere."""
