"""CandidateSampler: adds pairs of a user and an item that were never shown."""
