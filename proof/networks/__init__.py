"""Small networks in the layouts that the host, and our nodes, load unchanged."""
