"""ServingValidator: whether a student can serve, found out by serving it."""
