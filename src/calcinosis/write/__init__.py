"""From results to the files people use."""
