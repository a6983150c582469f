"""Redrawing and repairing: what the nodes' widgets offer before any of it is loaded."""

#: What is drawn anew of a crop.
FACE, WHOLE_CROP = REGIONS = ("face", "whole crop")
#: What is done about pictures without a face; leaving them out would change the batch.
ERROR, PASS_THROUGH = NO_FACE = ("error", "pass through")
#: Of any model: the least denoise that changes a face, the usual, and the most.
DENOISE = 0.1, 0.5, 1.0
