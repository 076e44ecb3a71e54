"""LastServed: the model that serves today, for backends that cannot resolve it."""
