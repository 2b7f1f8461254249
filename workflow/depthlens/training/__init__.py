"""The one training loop of the study."""
