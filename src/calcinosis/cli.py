"""Parse, call, print. Exit status: 0 done, 2 the user must change something, 1 our defect."""

import sys

import click

from calcinosis import __version__
from calcinosis.errors import CalcinosisError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="calcinosis")
def commands() -> None:
    """Measure calcified soft-tissue masses on CT, explain them, forecast their treatment.

    For research and teaching; not a medical device.
    """


def main() -> None:
    """Run a command; turn our own errors into one line on standard error."""
    try:
        commands()
    except CalcinosisError as error:
        sys.stderr.write(f"calcinosis: {error}\n")
        sys.exit(2)
