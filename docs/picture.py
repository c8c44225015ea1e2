"""Photograph an HTML report for the README: `python docs/picture.py REPORT.html PICTURE.png`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

WIDTH_PX, HEIGHT_PX = 1280, 1500  # of the README's picture
FRAME_PX = 200  # of the window that the browser may keep for itself
MAX_BYTES = 400_000  # a README should not be heavier to load than the pages around it


def photograph(page: Path, picture: Path, height_px: int = HEIGHT_PX) -> None:
    """Render the top of `page` in Chromium and save it."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        command = [
            "chromium",
            "--headless",
            "--no-sandbox",  # the page is our own, and Chromium's sandbox refuses root
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            f"--window-size={WIDTH_PX},{height_px + FRAME_PX}",
            f"--screenshot={shot}",
            page.resolve().as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        lightened(shot, picture, height_px)


def lightened(shot: Path, picture: Path, height_px: int) -> None:
    """Save the top of a photograph with few enough colours to be light."""
    image = Image.open(shot).convert("RGB").crop((0, 0, WIDTH_PX, height_px))
    for colours in (256, 128, 64):
        image.quantize(colours).save(picture, optimize=True)
        if picture.stat().st_size <= MAX_BYTES:
            return
    sys.exit(f"{picture} is {picture.stat().st_size} bytes; expected at most {MAX_BYTES}")


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]))
