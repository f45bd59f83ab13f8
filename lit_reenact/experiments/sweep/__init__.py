"""A W&B sweep file, checked and run on this machine alone: proposals, trials one after another, a table and a picture."""
