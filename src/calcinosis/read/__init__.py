"""From files to volumes, patients and laboratory values."""
