"""Bytes in and out: files of examples, records, documents, SavedModels."""
