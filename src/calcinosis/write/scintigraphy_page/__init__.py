"""scintigraphy.html and scintigraphy.json: what a mass takes up on a bone scan."""
