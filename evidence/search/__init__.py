"""Chooses what to switch on, by held-out rows of the training split alone."""
