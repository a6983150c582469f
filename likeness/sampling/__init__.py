"""Ways through the host's samplers: inversion, two branches with the same noise, a run kept for another."""
