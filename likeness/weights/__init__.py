"""Model files: what there is, where they lie, how they are fetched."""
