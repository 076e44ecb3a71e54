"""The command line as a module, for a process that is forked from one that has imported TFX."""

from crosskd.main import app

if __name__ == "__main__":
    app()
