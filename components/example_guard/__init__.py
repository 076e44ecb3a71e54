"""ExampleGuard: TFX's ExampleValidator, which stops the pipeline when it finds anomalies."""
