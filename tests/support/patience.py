"""How long a test waits for what may hang. No measure of speed: a busy machine must not come near it."""

PATIENCE = 600.0  # seconds
