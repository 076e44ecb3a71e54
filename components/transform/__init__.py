"""Transform: TFX's, which reads and writes examples in batches."""
