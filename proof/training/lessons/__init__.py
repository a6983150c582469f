"""One module for each kind of stage, with a function `begin`."""
