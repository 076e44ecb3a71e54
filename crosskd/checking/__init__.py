"""What `crosskd check` looks at, and `crosskd run` before its first node: data, teacher, arguments for Beam."""
