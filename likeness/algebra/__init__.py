"""The algebra of identities: mixing them, comparing them, making new ones, scoring pictures by them.

An embedding's direction says who somebody is; its length, how strongly a network that takes raw vectors
(InstantID) shows them. So directions are what is mixed, and lengths are averaged beside them: the result
is right for InstantID (raw) and for Arc2Face (made a unit vector there, spec 2.9). An identity of several
embeddings counts by its mean. Everything is computed in float64 on the CPU; inputs stay as they are.
"""

from typing import TYPE_CHECKING

if not TYPE_CHECKING:  # who checks types sees the modules themselves
    from ..late import modules

    __getattr__ = modules(__name__, __path__)
