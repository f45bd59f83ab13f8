"""The web page of a live session: served on this computer alone, without anything from elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import cv2

from lit_reenact.core.errors import ReenactError
from lit_reenact.video import Frame

HOST = "127.0.0.1"

JPEG_QUALITY = 92
"""Quality of the JPEG frames, out of 100."""

IDLE_CHECK = 5.0
"""Seconds after which a connection without a new frame checks whether the page is closed."""

POLL = 0.05
"""Seconds after which the server checks whether it is to stop."""

BORDER = b"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>lit-reenact live</title>
<style>
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 1rem auto; padding: 0 1rem }
html { color: #eee; background: #181818 }
img { width: 100%; aspect-ratio: 1; background: #000; border-radius: .5rem }
h1 { font-size: 1.3rem; margin: 0 0 .5rem }
#message { min-height: 1.5em; font-weight: bold; color: #fd8 }
</style>
</head>
<body>
<main>
<h1>AI-generated, live</h1>
<img src="/stream" alt="Live picture of a person, synthesised by a neural network; it is not a recording of them">
<p id="message" role="status" aria-live="polite">Starting</p>
<p id="speed">Waiting for the first frame</p>
<p>A machine makes this picture from what the camera sees. It is shown on this computer alone.</p>
</main>
<script>
const write = (id, text) => { const e = document.getElementById(id); if (e.textContent !== text) e.textContent = text };
setInterval(async () => {
  try {
    const now = await (await fetch("/status")).json();
    write("message", now.message);
    if (now.fps) write("speed", `${now.fps.toFixed(1)} frames per second, ${now.latency_ms} ms from the camera to here`);
  } catch { write("message", "lit-reenact live has ended") }
}, 500);
</script>
</body>
</html>
"""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class LivePage:
    """A web server with the page, the frames as MJPEG under ``/stream``, and the status as JSON under ``/status``.

    Args:
        port: port of 127.0.0.1; 0 takes any free one.
        status: function that returns the content of ``/status``.

    Raises:
        ReenactError: the port is taken or cannot be used.

    Example:
        >>> with LivePage(8765, session.status) as page:
        ...     page.show(frame)
    """

    def __init__(self, port: int, status: Callable[[], dict[str, Any]]) -> None:
        self.status = status
        self.changed = threading.Condition()
        self.picture = b""
        self.number = 0
        self.is_open = True
        try:
            self._server = _Server((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ReenactError(f"port {port} of {HOST} cannot be used ({error}): give another with --port") from error
        self._server.page = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL,), daemon=True)

    @property
    def port(self) -> int:
        """Port that the server listens on."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.port}/"

    def show(self, frame: Frame) -> None:
        """Send a frame uint8 (H, W, 3) RGB to every open page."""
        _, jpeg = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        with self.changed:
            self.picture, self.number = jpeg.tobytes(), self.number + 1
            self.changed.notify_all()

    def __enter__(self) -> LivePage:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self.changed:
            self.is_open = False
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    page: LivePage

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: a page may be closed in the middle of a frame."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        page = self.server.page
        # Another site whose name resolves to this computer must not see the frames.
        if self.headers.get("Host") not in (f"{HOST}:{page.port}", f"localhost:{page.port}"):
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path == "/":
            self._send("text/html; charset=utf-8", PAGE.encode())
        elif self.path == "/status":
            self._send("application/json", json.dumps(page.status()).encode())
        elif self.path == "/stream":
            self._stream(page)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's name)
        """Log nothing."""

    def _begin(self, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        for name, value in HEADERS.items():
            self.send_header(name, value)

    def _send(self, kind: str, body: bytes) -> None:
        self._begin(kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, page: LivePage) -> None:
        self._begin("multipart/x-mixed-replace; boundary=picture")
        self.end_headers()
        sent = 0
        while page.is_open:
            with page.changed:
                page.changed.wait_for(lambda: page.number != sent or not page.is_open, IDLE_CHECK)  # noqa: B023 (called at once)
                picture, number = page.picture, page.number
            if number != sent:
                sent = number
                self.wfile.write(BORDER % len(picture) + picture + b"\r\n")
