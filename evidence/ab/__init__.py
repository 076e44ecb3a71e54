"""The readout of a live experiment from anyone's logs: lifts with intervals, and how long to run it."""
