"""From a study sent by dcmtk's storescu to a diagnosis that follows the laboratory, in Chromium."""

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx2
import pytest
from pydicom import dcmread
from selenium.common.exceptions import (
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from calcinosis.phantom.dicom import write_series
from calcinosis.phantom.masses import MassOptions
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from chromium import running_chromium

FAMILY, NUMBER = "Plantedname", "PLANTED-4711-" + 50 * "0"  # as long as DICOM takes
TOKEN = "a-token-for-the-browser-test"  # noqa: S105 - of this test alone
# What a page on its way, or one that renews itself, answers for a moment.
NOT_YET = (
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
ANALYSIS_S, PAGE_S = 540, 90  # a busy machine is slow, not wrong


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A coarse CT of an artificial patient with a mass at the left hip, who bears a name."""
    folder = tmp_path_factory.mktemp("phantom")
    mass = MassOptions(volume_ml=120, joint="hip", side="left")
    options = PhantomOptions(masses=(mass,), decoys=("vessel",), pixel_mm=3.0, slice_spacing_mm=6.0)
    write_series(make_phantom(options), folder / "dicom")
    for file in (folder / "dicom").iterdir():
        image = dcmread(file)
        image.PatientName, image.PatientID = f"{FAMILY}^Hildegard", NUMBER
        image.save_as(file)
    return folder / "dicom"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """(DICOM port, web port, log) of a running `calcinosis serve`."""
    folder = tmp_path_factory.mktemp("serve")
    ports, log = (free_port(), free_port()), folder / "log"
    options = ["--port", ports[0], "--web-port", ports[1], "--quiet-seconds", 2]
    command = [sys.executable, "-m", "calcinosis", "serve", "--data", folder / "data", *options]
    with log.open("wb") as written:
        process = subprocess.Popen(
            [str(word) for word in command],
            stderr=written,
            stdout=written,
            env={**os.environ, "CALCINOSIS_TOKEN": TOKEN},
        )
    deadline = time.monotonic() + PAGE_S
    while "pages on" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield *ports, log
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert FAMILY not in log.read_text()
    assert NUMBER not in log.read_text()
    assert not [path for path in folder.rglob("*") if FAMILY in path.name or NUMBER in path.name]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with running_chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def waited(browser, ask, seconds=PAGE_S):
    """What `ask(browser)` answers as soon as it is true; no page is asked to load again."""
    return WebDriverWait(browser, seconds, 0.3, ignored_exceptions=NOT_YET).until(ask)


def until(browser, selector, words, seconds=PAGE_S):
    """Wait until an element says the words."""

    def said(_browser):
        assert not browser.find_elements(By.CSS_SELECTOR, ".state.failed"), "the analysis failed"
        found = browser.find_elements(By.CSS_SELECTOR, selector)
        return any(words in element.text for element in found)

    waited(browser, said, seconds)


def press(browser, selector):
    def pressed(_browser):
        browser.find_element(By.CSS_SELECTOR, selector).click()
        return True

    waited(browser, pressed)


def write(browser, name, words):
    waited(browser, lambda _: browser.find_element(By.ID, name)).send_keys(words)


def log_in(browser, address):
    browser.get(address)
    write(browser, "token", TOKEN)
    press(browser, "main button")
    until(browser, "h1", "Worklist")


def chances(browser):
    """Percentages of the diagnoses, by name, as the page shows them."""

    def shown(_browser):
        rows = browser.find_elements(By.CSS_SELECTOR, ".diagnoses li")
        lines = [row.text.splitlines() for row in rows]
        return {line[0]: line[1] for line in lines}

    return waited(browser, shown)


def send(images, port):
    beside_us = str(Path(sys.executable).parent)  # pynetdicom brings a storescu of its own
    places = [place for place in os.environ["PATH"].split(os.pathsep) if place != beside_us]
    storescu = shutil.which("storescu", path=os.pathsep.join(places))
    command = [storescu, "-aec", "CALCINOSIS", "+sd", "127.0.0.1", port, images]
    subprocess.run([str(word) for word in command], check=True, timeout=PAGE_S)


@pytest.mark.timeout(3 * ANALYSIS_S)
def test_from_storescu_to_the_report_on_screen_and_a_diagnosis_that_follows_the_labs(
    node, browser, images
):
    dicom_port, web_port, _ = node
    address = f"http://127.0.0.1:{web_port}"
    log_in(browser, address)
    until(browser, "#studies", "No studies yet")
    browser.execute_script("window.sameDocument = true")

    send(images, dicom_port)
    until(browser, "#studies a", f"{FAMILY}, Hildegard")
    until(browser, "#studies .state", "Done", ANALYSIS_S)
    until(browser, "#studies", "One calcified mass")
    assert browser.execute_script("return window.sameDocument"), "the list renews itself"

    press(browser, "#studies a")
    until(browser, "#result", "Left hip")
    study = browser.current_url
    before = chances(browser)
    assert_report_is_whole(browser, study)

    browser.get(study)
    assert_refused_values_stay(browser)
    enter_labs(browser)
    until(browser, "#labs-title + .lead ~ .scroll", "Phosphate")
    until(browser, "#result", "calcium × phosphate", ANALYSIS_S)
    until(browser, "#state", "Done")
    after = chances(browser)
    assert after != before
    assert next(iter(after)).startswith("Uremic")
    until(browser, "#result", "What treatment could do")
    assert_prescription_is_told_in_the_report(browser, study)
    assert_a_doubtful_place_is_measured_at_one_click(browser)

    assert_report_fits_the_paper(browser, study)
    assert_page_fits_a_telephone(browser, study)
    assert_downloads(browser, study)
    assert_deleted(browser, study)
    assert_calm(browser)


def assert_report_is_whole(browser, study):
    press(browser, "#result .button.main")
    until(browser, "h1", "calcified mass")
    assert browser.current_url == f"{study}/report"
    main = browser.find_element(By.TAG_NAME, "main")
    assert main.value_of_css_property("max-width") == "1120px", "its own styles hold"
    picture = browser.find_element(By.CSS_SELECTOR, "svg.picture image")
    assert picture.size["width"] > 100
    assert f"{FAMILY}, Hildegard" in browser.page_source, "whose report it is"


def assert_page_fits_a_telephone(browser, study):
    """The whole page, with files and a number that has no place to break."""
    browser.get(study)
    metrics = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert browser.find_elements(By.CSS_SELECTOR, "#files td"), "files are there"
    assert NUMBER in browser.find_element(By.CSS_SELECTOR, ".kicker").text
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 320
    browser.get(f"{study}/report")
    right = (
        "return [...document.querySelectorAll('caption')].map(c => c.getBoundingClientRect().right)"
    )
    ends = [end for end in browser.execute_script(right) if end > 0]  # what is folded is nowhere
    assert ends, "tables are there"
    assert max(ends) <= 320, "a caption is read without moving its table"
    browser.get(study)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def assert_report_fits_the_paper(browser, study):
    """Forecast tables too, on A4 with margins of 10 mm: 190 mm are 718 CSS pixels."""
    browser.get(f"{study}/report")
    paper = {"width": 718, "height": 1047, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", paper)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.find_elements(By.CSS_SELECTOR, ".panels"), "a forecast is there"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 718
    folded = browser.find_element(By.CSS_SELECTOR, "details:not([open]) table")
    assert folded.size["height"] > 0, "what is folded is printed"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get(study)


def assert_refused_values_stay(browser):
    """An impossible value is told, and the page that renews itself leaves the form alone."""
    browser.execute_script("document.getElementById('drawn').value = '2025-10-05'")
    write(browser, "value_calcium", "104")
    press(browser, "form[action$='/labs'] button")
    until(browser, "#problem", "impossible")
    time.sleep(3)  # the page renews itself meanwhile
    until(browser, "#problem", "impossible")
    calcium = browser.find_element(By.ID, "value_calcium")
    assert calcium.get_attribute("value") == "104"
    calcium.clear()


def assert_prescription_is_told_in_the_report(browser, study):
    """What is given today, typed in, is what the forecast starts from."""
    kind = Select(browser.find_element(By.ID, "binder.drug"))
    kind.select_by_visible_text("Calcium carbonate")
    write(browser, "binder.g_per_day", "3")
    write(browser, "dialysis.dialysate_calcium_mmol_l", "1.75")
    press(browser, "form[action$='/prescription'] button")
    until(browser, "#prescription-title + .lead", "A drug that is empty is not given")
    until(browser, "#state", "Done", ANALYSIS_S)
    browser.get(f"{study}/report")
    told = "prescription as given: haemodialysis, dialysate calcium 1.75 mmol/L, calcium carbonate"
    assert told in browser.page_source
    browser.get(study)


def assert_a_doubtful_place_is_measured_at_one_click(browser):
    """What the program named as unsure becomes a mass; the earlier result stays meanwhile."""
    press(browser, "#seeds form[action$='/seeds'] button")
    until(browser, "#seeds h3", "Asked for")
    assert browser.find_elements(By.CSS_SELECTOR, "#result table"), "the earlier result stays"
    until(browser, "#result", "2 calcified masses", ANALYSIS_S)
    until(browser, "#seeds", "Take back")
    left = browser.find_elements(By.CSS_SELECTOR, "#seeds form[action$='/seeds'] button")
    assert [button.text for button in left] == ["Outline again from here"], "of the mass on bone"


def enter_labs(browser):
    Select(browser.find_element(By.ID, "kidneys")).select_by_visible_text("Haemodialysis")
    browser.execute_script("document.getElementById('drawn').value = '2025-10-05'")
    for name, value in (("calcium", "10.4"), ("phosphate", "7.6"), ("pth", "1300")):
        write(browser, f"value_{name}", value)
    press(browser, "form[action$='/labs'] button")


def assert_downloads(browser, study):
    cookies = {cookie["name"]: cookie["value"] for cookie in browser.get_cookies()}
    answer = httpx2.get(f"{study}/files.zip", cookies=cookies)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {"report.html", "masses.seg.dcm", "forecast.csv"} <= set(archive.namelist())
        assert archive.testzip() is None


def assert_deleted(browser, study):
    press(browser, "a.danger")
    press(browser, "button.danger")
    until(browser, "#studies", "No studies yet")
    browser.get(study)
    until(browser, "h1", "not in the worklist")


def assert_calm(browser):
    """Nothing was blocked by our own policy, and no script failed."""
    complaints = [
        entry["message"]
        for entry in browser.get_log("browser")
        if entry["level"] == "SEVERE" and not re.search(r"status of 4(04|22)", entry["message"])
    ]
    assert complaints == []


def test_the_pages_fit_a_telephone_in_light_and_dark(node, browser):
    _, web_port, _ = node
    for path in ("/", "/login", "/about/tumoral-calcinosis", "/none"):
        browser.get(f"http://127.0.0.1:{web_port}{path}")
        metrics = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= 400, path
        for scheme, channel in (("dark", range(60)), ("light", range(240, 256))):
            wanted = {"name": "prefers-color-scheme", "value": scheme}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [wanted]})
            paper = browser.find_element(By.TAG_NAME, "body").value_of_css_property(
                "background-color"
            )
            assert int(paper.split("(")[1].split(",")[0]) in channel, (path, paper)
