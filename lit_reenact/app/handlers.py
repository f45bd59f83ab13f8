"""Handlers of the page's events: the state that they share, their queues, and how they report errors."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from html import escape
from threading import RLock
from typing import Any, TypeVar, cast

import gradio as gr

from lit_reenact.app.session import EditingSession
from lit_reenact.core.errors import ReenactError

Handler = TypeVar("Handler", bound=Callable[..., Any])

VIEWING: dict[str, Any] = {"concurrency_id": "viewing", "concurrency_limit": 2, "show_progress": "hidden"}
EXPORTING: dict[str, Any] = {"concurrency_id": "exporting", "concurrency_limit": 2}
TRACKING: dict[str, Any] = {"concurrency_id": "tracking", "concurrency_limit": 1}
"""Queues of events, shared by all pages. Tracks go into folders named after their videos, so videos are tracked one at a time."""

ERROR_SECONDS = 20
"""Seconds for which an error stays on the page."""


class PageState:
    """The session of one page in one browser, which outlasts single events.

    Attributes:
        lock: held while an event changes the session, so that two events of one page follow each other.
    """

    def __init__(self, session: EditingSession | None = None) -> None:
        self.lock = RLock()
        self._session = session

    @property
    def session(self) -> EditingSession:
        """The newest session.

        Raises:
            ReenactError: no run is open.
        """
        if self._session is None:
            raise ReenactError("open a run first: in the tab Run, name the folder of a trained run")
        return self._session

    @session.setter
    def session(self, session: EditingSession) -> None:
        self._session = session


def report_errors(handler: Handler) -> Handler:
    """Wrap an event's handler so that the page shows its errors in one sentence; unexpected ones go to the terminal in full."""

    @wraps(handler)
    def wrapper(*inputs: Any) -> Any:
        try:
            return handler(*inputs)
        except gr.Error:
            raise
        except ReenactError as error:
            sentence = str(error)
        except OSError as error:
            sentence = f"{error.filename or 'a file'} cannot be read or written ({error.strerror or error})"
        except Exception as error:
            traceback.print_exc()
            sentence = f"unexpected error ({type(error).__name__}); the terminal says more"
        raise gr.Error(escape(sentence), duration=ERROR_SECONDS, print_exception=False)

    return cast(Handler, wrapper)
