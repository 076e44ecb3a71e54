"""Names of the files by which a blessing says yes and no."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BlessingFiles:
    """The empty file that a blessing's folder holds.

    Attributes:
      yes: Its name where the model is blessed.
      no: Its name where it is not.
    """

    yes: str
    no: str

    def named(self, *, blessed: bool) -> str:
        """The file of this outcome."""
        return self.yes if blessed else self.no


# As TFX's Evaluator writes them, and its InfraValidator.
MODEL_BLESSING = BlessingFiles("BLESSED", "NOT_BLESSED")
INFRA_BLESSING = BlessingFiles("INFRA_BLESSED", "INFRA_NOT_BLESSED")
