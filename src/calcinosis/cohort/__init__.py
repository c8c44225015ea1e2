"""A whole archive: every CT study in it measured, and tables of all."""
