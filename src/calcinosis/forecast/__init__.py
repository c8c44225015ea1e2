"""From a patient and a prescription to minerals and mass over time."""
