"""What the ``radiograph`` command writes."""
