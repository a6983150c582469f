"""How the tests boot a server."""

#: What graphics cards use, and quicker than what the host takes on a CPU: that one is in tests/host.
ATTENTION = ("--use-pytorch-cross-attention",)
