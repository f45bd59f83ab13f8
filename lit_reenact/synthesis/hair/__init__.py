"""Removal of a person's hair: an image operation on finished frames, recorded or generated.

Every part of the person that is neither face, ears, neck nor clothes counts as hair. Where the face model's head lies behind
the hair, the head's bare skin is drawn in the estimated light, in the colours of the neighbouring skin in the frame; elsewhere
the background is drawn, recovered from frames in which the person did not hide it. Outside the person's mask and its margin no
pixel changes.

Limits:

* Background, shoulders and clothes that hair hides in every frame are unknown; they are filled smoothly from their surroundings.
* The skull is not this person's: it is the face model's, made rounder, and smaller until it lies within the hair.
* Ears that hair hides are missing.
* Below the chin only its colour tells hair. It stays where the clothes have about the same colour, and anything of that colour
  that touches it goes too.
* Shoulders that rise above the chin go.
* Shadows of the hair stay, and so do strands between eye and temple, and strands that the person's mask misses.
* A moving camera spoils the background.
"""

from __future__ import annotations

from lit_reenact.synthesis.hair.remover import HairRemover

__all__ = ["HairRemover"]
