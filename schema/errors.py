"""The one exception type for what a user can mend."""


class InputError(ValueError):
    """Something the user gave cannot be used as it is.

    The message says what was expected, what was found and what to do, in at most one
    screen; the command line prints it without a traceback and exits with code 2.

    Attributes:
      problems: What is wrong, one sentence for each, where several things were found at once.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
