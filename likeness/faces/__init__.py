"""Faces in pictures: models, detection, choice, alignment, embedding, keypoints, masks."""
