"""One look for every figure of the study, and the plots that chapters share."""
