"""Scikit-learn transformers as denoisers: what they are fitted on, what they may do with the target."""

import numpy as np
import pytest
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import baselines.pca
from experiments.config.components import denoisers_of
from experiments.config.targets import BadTarget
from experiments.config.words import composed
from experiments.methods.transformer import Transformer


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(200, 2))
    X = hidden @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(200, 5))
    return X, hidden[:, 0] + 0.1 * rng.normal(size=200)


def test_a_pca_goes_there_and_back_with_the_target_as_the_last_column(data):
    X, y = data
    frame = np.column_stack([X, y])
    model = PCA(2).fit(frame)
    expected = model.inverse_transform(model.transform(frame))
    refined = Transformer(PCA(2)).fit(X, y).denoise(X, y)
    np.testing.assert_allclose(refined.X, expected[:, :-1])
    np.testing.assert_allclose(refined.y, expected[:, -1])


def test_it_does_what_the_projects_own_pca_does(data):
    X, y = data
    ours = baselines.pca.PCA(settings="paper", components=2).fit(X, y).denoise(X, y)
    theirs = Transformer(PCA(2)).fit(X, y).denoise(X, y)
    np.testing.assert_allclose(theirs.X, ours.X, atol=1e-9)
    np.testing.assert_allclose(theirs.y, ours.y, atol=1e-9)


def test_without_a_target_the_features_alone_are_refined(data):
    X, _ = data
    refined = Transformer(make_pipeline(StandardScaler(), PCA(2))).fit(X).denoise(X)
    assert refined.X.shape == X.shape
    assert refined.y is None


def test_the_target_is_never_handed_over_as_y(data):
    class Curious(VarianceThreshold):
        def fit(self, X, y=None):
            assert y is None
            return super().fit(X)

    X, y = data
    Transformer(Curious()).fit(X, y).denoise(X, y)


def test_an_imputer_gives_back_complete_rows(data):
    X, y = data
    refined = Transformer(SimpleImputer()).fit(X, y).denoise(X, y)
    np.testing.assert_array_equal(refined.X, X)


def test_the_users_object_stays_unfitted_and_the_seed_is_set(data):
    X, y = data
    transformer = TruncatedSVD(2)
    first, second = (Transformer(transformer).fit(X, y, seed=5).denoise(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.X, second.X)
    assert not hasattr(transformer, "components_")
    assert transformer.random_state is None


def test_other_columns_than_were_given_are_refused(data):
    X, y = data
    denoiser = Transformer(PolynomialFeatures()).fit(X, y)
    with pytest.raises(ValueError, match=r"PolynomialFeatures returns an array of shape \(200, 28\)"):
        denoiser.denoise(X, y)


def test_a_transformer_of_a_configuration_becomes_a_denoiser():
    steps = "[[project,{_target_:sklearn.decomposition.PCA,n_components:2}]]"
    nested = f"+denoiser.own={{_target_:sklearn.pipeline.Pipeline,steps:{steps}}}"
    [own] = [each for each in denoisers_of(composed(["denoiser=[identity]", nested])) if each.name == "own"]
    assert isinstance(own.make().transformer.steps[0][1], PCA)
    assert "sklearn.decomposition.PCA" in own.packages
    imputer = "+denoiser.own={_target_:sklearn.impute.IterativeImputer}"
    [own] = [each for each in denoisers_of(composed(["denoiser=[identity]", imputer])) if each.name == "own"]
    assert type(own.make().transformer).__name__ == "IterativeImputer"


def test_a_nested_object_is_held_to_what_may_be_built():
    nested = "+denoiser.own={_target_:sklearn.pipeline.Pipeline,steps:[[p,{_target_:os.system,command:ls}]]}"
    with pytest.raises(BadTarget, match=r"os\.system"):
        denoisers_of(composed(["denoiser=[identity]", nested]))
    misspelt = "+denoiser.own={_target_:sklearn.decomposition.PCA,n_componets:2}"
    with pytest.raises(BadTarget, match="Did you mean n_components"):
        denoisers_of(composed(["denoiser=[identity]", misspelt]))
