"""Python imports this by itself where its folder is on PYTHONPATH: every process counts its lines."""

import os

import executed_lines

if executed_lines.VARIABLE in os.environ:
    executed_lines.start()
