"""LastServed: the model that serves, read from the push destination."""
