"""Images to study: generated shapes and imported collections."""
