"""The page over HTTP, without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import cv2
import numpy as np
import pytest

from lit_reenact.core.errors import ReenactError
from lit_reenact.live.page import BORDER, LivePage

COLOURS = ((250, 20, 20), (20, 20, 250))


@pytest.fixture
def page() -> Iterator[LivePage]:
    with LivePage(0, lambda: {"message": "Looking for a face", "fps": 0.0, "latency_ms": 0}) as opened:
        yield opened


def get(page: LivePage, path: str, host: str = "") -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{page.port}"})
    return connection.getresponse()


def test_the_page_names_its_content_and_loads_nothing_from_elsewhere(page: LivePage) -> None:
    answer = get(page, "/")
    text = answer.read().decode()
    assert answer.status == 200
    assert "AI-generated" in text
    assert re.search(r'<img src="/stream" alt="[^"]{20,}"', text)
    assert 'aria-live="polite"' in text
    assert not re.search(r"(https?:)?//(?!127)[a-z]", text)
    assert "default-src 'none'" in str(answer.getheader("Content-Security-Policy"))


def test_the_status_is_the_sessions(page: LivePage) -> None:
    assert json.loads(get(page, "/status").read())["message"] == "Looking for a face"


def test_frames_arrive_in_the_stream_as_they_are_shown(page: LivePage) -> None:
    page.show(np.full((32, 32, 3), COLOURS[0], np.uint8))
    answer = get(page, "/stream")
    assert str(answer.getheader("Content-Type")).startswith("multipart/x-mixed-replace")
    for number, colour in enumerate(COLOURS):
        if number:
            page.show(np.full((32, 32, 3), colour, np.uint8))
        head = b"".join(answer.readline() for _ in range(BORDER.count(b"\r\n")))
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length is not None
        picture = cv2.imdecode(np.frombuffer(answer.read(int(length[1])), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(picture.astype(int) - colour).max() < 12
        assert answer.readline() == b"\r\n"


@pytest.mark.parametrize(
    ("path", "host", "status"), [("/", "evil.example:80", 403), ("/stream", "evil.example", 403), ("/a", "", 404)]
)
def test_other_hosts_and_paths_are_refused(page: LivePage, path: str, host: str, status: int) -> None:
    assert get(page, path, host).status == status


def test_a_taken_port_is_reported_in_a_sentence(page: LivePage) -> None:
    with pytest.raises(ReenactError, match="give another with --port"):
        LivePage(page.port, dict)
    with pytest.raises(ReenactError, match="give another with --port"):
        LivePage(70000, dict)
