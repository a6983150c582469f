"""ControlNets that see a face."""
