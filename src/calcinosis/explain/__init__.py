"""From findings to a weighed differential and what may be done."""
