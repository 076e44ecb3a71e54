"""The same pipeline for Kubeflow Pipelines 2 and Vertex: the compiler, and the containers' entry point."""
