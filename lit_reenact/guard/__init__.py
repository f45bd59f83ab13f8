"""Whether what is asked of a network lies within what its training showed, channel by channel and all together.

A network draws well what is like its training frames. A head turned farther than it ever was, a mouth opened wider, or things
each seen but never together: there it breaks, and nothing else in a video tells why.
"""

from __future__ import annotations

from lit_reenact.guard.guarding import guard
from lit_reenact.guard.ranges import SeenRange
from lit_reenact.guard.report import COMBINATION, Excess, GuardMode, GuardReport

__all__ = ["COMBINATION", "Excess", "GuardMode", "GuardReport", "SeenRange", "guard"]
