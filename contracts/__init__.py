"""What rooms hand to each other: documents, artifact types, names of nodes, keys and properties; no behaviour."""
