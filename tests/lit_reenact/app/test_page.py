"""The page in a real Chromium: what a person does, and what is then to be seen."""

from __future__ import annotations

import base64
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor

from lit_reenact.app.runs import OpenRun, open_run
from lit_reenact.core.geometry import (
    axis_angle_to_matrix,
    euler_to_matrix,
    head_to_camera,
    matrix_to_axis_angle,
    matrix_to_euler,
    project,
)
from lit_reenact.core.schema import FaceParameters
from lit_reenact.edit import read_edit
from lit_reenact.face.topology import EYE_LEFT, EYE_RIGHT, around
from lit_reenact.provenance.verifying import read_signature
from lit_reenact.video import FrameReader

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("gradio")
from lit_reenact.app.page import PageSettings, serve  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOSE_TIP = 4

PATIENCE = 120_000
"""Milliseconds until something on the page counts as missing, where other tests keep the processor busy."""

Pixels = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def run(trained_folder: Path) -> OpenRun:
    return open_run(None, trained_folder)


@pytest.fixture(scope="module")
def address(run: OpenRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = PageSettings(run, tmp_path_factory.mktemp("tracks"), largest_upload=1)
    with serve(settings) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is neither chromium nor google-chrome here")
    sync_api.expect.set_options(timeout=PATIENCE)
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program)
        yield chromium
        chromium.close()


class Person:
    """Somebody at a browser."""

    def __init__(self, browser: Any, address: str) -> None:
        self.page = browser.new_context(accept_downloads=True).new_page()
        self.page.set_default_timeout(PATIENCE)
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: request.url.startswith("http") and self.hosts.add(request.url.split("/")[2]))
        self.page.goto(address)
        self.page.wait_for_selector("#result")

    def picture(self, name: str) -> Pixels:
        """A picture on the page, (H, W, 3) in levels of 255."""
        data = self.page.get_attribute(f"#{name}", "src").partition(",")[2]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))), dtype=np.float64)

    def open(self, group: str) -> None:
        self.page.locator("button.label-wrap").filter(has_text=group).first.click()

    def slider(self, name: str) -> Any:
        return self.page.locator(f"#slider-{name} input[type=range]")

    def and_wait(self, action: Any) -> None:
        """Do something that changes the result, and wait until it has."""
        before = self.page.get_attribute("#result", "src")
        action()
        self.page.wait_for_function("before => document.querySelector('#result').src != before", arg=before)

    def move(self, name: str, value: float) -> None:
        """Once more if it sprang back: Gradio sets the sliders of a fold again just after it opened, when nobody is so quick."""
        before = self.page.get_attribute("#result", "src")
        self.slider(name).fill(str(value))
        done = """([before, name, value]) => document.querySelector("#result").src != before
            || Number(document.querySelector(`#slider-${name} input[type=range]`).value) != value"""
        self.page.wait_for_function(done, arg=[before, name, value])
        if self.page.get_attribute("#result", "src") == before:
            self.and_wait(lambda: self.slider(name).fill(str(value)))

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def begin_export(self) -> None:
        self.page.get_by_role("tab", name="Export").click()
        self.press("Export video and edit file")

    def exported(self, folder: Path) -> tuple[Path, Path]:
        """The video and the edit file as they are downloaded."""
        self.page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")  # it can be played
        files = []
        for suffix in ("mp4", "yaml"):
            with self.page.expect_download() as download:
                self.page.locator(f"a[download$='edited.{suffix}']").first.click()
            files.append(folder / download.value.suggested_filename)
            download.value.save_as(files[-1])
        return files[0], files[1]


@pytest.fixture
def person(browser: Any, address: str) -> Iterator[Person]:
    someone = Person(browser, address)
    yield someone
    assert someone.hosts == {address.split("/")[2]}
    assert not someone.complaints
    someone.page.context.close()


def turned(parameters: FaceParameters, degrees: float) -> FaceParameters:
    """A head turned to its left, on the spot."""
    angles = matrix_to_euler(axis_angle_to_matrix(parameters.rotation)) + torch.deg2rad(torch.tensor([degrees, 0, 0]))
    return parameters.replace(rotation=matrix_to_axis_angle(euler_to_matrix(angles)))


def landmarks(run: OpenRun, parameters: FaceParameters) -> Tensor:
    """Where FaceMesh points are in the picture, (468, 2)."""
    points = run.model.landmarks_of(run.target.track.actor, parameters)
    return project(head_to_camera(points, parameters.rotation, parameters.translation), run.renderer.camera)[0, :, :2]


def test_a_turned_head_turns(person: Person, run: OpenRun) -> None:
    """The tip of the nose goes where projection says, seen in the correspondence image; and the result follows."""
    before, first = person.picture("conditioning-correspondence"), person.picture("result")
    here = run.target.track.parameters[:1]
    column, row = (int(place) for place in landmarks(run, here)[NOSE_TIP])
    expected = float(landmarks(run, turned(here, 30))[NOSE_TIP, 0]) - column
    person.move("head_yaw", 30)
    after = person.picture("conditioning-correspondence")
    moved = int(np.abs(after - before[row, column]).sum(-1).argmin() % after.shape[1]) - column
    assert expected > 3
    assert moved == pytest.approx(expected, abs=3)  # it also moves on its neck
    drawn, result = person.picture("conditioning-diffuse"), person.picture("result")
    face = drawn.sum(-1) > 0
    assert np.abs(result - drawn)[face].mean() < 0.6 * np.abs(first - drawn)[face].mean()


def test_one_eye_closes_and_opens_with_a_keyframe(person: Person, run: OpenRun) -> None:
    points = landmarks(run, run.target.track.parameters[:1])
    centres = {side: points[list(around(side))].mean(0).round().int().tolist() for side in (EYE_LEFT, EYE_RIGHT)}

    def seen(name: str, side: int) -> Pixels:
        column, row = centres[side]
        return person.picture(name)[row - 3 : row + 4, column - 6 : column + 7]

    first = {side: seen("result", side) for side in centres}
    right = seen("conditioning-eyes", EYE_RIGHT)
    assert seen("conditioning-eyes", EYE_LEFT).max() > 100
    person.open("eyes")
    person.move("close_left_eye", 1)
    assert seen("conditioning-eyes", EYE_LEFT).max() < 30
    assert np.array_equal(seen("conditioning-eyes", EYE_RIGHT), right)
    change = {side: np.abs(seen("result", side) - first[side]).mean() for side in centres}
    assert change[EYE_LEFT] > 2
    assert change[EYE_RIGHT] < change[EYE_LEFT] / 5

    person.press("Set keyframe")
    person.page.wait_for_selector(".keyframes li")
    person.and_wait(lambda: person.page.locator("#timeline input[type=range]").fill("20"))
    person.move("close_left_eye", 0)
    person.and_wait(lambda: person.page.locator("#timeline input[type=range]").fill("10"))
    sync_api.expect(person.slider("close_left_eye")).to_have_value("0.5")
    sync_api.expect(person.page.locator(".keyframes li")).to_have_count(2)
    person.and_wait(lambda: person.press("Reset eyes"))
    sync_api.expect(person.slider("close_left_eye")).to_have_value("0")
    sync_api.expect(person.page.locator(".keyframes li")).to_have_count(0)


def test_two_people_edit_and_export_at_once(person: Person, browser: Any, address: str, run: OpenRun, tmp_path: Path) -> None:
    other = Person(browser, address)
    before = other.picture("result")
    person.move("head_yaw", 12)
    other.open("mouth")
    other.move("jawOpen", 0.6)
    assert other.slider("head_yaw").input_value() == "0"
    assert not np.array_equal(other.picture("result"), before)
    for someone in (person, other):
        someone.begin_export()
    for someone, edits in ((person, {"head_yaw": 12.0}), (other, {"jawOpen": 0.6})):
        folder = tmp_path / next(iter(edits))
        video, edit = someone.exported(folder)
        assert read_edit(edit, run.model).as_dict()["sliders"] == edits
        assert FrameReader(video)[:].shape == (len(run.target.track), 64, 64, 3)
        signature = read_signature(video)
        assert signature is not None
        assert signature.intact
        assert signature.manifest["assertions"][-1]["data"]["settings"]["edits"]["sliders"] == edits
    other.page.context.close()


def test_a_driver_is_driven_and_sent_away(person: Person, run: OpenRun) -> None:
    person.page.get_by_role("tab", name="Drive").click()
    person.page.get_by_label("or the folder of a track").fill(str(run.target.folder))
    person.press("Drive the target")
    sync_api.expect(person.page.locator("#drive-notes")).to_contain_text("Driven by synthetic.mp4, 40 frames")
    assert person.page.locator("#driving").count() == 1
    person.press("Back to the target's own video")
    sync_api.expect(person.page.locator("#driving")).to_have_count(0)


def test_bad_uploads_are_refused_in_a_sentence(person: Person, address: str, tmp_path: Path) -> None:
    person.page.get_by_role("tab", name="Track a video").click()
    upload = person.page.locator("input[type=file]:visible, .tabitem:visible input[type=file]").first
    toast = person.page.get_by_test_id("toast-body")
    assert person.page.get_by_text("video to track (at most 1 MB)").is_visible()

    upload.set_input_files({"name": "notes.mp4", "mimeType": "video/mp4", "buffer": b"no video"})
    # Only the list of what has arrived is waited for: the name stands on the page during the upload too.
    sync_api.expect(person.page.get_by_role("cell", name="notes.mp4").first).to_be_visible()
    person.press("Start tracking")
    sync_api.expect(toast.last).to_contain_text("notes.mp4 ")
    assert "Traceback" not in person.page.content()

    sent = person.page.request.post(
        f"{address}gradio_api/upload",
        multipart={"files": {"name": "../../../evil.mp4", "mimeType": "video/mp4", "buffer": b"0"}},
    )
    kept = Path(sent.json()[0])
    assert kept.name == "evil.mp4"
    assert kept.is_relative_to(os.environ["GRADIO_TEMP_DIR"])
    large = {"name": "large.mp4", "mimeType": "video/mp4", "buffer": bytes(2**21)}
    assert person.page.request.post(f"{address}gradio_api/upload", multipart={"files": large}).status == 413


def test_keyboard_and_screen_reader(person: Person) -> None:
    unnamed = """() => [...document.querySelectorAll('input, button, select, textarea, img, iframe, video')]
        .filter(e => e.checkVisibility() && !e.closest('[aria-hidden=true]'))
        .filter(e => !(e.getAttribute('aria-label') || e.alt || e.title || e.innerText || (e.labels && e.labels.length)))
        .map(e => e.outerHTML.slice(0, 200))"""
    for tab in ("Sliders", "Copy", "Drive", "Export", "Run", "Track a video"):
        person.page.get_by_role("tab", name=tab).click()
        assert person.page.evaluate(unnamed) == []
    assert person.page.locator("h1").count() == 1
    person.page.get_by_role("tab", name="Edit a video").click()
    person.page.get_by_role("tab", name="Run").click()
    assert "trained on synthetic.mp4" in person.page.locator("#run-state").inner_text()
    person.page.get_by_role("tab", name="Sliders").click()
    for group, is_open in (("head", True), ("light", False)):
        assert person.page.get_by_role("button", name=f"{group} ▼", exact=True, expanded=is_open).count() == 1
    for was_open in (False, True):
        person.page.get_by_role("button", name="light ▼", exact=True, expanded=was_open).click()
    sync_api.expect(person.page.get_by_role("button", name="light ▼", exact=True, expanded=False)).to_be_visible()
    person.slider("head_yaw").focus()
    person.and_wait(lambda: person.page.keyboard.press("ArrowRight"))
    assert person.slider("head_yaw").input_value() == "0.5"


@pytest.mark.parametrize("width", [1400, 800])
def test_the_result_stays_in_view_beside_the_last_slider(person: Person, width: int) -> None:
    person.page.set_viewport_size({"width": width, "height": 900})
    person.open("light")
    last = person.slider("light_above")
    last.scroll_into_view_if_needed()
    result, slider = person.page.locator("#result").bounding_box(), last.bounding_box()
    assert 0 <= result["y"] < result["y"] + result["height"] <= 900
    assert 0 <= slider["y"] <= 900
    assert slider["x"] > result["x"] + result["width"] or slider["y"] > result["y"] + result["height"]
