"""``python -m calcinosis`` is the same as ``calcinosis``."""

from calcinosis.cli import main

main()
