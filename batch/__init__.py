"""Batches: one workflow over a table of people, on one desk or on a Ray cluster, with a ledger.

`python -m batch --help`. The nodes and `likeness` never import it; requirements-batch.txt has what it needs.
"""
