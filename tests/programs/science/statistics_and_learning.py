"""scipy, scikit-learn and statsmodels do their main jobs, without a warning; sparse solvers too."""
import warnings

import numpy as np
from scipy import integrate, interpolate, linalg, optimize, signal, sparse, stats
from scipy.sparse import linalg as sparse_linalg
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC, LinearSVC
import statsmodels.api as sm

warnings.simplefilter('error')
rng = np.random.default_rng(7)

for method in ('BFGS', 'Nelder-Mead', 'L-BFGS-B', 'SLSQP', 'TNC', 'trust-constr', 'Powell'):
    found = optimize.minimize(optimize.rosen, [1.3, 0.7, 0.8], method=method)
    assert np.allclose(found.x, 1, atol=1e-2), (method, found)
x = np.linspace(0, 4, 60)
(a, b), _ = optimize.curve_fit(lambda x, a, b: a * np.exp(-b * x), x, 2.5 * np.exp(-1.3 * x))
assert np.allclose([a, b], [2.5, 1.3])
linear = optimize.linprog([-1, -2], A_ub=[[1, 1], [1, 3]], b_ub=[4, 6])
assert np.allclose(linear.x, [3, 1]), linear
assert np.isclose(integrate.quad(np.sin, 0, np.pi)[0], 2)
assert np.allclose(linalg.solve(np.array([[3.0, 1], [1, 2]]), [9, 8]), [2, 3])
assert np.allclose(linalg.svdvals(np.diag([3.0, 4])), [4, 3])
assert round(float(interpolate.CubicSpline(x, np.sin(x))(1.0)), 4) == 0.8415
assert round(stats.ttest_ind([1, 2, 3, 4], [2, 3, 4, 6]).pvalue, 4) == 0.2872
assert round(stats.norm.ppf(0.975), 4) == 1.96
assert signal.find_peaks(np.sin(x * 4))[0].tolist() == [6, 29, 52]

system = sparse.random(200, 200, 0.02, random_state=0, format='csc') + sparse.eye(200, format='csc') * 5
assert np.allclose(system @ sparse_linalg.spsolve(system, np.ones(200)), 1)
assert np.allclose(system @ sparse_linalg.splu(system).solve(np.ones(200)), 1)
try:
    sparse_linalg.splu(sparse.csc_matrix((3, 3)))
    raise AssertionError('a singular matrix was factored')
except RuntimeError as error:
    assert 'singular' in str(error)

points = np.concatenate([rng.normal(0, 0.2, (30, 2)), rng.normal(5, 0.2, (20, 2))])
labels = (points[:, 0] > 2).astype(int)
assert sorted(np.bincount(KMeans(2, n_init=3, random_state=0).fit_predict(points))) == [20, 30]
for model in (RandomForestClassifier(20, random_state=0, n_jobs=2), SVC(), LinearSVC(), HistGradientBoostingClassifier(min_samples_leaf=5)):
    assert cross_val_score(model, points, labels, cv=3).mean() > 0.95, model
    if isinstance(model, SVC):
        assert (model.fit(sparse.csr_matrix(points), labels).predict(sparse.csr_matrix(points)) == labels).all()
assert np.allclose(LinearRegression().fit(x[:, None], 3 * x + 2).coef_, 3)

model = sm.OLS(3 * x + 2 + rng.normal(0, 0.01, 60), sm.add_constant(x)).fit()
assert np.allclose(model.params, [2, 3], atol=0.02) and model.rsquared > 0.999
assert 'OLS Regression Results' in model.summary().as_text()
assert abs(sm.tsa.ARIMA(np.cumsum(rng.normal(size=80)), order=(1, 1, 0)).fit().params[0]) < 1
