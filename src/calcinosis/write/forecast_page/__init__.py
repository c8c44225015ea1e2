"""A forecast as page, table and JSON."""
