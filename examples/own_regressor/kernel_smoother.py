"""Your own regressor: any class with scikit-learn's `fit`, `predict` and `get_params`."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class KernelSmoother(RegressorMixin, BaseEstimator):
    """Mean of the targets near a row, weighted by a Gaussian kernel (Nadaraya 1964, Watson 1964).

    Parameters
    ----------
    width : float
        Of the kernel, in standard deviations of a column times the root of their number.
    """

    def __init__(self, width=0.3):
        self.width = width

    def fit(self, X, y):
        self.X_, self.y_ = X, y
        return self

    def predict(self, X):
        squared = (X**2).sum(axis=1)[:, None] - 2 * X @ self.X_.T + (self.X_**2).sum(axis=1)
        weights = np.exp(-squared / (2 * self.width**2 * X.shape[1]))
        total = weights.sum(axis=1)
        return np.where(total > 0, weights @ self.y_ / np.where(total > 0, total, 1), self.y_.mean())
