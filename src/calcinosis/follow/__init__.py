"""The same masses in two scans of one patient, and how they changed."""
