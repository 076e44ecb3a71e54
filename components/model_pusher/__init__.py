"""ModelPusher: pushes a blessed student whole, once, and with its provenance."""
