"""What a command shows while it runs: progress, on standard error and nowhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[float], None]


@contextmanager
def progress_bars(*, quiet: bool) -> Iterator[Callable[[str], Progress]]:
    """Yield a function that adds a named bar and returns what moves it, 0 to 1."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<9}"), BarColumn(), TimeElapsedColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bars:

        def begin(name: str) -> Callable[[float], None]:
            bar = bars.add_task(name, total=1.0)
            return lambda done: bars.update(bar, completed=done)

        yield begin
