"""The template of a page on one mass on one kind of image, with the parts of the report."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


def template_of(image: str) -> "Template":
    """That of ``mri``, ``radiograph``, ``scintigraphy`` or ``ultrasound``."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    rooms = (f"calcinosis.write.{image}_page", "calcinosis.write.report")
    pages = Environment(
        loader=ChoiceLoader([PackageLoader(room, "templates") for room in rooms]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(f"{image}.html.j2")
