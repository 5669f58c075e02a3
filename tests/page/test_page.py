"""The reference page of `cargo local`, in a browser: what it shows, and requests tried from it.

Pictures of what was shown are written to the directory that SCREENSHOTS names, if it does.
"""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30
PATHS = ["/v1/toolkit/job/status", "/paid/get/job/status"]
DONE = "e6d7f3c0-9c9f-4b8a-b7c3-f0e3c9f6b9d7"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
FLAGS = [
    "--headless",
    "--no-sandbox",  # CI is root, for whom there is no sandbox
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    # The browser's own traffic, which is none of the page's:
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1200",
]


@pytest.fixture(scope="session")
def url(tmp_path_factory):
    """Where `cargo local` serves, on free ports and with its sample jobs."""
    binary = Path(os.environ.get("LOCAL_BINARY", ROOT / "target/debug/local"))
    assert binary.is_file(), f"{binary} is not there: cargo build, or set LOCAL_BINARY"
    log = tmp_path_factory.mktemp("local") / "log"
    with log.open("w") as output:
        command = [binary, "--port", "0", "--s3-listen", "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not (printed := re.search(r"page +(http://\S+/)\s", log.read_text())):
            assert process.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.02)
        yield printed[1]
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    yield browser
    browser.quit()


class Page:
    """The page, newly loaded."""

    def __init__(self, browser, url):
        self.browser, self.url = browser, url
        browser.get("about:blank")  # so that a fragment in the URL does not keep the old page
        self.console(), self.requests()
        browser.get(url)
        self.operations = self.wait_for(".opblock")

    def wait_for(self, selector, within=None):
        """The elements that match, once the first of them is displayed."""
        within = within or self.browser

        def displayed(_):
            found = within.find_elements(By.CSS_SELECTOR, selector)
            return found if found and found[0].is_displayed() else None

        return WebDriverWait(self.browser, PATIENCE_SECONDS, 0.05).until(displayed, selector)

    def text(self, selector, within=None):
        return self.wait_for(selector, within)[0].text

    def click(self, selector, within):
        element = self.wait_for(selector, within)[0]
        self.browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", element)
        element.click()

    def operation(self, path, method="POST"):
        """The operation's block, opened."""
        [block] = [
            each
            for each in self.operations
            if self.text(".opblock-summary-path", each) == path
            and self.text(".opblock-summary-method", each) == method
        ]
        self.click(".opblock-summary-control", block)
        self.wait_for(".execute", block)
        return block

    def try_it(self, path, example):
        """Sends a request with this body of the document's, as the first of `requests`; the status and the body that
        are shown then."""
        block = self.operation(path)
        self.requests()
        Select(self.wait_for(".examples-select select", block)[0]).select_by_visible_text(example)
        return self.execute(block)

    def get(self, path, **parameters):
        """The same by GET, with these parameters and no others."""
        block = self.operation(path, "GET")
        self.requests()
        for name in ("job_id", "id", "if-none-match"):
            field = self.wait_for(f'tr[data-param-name="{name}"] input', block)[0]
            field.send_keys(Keys.CONTROL, "a", Keys.DELETE)
            field.send_keys(parameters.get(name.replace("-", "_"), ""))
        return self.execute(block)

    def execute(self, block):
        """Sends what is filled in; the status and the body that are shown then."""
        self.click(".execute", block)
        answer = self.wait_for(".live-responses-table", block)[0]
        # The status may be followed by "Undocumented".
        status = self.text("tbody .response-col_status", answer).split()
        return status, json.loads(self.text(".response-col_description .highlight-code code", answer)), answer

    def console(self):
        """What was printed there since the last call, but for mere information."""
        entries = self.browser.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] not in ("DEBUG", "INFO")]

    def requests(self):
        """The URLs asked for since the last call, `data:` aside."""
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        urls = [event["request"]["url"] for event in sent]
        return [url for url in urls if not url.startswith("data:")]

    def picture(self, name, of):
        if directory := os.environ.get("SCREENSHOTS"):
            Path(directory).mkdir(parents=True, exist_ok=True)
            self.browser.execute_script("arguments[0].scrollIntoView()", of)
            assert self.browser.get_screenshot_as_file(f"{directory}/{name}.png")


@pytest.fixture
def page(browser, url):
    return Page(browser, url)


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(page, url):
    assert page.browser.title == "Job status: reference"
    assert page.text(".info .title").startswith("Job status")
    assert [page.text(".opblock-summary-path", each) for each in page.operations] == [
        path for path in PATHS for _ in range(2)
    ]
    assert [page.text(".opblock-summary-method", each) for each in page.operations] == ["GET", "POST"] * 2
    assert page.browser.find_elements(By.CSS_SELECTOR, ".errors-wrapper") == []
    page.picture("page", page.wait_for("body")[0])
    block = page.operation(PATHS[0])
    documented = page.wait_for(".responses-wrapper .response-col_status", block)
    statuses = [each.text.split()[0] for each in documented if each.text and each.text != "Code"]
    assert statuses == ["200", "400", "401", "404", "405", "413", "429", "500"]
    page.picture("operation", block)
    assert page.console() == []
    files = {"", "swagger-ui.css", "swagger-ui-bundle.js", "page.js", "openapi.yaml"}
    icon = {"favicon-32x32.png"}  # the browser may ask for it later, or keep it
    assert set(page.requests()) | {url + file for file in icon} == {url + file for file in files | icon}


@pytest.mark.parametrize("path", PATHS)
def test_trying_a_done_job_shows_its_envelope(page, url, path):
    status, envelope, answer = page.try_it(path, "Finished")
    page.picture("done", answer)
    assert status == ["200"]
    assert (envelope["code"], envelope["message"], envelope["job_id"]) == (200, "success", DONE)
    assert envelope["response"]["job_status"] == "done"
    assert envelope["response"]["response"]["code"] == 200
    assert "content-type: application/json" in page.text("tbody .response-col_description", answer)
    assert page.requests() == [url + path[1:]]
    assert page.console() == []


@pytest.mark.parametrize("path", PATHS)
def test_trying_a_get_shows_the_same_envelope(page, url, path):
    status, envelope, answer = page.get(path, job_id=DONE, id="order 66")
    assert status == ["200"]
    assert (envelope["id"], envelope["job_id"], envelope["response"]["job_status"]) == ("order 66", DONE, "done")
    assert "cache-control: private,no-cache" in page.text("tbody .response-col_description", answer).replace(", ", ",")
    assert page.requests() == [f"{url}{path[1:]}?job_id={DONE}&id=order%2066"]
    assert page.console() == []


@pytest.mark.parametrize("path", PATHS)
def test_trying_an_unknown_job_shows_the_404(page, url, path):
    status, error, answer = page.try_it(path, "Unknown")
    page.picture("unknown", answer)
    assert status == ["404"]
    assert error == {"error": "Job not found", "job_id": UNKNOWN}
    assert page.requests() == [url + path[1:]]
    # The browser itself notes a 404 in the console; there must be nothing else.
    [note] = page.console()
    assert note.startswith(f"{url}{path[1:]} - Failed to load resource") and "404" in note


def test_an_open_operation_with_its_answer_fits_a_phone(page, browser):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        _, _, answer = page.try_it(PATHS[0], "Finished")
        page.picture("phone", answer)
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
