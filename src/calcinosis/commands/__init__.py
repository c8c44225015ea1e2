"""Commands that have a file of their own; `calcinosis.cli` gathers them."""
