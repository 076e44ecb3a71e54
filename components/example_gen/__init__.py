"""ExampleGen: TFX's ImportExampleGen, which takes in what `records.examples` says are examples."""
