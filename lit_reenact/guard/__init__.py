"""Guard against driving parameters outside the range of a network's training frames, channel by channel and in combination.

A network draws well what resembles its training frames. It fails where a head turns farther than it ever did, a mouth opens
wider, or two things appear together that never did; nothing else in a video says why.
"""

from __future__ import annotations

from lit_reenact.guard.guarding import guard
from lit_reenact.guard.ranges import SeenRange
from lit_reenact.guard.report import COMBINATION, KEY_FRAMES, Excess, GuardMode, GuardReport

__all__ = ["COMBINATION", "KEY_FRAMES", "Excess", "GuardMode", "GuardReport", "SeenRange", "guard"]
