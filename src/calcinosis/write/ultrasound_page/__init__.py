"""What the ``ultrasound`` command writes."""
