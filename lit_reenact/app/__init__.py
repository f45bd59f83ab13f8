"""The editor in the browser: a page on this machine alone, on which a trained run is edited, driven and exported.

Needs the extra ``app``.
"""

from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported: it then sends no usage data
