"""AGRA: leave out, update by update, the samples whose gradient contradicts that of a comparison batch.

A. Sedova, L. Zellinger and B. Roth, Learning with noisy labels by adaptive gradient-based outlier removal,
ECML PKDD 2023. For every batch a second one is drawn from the same data; a sample takes part in the update if
the cosine between its own gradient and the gradient of the comparison loss exceeds a threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from denograd.data import with_gaps

Comparison = Literal["cross_entropy", "f1"]


def f1_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """One minus the macro F1 score with soft counts: 1 - mean_c 2 tp_c / (sum_i p_ic + sum_i y_ic).

    Parameters
    ----------
    logits : (n, k) tensor
    labels : (n,) tensor of int

    Returns
    -------
    loss : scalar tensor
    """
    shares = logits.softmax(dim=1)
    truth = one_hot(labels, logits.shape[1]).to(shares)
    hits = (shares * truth).sum(dim=0)
    return 1 - (2 * hits / (shares.sum(dim=0) + truth.sum(dim=0))).mean()


def label_similarity(x: Tensor, shares: Tensor, gradient: Tensor) -> Tensor:
    """Cosine between a direction and each sample's gradient of the cross-entropy under each label.

    With softmax regression the gradient with respect to the weights is the outer product
    (p_i - e_c) x_i', so that no gradient of a sample is ever formed.

    Parameters
    ----------
    x : (n, d) tensor
    shares : (n, k) tensor
        Predicted probabilities p.
    gradient : (k, d) tensor
        Of the comparison loss.

    Returns
    -------
    similarity : (n, k) tensor
        0 where a gradient vanishes.
    """
    residual = shares[:, None] - torch.eye(shares.shape[1])
    product = torch.einsum("ncj,nj->nc", residual, x @ gradient.T)
    norms = residual.norm(dim=2) * x.norm(dim=1, keepdim=True) * gradient.norm()
    return product / norms.clamp_min(torch.finfo(x.dtype).tiny)


def choose_labels(similarity: Tensor, given: Tensor, other: int | None) -> tuple[Tensor, Tensor]:
    """The label of each sample, its own or `other`, that agrees better, and how well: both of shape (n,)."""
    agreement = similarity.gather(1, given[:, None])[:, 0]
    if other is None:
        return given, agreement
    better = similarity[:, other] > agreement
    return torch.where(better, other, given), torch.maximum(agreement, similarity[:, other])


COMPARISONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"cross_entropy": cross_entropy, "f1": f1_loss}


class AgraClassifier(ClassifierMixin, BaseEstimator):
    """Softmax regression that leaves out contradicted samples.

    Parameters
    ----------
    comparison : {"cross_entropy", "f1"} or None
        Loss of the comparison batch; None trains plainly, on every sample.
    weighted : bool
        Draw comparison batches with weights 1 / class frequency instead of uniformly.
    other : label, optional
        A class that every sample may also be given if that agrees better; one that no sample has becomes an
        output that is never predicted.
    threshold : float
        Samples at or below this cosine are dropped.
    epochs, batch_size : int
    lr, weight_decay : float
        Of Adam.
    random_state : int

    Attributes
    ----------
    classes_ : array
    coef_, intercept_ : (k, d) and (k,) arrays
    best_epoch_ : int
        Counted from 1: the highest accuracy on the validation part, or the last.
    dropped_ : (n,) array
        Share of the epochs in which each training sample was dropped.
    """

    def __init__(
        self,
        comparison: Comparison | None = "f1",
        weighted: bool = False,
        other: Any = None,
        threshold: float = 0.0,
        epochs: int = 10,
        batch_size: int = 128,
        lr: float = 1e-2,
        weight_decay: float = 1e-4,
        random_state: int = 0,
    ) -> None:
        self.comparison = comparison
        self.weighted = weighted
        self.other = other
        self.threshold = threshold
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, validation: tuple[ArrayLike, ArrayLike] | None = None) -> Self:
        """Train on `X` (n, d) and labels `y` (n,); the validation part chooses the epoch.

        Raises
        ------
        ValueError
            For NaN, other shapes, fewer than two classes or an unknown comparison loss.
        """
        if self.comparison is not None and self.comparison not in COMPARISONS:
            raise ValueError(
                f"comparison must be {', '.join(COMPARISONS)} or None (plain), got {self.comparison!r}"
            )
        x, labels = samples(X, (2,)), np.asarray(with_gaps(y))
        if labels.shape != (len(x),):
            raise ValueError(f"y must have shape ({len(x)},), got {labels.shape}")
        if labels.dtype.kind == "f" and not np.isfinite(labels).all():
            raise ValueError("y holds NaN, infinite or masked labels: drop these rows first")
        known = np.unique(labels)
        if len(known) < 2:
            raise ValueError(f"needs at least two classes, got {known.tolist()}")
        self.n_features_in_ = x.shape[1]
        self.classes_ = known
        target = torch.from_numpy(np.searchsorted(known, labels))
        other = None if self.other is None else self._index_of_other()
        outputs = max(len(known), 1 + (-1 if other is None else other))
        frequency = torch.bincount(target).double()
        chance = 1 / frequency[target] if self.weighted else torch.ones(len(x)).double()

        draw = torch.Generator().manual_seed(self.random_state)
        weight = torch.zeros(outputs, x.shape[1], requires_grad=True)
        bias = torch.zeros(outputs, requires_grad=True)
        optimizer = torch.optim.Adam([weight, bias], lr=self.lr, weight_decay=self.weight_decay, fused=True)
        dropped = torch.zeros(len(x))
        best = -1.0
        for epoch in range(1, self.epochs + 1):
            for rows in torch.randperm(len(x), generator=draw).split(self.batch_size):
                batch, given = x[rows], target[rows]
                if self.comparison is not None:
                    compared = torch.multinomial(chance, len(rows), generator=draw)
                    loss = COMPARISONS[self.comparison](x[compared] @ weight.T + bias, target[compared])
                    (gradient,) = torch.autograd.grad(loss, weight)
                    with torch.no_grad():
                        shares = (batch @ weight.T + bias).softmax(dim=1)
                        similarity = label_similarity(batch, shares, gradient)
                    given, agreement = choose_labels(similarity, given, other)
                    kept = agreement > self.threshold
                    dropped[rows[~kept]] += 1
                    batch, given = batch[kept], given[kept]
                if len(batch):
                    optimizer.zero_grad()
                    cross_entropy(batch @ weight.T + bias, given).backward()
                    optimizer.step()
            self.coef_ = weight.detach()[: len(known)].numpy().copy()
            self.intercept_ = bias.detach()[: len(known)].numpy().copy()
            accuracy = float(epoch) if validation is None else self.score(*validation)
            if accuracy > best:
                best, self.best_epoch_ = accuracy, epoch
                kept_weights = self.coef_, self.intercept_
        self.coef_, self.intercept_ = kept_weights
        self.dropped_ = (dropped / self.epochs).numpy()
        return self

    def _index_of_other(self) -> int:
        """Of the output that stands for the class `other`: one more if no sample has it."""
        found = np.flatnonzero(self.classes_ == self.other)
        return int(found[0]) if len(found) else len(self.classes_)

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """Logits of the classes, shape (n, k)."""
        check_is_fitted(self, "coef_")
        x = samples(X, (2,))
        if x.shape[1] != self.n_features_in_:
            raise ValueError(f"fitted on {self.n_features_in_} features, got {x.shape[1]}")
        return x.numpy() @ self.coef_.T + self.intercept_

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Labels, shape (n,)."""
        return self.classes_[self.decision_function(X).argmax(axis=1)]


def samples(X: ArrayLike, dimensions: tuple[int, ...] = (2, 3)) -> Tensor:
    """Copy to float32.

    Raises
    ------
    ValueError
        For another number of dimensions, no rows, or a value that is NaN or infinite.
    """
    values = np.array(with_gaps(X), dtype=np.float32)
    if values.ndim not in dimensions or not len(values):
        wanted = " or ".join(map(str, dimensions))
        raise ValueError(f"X must have rows and {wanted} dimensions, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("X holds NaN, infinite or masked values: impute or drop them first")
    return torch.from_numpy(values)
