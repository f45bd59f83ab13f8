"""The embedded clips of the demo: two people animated from one public-domain photograph."""
