"""Where one person works: the session of one page in one browser."""

from __future__ import annotations

from threading import RLock

from lit_reenact.app.session import Session
from lit_reenact.core.errors import ReenactError


class Desk:
    """Holds what must outlast an event. Two events of the same page change it one after the other, never at once."""

    def __init__(self, session: Session | None = None) -> None:
        self.lock = RLock()
        self._session = session

    @property
    def session(self) -> Session:
        """The newest.

        Raises:
            ReenactError: nothing is opened.
        """
        if self._session is None:
            raise ReenactError("open a run first: under Run, name the folder of a trained run")
        return self._session

    @session.setter
    def session(self, session: Session) -> None:
        self._session = session
