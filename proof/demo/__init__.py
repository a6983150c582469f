"""`python -m proof world demo`: one person of the drawn world, drawn again by a method, on one sheet."""
