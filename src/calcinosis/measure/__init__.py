"""From a CT volume to measured masses. Pure functions over arrays; no files."""
