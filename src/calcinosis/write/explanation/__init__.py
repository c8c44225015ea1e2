"""An explanation for its readers: JSON, terminal, page."""
