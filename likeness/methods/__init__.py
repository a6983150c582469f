"""The published methods, a package each; what a package shows is in its `__init__`. None imports another."""
