"""Training on several workers through `tf.distribute`: who they are, what they exchange, and how they are started."""
