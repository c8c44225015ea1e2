"""The lesson as a learner meets it, in Chromium, with and without a learning-management system."""

import json
import re
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import frame_to_be_available_and_switch_to_it
from selenium.webdriver.support.ui import WebDriverWait

from chromium import running_chromium

# A learning-management system: it shows the lesson in a frame, and keeps what it is told.
COURSE = """<!DOCTYPE html><script>
window.API = {
  told: [], kept: {}, finished: 0,
  LMSInitialize() { this.told.push(["initialize", ""]); return "true"; },
  LMSGetValue(name) { return this.kept[name] || ""; },
  LMSSetValue(name, value) {
    this.told.push([name, value]);
    this.kept[name] = value;
    return "true";
  },
  LMSCommit() { return "true"; },
  LMSFinish() { this.finished += 1; return "true"; },
};
</script><iframe src="lesson.html" width="1200" height="1200"></iframe>"""
# SCORM 1.2 run-time environment, 3.4: data types of the elements that are set.
ALLOWED = {
    r"cmi\.core\.lesson_status": r"incomplete|completed",
    r"cmi\.core\.score\.(raw|min|max)": r"\d{1,3}",
    r"cmi\.core\.exit": r"|suspend",
    r"cmi\.core\.session_time": r"\d{2,4}:\d\d:\d\d",
    r"cmi\.suspend_data": r"(?s).{0,4096}",
    r"cmi\.interactions\.\d+\.id": r"\w{1,255}",
    r"cmi\.interactions\.\d+\.type": r"choice|performance",
    r"cmi\.interactions\.\d+\.student_response": r".{1,255}",
    r"cmi\.interactions\.\d+\.correct_responses\.0\.pattern": r"[a-z](,[a-z])*",
    r"cmi\.interactions\.\d+\.result": r"correct|wrong|0\.\d\d",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with running_chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def address(written):
    """Of the folder with the lesson, and a course around it, on a server of the test's own."""
    (written / "course.html").write_text(COURSE)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=written)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def lesson(browser, address):
    """The page open in the frame of a course, and its questions with their answers."""
    browser.get(f"{address}/course.html")
    enter(browser)
    return shown(browser)


def shown(browser):
    text = browser.execute_script("return document.getElementById('data').textContent")
    (case,) = json.loads(text)["cases"]
    return case


def enter(browser):
    browser.switch_to.default_content()
    WebDriverWait(browser, 30).until(
        frame_to_be_available_and_switch_to_it((By.TAG_NAME, "iframe"))
    )
    WebDriverWait(browser, 30).until(lambda _: browser.find_elements(By.CSS_SELECTOR, ".js .stage"))


def of_course(browser, what):
    """What the course around the lesson knows."""
    return browser.execute_script(f"return window.parent.API.{what}")


def step(browser, number):
    return browser.find_element(By.ID, f"c1q{number + 1}")


def send(browser, number):
    button = step(browser, number).find_element(By.CSS_SELECTOR, "button[type=submit]")
    button.send_keys(Keys.ENTER)
    verdict = step(browser, number).find_element(By.CSS_SELECTOR, ".verdict")
    return verdict.text


def point_at(browser, case, target):
    """By keyboard: to the slice that shows most of the target, and the cross to its middle."""
    (scan,) = case["scans"]
    places = scan["drawn"][target]
    at = max(range(len(places)), key=lambda z: sum(map(len, places[z])))
    xs, ys = zip(*max(places[at], key=len), strict=True)
    stage = browser.find_element(By.CSS_SELECTOR, ".stage")
    slider = browser.find_element(By.ID, "v0-Slice")
    now = int(slider.get_attribute("value"))
    stage.send_keys(*[Keys.PAGE_DOWN if at > now else Keys.PAGE_UP] * abs(at - now))
    middle = scan["pixels"] / 2
    across, down = (round((min(v) + max(v)) / 2 - middle) // 4 for v in (xs, ys))
    stage.send_keys(*[Keys.ARROW_RIGHT if across > 0 else Keys.ARROW_LEFT] * abs(across))
    stage.send_keys(*[Keys.ARROW_DOWN if down > 0 else Keys.ARROW_UP] * abs(down))
    stage.send_keys(Keys.ENTER)


def choose(browser, number, choices):
    inputs = step(browser, number).find_elements(By.CSS_SELECTOR, "input")
    for choice in choices:
        inputs[choice].send_keys(Keys.SPACE)


def test_a_case_is_played_to_its_end_and_the_course_is_told(browser, lesson):
    questions = lesson["questions"]
    assert not step(browser, 1).is_displayed(), "one step at a time"
    assert not step(browser, 0).find_element(By.CSS_SELECTOR, ".answer").is_displayed()
    assert send(browser, 0) == "", "nothing was chosen"
    assert "Click on the image first" in step(browser, 0).text

    point_at(browser, lesson, "mass")
    assert send(browser, 0) == "Right."
    assert step(browser, 0).find_element(By.CSS_SELECTOR, ".picture").is_displayed()
    wrong = 2
    choose(browser, 1, [])
    step(browser, 1).find_element(By.CSS_SELECTOR, ".skip").send_keys(Keys.ENTER)
    for number in range(2, len(questions)):
        right = questions[number]["right"]
        chosen = [next(i for i in range(3) if i not in right)] if number == wrong else right
        choose(browser, number, chosen)
        assert send(browser, number) == ("Not right." if number == wrong else "Right.")

    browser.execute_script("location.hash = '#result'")
    counted = len(questions) - 1  # one was shown, and is not counted
    percent = round(100 * (counted - 1) / counted)
    score = browser.find_element(By.ID, "score")
    WebDriverWait(browser, 10).until(lambda _: score.is_displayed())
    assert (
        score.text == f"{counted - 1} of {counted} points, {percent} %. All questions are answered."
    )
    kept = of_course(browser, "kept")
    assert kept["cmi.core.lesson_status"] == "completed"
    assert kept["cmi.core.score.raw"] == str(percent)
    assert len(browser.find_elements(By.CSS_SELECTOR, "#review a")) == len(questions)

    browser.execute_script("location.reload()")  # the learner leaves, and comes back
    WebDriverWait(browser, 30).until(lambda _: of_course(browser, "finished") == 1)
    enter(browser)
    assert f"{percent} %" in browser.find_element(By.ID, "score").get_attribute("textContent")
    assert of_course(browser, "kept")["cmi.core.exit"] == ""
    assert_everything_told_is_allowed(browser)
    assert [line for line in browser.get_log("browser") if "lesson.html" in line["message"]] == []


def assert_everything_told_is_allowed(browser):
    first, *told = of_course(browser, "told")
    assert first == ["initialize", ""]
    for name, value in told:
        if name != "initialize":
            (pattern,) = [p for n, p in ALLOWED.items() if re.fullmatch(n, name)]
            assert re.fullmatch(pattern, value), (name, value)


def test_alone_the_page_fits_a_telephone_and_prints_with_answers(browser, written):
    browser.get((written / "lesson.html").as_uri())
    for width, media in ((400, "screen"), (718, "print")):  # A4 with margins of 10 mm
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
        time.sleep(0.2)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    keys = browser.find_elements(By.CSS_SELECTOR, ".key-list")
    assert keys
    assert all(key.size["height"] > 0 for key in keys)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
