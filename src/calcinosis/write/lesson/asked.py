"""A question as the page asks it: its choices, which are right, and what is shown once answered."""

from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup


@dataclass(frozen=True)
class Choice:
    """One choice, and why it is right or wrong where there is more to say."""

    text: Markup | str
    right: bool
    because: Markup | str = ""


@dataclass(frozen=True)
class Block:
    """A part of the feedback: the template in `templates/blocks` that shows it, and its values."""

    template: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One question.

    Attributes:
        kind: one choice, several, or a click on the image.
        ask: the question.
        choices: empty for a click.
        target: mass, level or erosion for a click; else empty.
        answer: what is said once it is answered.
        blocks: figures and tables beside it.
    """

    kind: Literal["one", "many", "place"]
    ask: Markup
    choices: tuple[Choice, ...] = ()
    target: str = ""
    answer: Markup | str = ""
    blocks: tuple[Block, ...] = ()

    @property
    def right(self) -> list[int]:
        """Numbers of the right choices."""
        return [number for number, choice in enumerate(self.choices) if choice.right]
