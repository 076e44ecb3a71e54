"""BlessingGate: judges every gate of a surface and writes the one blessing that counts."""
