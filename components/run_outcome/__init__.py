"""RunOutcome: fails a run that did not come to what was asked."""
