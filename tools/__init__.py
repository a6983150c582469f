"""Commands for people who work on the pack; nothing here is needed to use it."""
