"""What the ``follow`` command writes."""
