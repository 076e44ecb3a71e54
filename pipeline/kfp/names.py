"""Names of nodes as Kubernetes takes them."""

from __future__ import annotations

import re


def kubernetes_name(name: str) -> str:
    """A node's name as Kubernetes and Argo take names: lower case, digits and dashes."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def executor_label(node: str) -> str:
    """The name of a node's executor in a compiled pipeline."""
    return f"exec-{kubernetes_name(node)}"
