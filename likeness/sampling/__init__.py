"""Ways through the host's samplers: inversion, a run kept, and its steps gone again beside another run."""
