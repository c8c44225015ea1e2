"""A node that a PACS sends to, and the web beside it."""
