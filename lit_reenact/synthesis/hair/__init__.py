"""A person without hair: a plain operation on finished frames, real or synthesised.

Whatever of the person is neither face, nor ears, nor neck, nor clothes counts as hair. Where the face model's head lies behind
it, its bare skin is drawn in the estimated light, in the colours that the skin beside it has in the frame; elsewhere the
background is, recovered from the frames in which it was free. Outside the person's mask and its margin no pixel changes.

What it cannot do: what hair always hid (background, shoulders, clothes) is unknown and filled smoothly from what is around it;
the skull is the face model's, made rounder, and smaller until it lies within the hair, not this person's; ears that hair hides
are not there; below the chin hair is told by its colour alone, so it stays where the clothes have about the same colour, and what
else is of its colour and touches it goes too; shoulders that rise above the chin go; the hair's shadows stay, and strands between
eye and temple, and those beside the head that the person's mask misses; a camera that moves spoils the background.
"""

from __future__ import annotations

from lit_reenact.synthesis.hair.remover import HairRemover

__all__ = ["HairRemover"]
