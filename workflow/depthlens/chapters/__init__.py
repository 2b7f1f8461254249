"""One package a chapter of the study: what it measures, draws and claims."""
