"""What the server that workers are forked from loads: all that a unit may need, frozen so that forks share it."""

import gc

import sklearn.linear_model
import sklearn.neighbors  # noqa: F401

import experiments.campaign.drive
import experiments.campaign.engines.unit  # noqa: F401
from experiments.base.code import versions_of
from experiments.base.resources import commit, machine

commit()
machine()
versions_of("sklearn.base.BaseEstimator", "baselines.base.Problem")  # each is found once
gc.collect()
gc.freeze()
