"""The front door: the `crosskd` command, one module a command."""
