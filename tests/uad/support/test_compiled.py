import numpy as np
import pytest
from numba import njit

from uad.detectors.latent.support.compiled import _exp2, _expm1


@pytest.mark.parametrize("function, expected", [(_exp2, np.exp2), (_expm1, np.expm1)])
def test_exponentials_lose_no_digits_of_single_precision(function, expected):
    @njit
    def apply(t):
        return np.array([function(x) for x in t])

    t = -np.concatenate([[0], np.logspace(-7, 2, 20_001)]).astype(np.float32)
    exact = expected(t.astype(np.float64))
    kept = np.abs(exact) > 2.0**-126
    np.testing.assert_allclose(apply(t)[kept], exact[kept], rtol=4e-6)
    np.testing.assert_allclose(apply(t)[~kept], exact[~kept], atol=2e-38)
