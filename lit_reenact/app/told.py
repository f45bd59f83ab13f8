"""What goes wrong, told on the page in one sentence; never a stack trace."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from html import escape
from typing import Any, TypeVar, cast

import gradio as gr

from lit_reenact.core.errors import ReenactError

Handler = TypeVar("Handler", bound=Callable[..., Any])

SECONDS = 20
"""How long a sentence stays."""


def told(handler: Handler) -> Handler:
    """An event's function whose errors the page shows. What nobody expected is told in full in the terminal."""

    @wraps(handler)
    def careful(*inputs: Any) -> Any:
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
            sentence = f"this should not have happened ({type(error).__name__}); the terminal says more"
        raise gr.Error(escape(sentence), duration=SECONDS, print_exception=False)

    return cast(Handler, careful)
