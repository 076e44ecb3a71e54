"""Drafts a surface folder from a sample of examples, for `crosskd init`."""
