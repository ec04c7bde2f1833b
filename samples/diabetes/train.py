"""Train the sample: a linear regression on the ten features of the diabetes data that scikit-learn carries.

Usage: python train.py [FOLDER]   (default: model/ beside this file)
"""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "model"
features, target = load_diabetes(return_X_y=True, scaled=False)
folder.mkdir(parents=True, exist_ok=True)
joblib.dump(LinearRegression().fit(features, target), folder / "sklearn_regression_model.joblib")
