"""R2, the coefficient of determination, as a TFMA metric."""

from __future__ import annotations

from evaluation.moments import SumsMetric, Totals


class R2(SumsMetric):
    """1 - SSE / SST, weighted: scikit-learn's `r2_score` with `sample_weight`.

    SSE is the sum of w (y - p)^2 and SST that of w (y - mean(y))^2, mean(y) weighted and
    taken over the slice.  Undefined, hence NaN, without rows or when all labels are equal.
    TFMA's `SquaredPearsonCorrelation` forgives bias and its `CoefficientOfDiscrimination`
    is Tjur's: neither is this.
    """

    def __init__(self, name: str = "r2"):
        super().__init__(name, coefficient_of_determination)


def coefficient_of_determination(totals: Totals) -> float:
    """1 - SSE / SST of the gathered sums; NaN where SST is 0."""
    # Equal labels can leave a residue in SST, since their mean is rounded.
    negligible = totals.weight * (1e-12 * totals.mean) ** 2
    if totals.deviation <= negligible:
        return float("nan")
    return 1.0 - totals.error / totals.deviation
