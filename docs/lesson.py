"""Photograph the lesson for the manual: `python docs/lesson.py LESSON.html PICTURE.png`.

The first question is answered: the cross set into the mass, the answer open.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from picture import FRAME_PX, WIDTH_PX, lightened
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

HEIGHT_PX = 1000
ANSWER = """
const data = JSON.parse(document.getElementById("data").textContent);
const scan = data.cases[0].scans[0], places = scan.drawn.mass;
const size = (curves) => curves.reduce((sum, curve) => sum + curve.length, 0);
const slice = places.map(size).indexOf(Math.max(...places.map(size)));
const slider = document.getElementById("v0-Slice");
slider.value = slice;
slider.dispatchEvent(new Event("input"));
const box = document.querySelector(".stage canvas").getBoundingClientRect();
const curve = places[slice][0];
const middle = (axis) => curve.reduce((sum, point) => sum + point[axis], 0) / curve.length;
const [x, y] = [0, 1].map((axis) => (middle(axis) * box.width) / scan.pixels);
const click = { clientX: box.left + x, clientY: box.top + y, bubbles: true };
document.querySelector(".stage").dispatchEvent(new MouseEvent("click", click));
document.querySelector("#c1q1 button").click();
document.getElementById("case-1").scrollIntoView();
"""


def photograph(page: Path, picture: Path) -> None:
    """Answer the first question in Chromium, and save what the learner then sees."""
    with tempfile.TemporaryDirectory() as folder:
        options = webdriver.ChromeOptions()
        for flag in (
            "--headless",
            "--no-sandbox",  # the page is our own, and Chromium's sandbox refuses root
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            f"--window-size={WIDTH_PX},{HEIGHT_PX + FRAME_PX}",
        ):
            options.add_argument(flag)
        options.binary_location = shutil.which("chromium") or "chromium"
        browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            browser.get(page.resolve().as_uri())
            browser.execute_script(ANSWER)
            time.sleep(1)  # until the slice is drawn
            shot = Path(folder) / "shot.png"
            browser.save_screenshot(str(shot))
            lightened(shot, picture, HEIGHT_PX)
        finally:
            browser.quit()


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]))
