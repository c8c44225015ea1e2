"""Analytic CT scans with known truth."""
