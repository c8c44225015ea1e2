"""What the ``mri`` command writes."""
