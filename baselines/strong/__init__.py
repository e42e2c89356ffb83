"""Peers from outside the paper: what a user who knows the noise level would take today."""

from baselines.strong.bayes_shrink import BayesShrink
from baselines.strong.singular_values import SingularValues
from baselines.strong.spectrum import SingularSpectrum

__all__ = ["BayesShrink", "SingularSpectrum", "SingularValues"]
