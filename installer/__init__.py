"""The parts of install.py. Standard library only: they run under whatever Python the user has."""
