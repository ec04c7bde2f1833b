"""Train the sample and save it as MLflow does: a linear regression on the diabetes data that scikit-learn carries.

Usage: python train.py [FOLDER]   (default: model/ beside this file)
"""

import sys
from pathlib import Path

import mlflow
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

here = Path(__file__).parent
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else here / "model"
features, target = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
model = LinearRegression().fit(features, target)
mlflow.sklearn.save_model(
    model,
    folder,
    signature=infer_signature(features, model.predict(features)),
    input_example=features.head(2),
    pip_requirements=str(here / "requirements.txt"),
)
