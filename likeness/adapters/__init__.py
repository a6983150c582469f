"""What the IP-Adapter family has in common: tokens, layers, files, and how they get into a MODEL."""
