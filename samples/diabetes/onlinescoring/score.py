"""Scores rows of the ten diabetes features: {"data": [[…10 numbers…], …]} gives one number a row."""

import json
import logging
import os

import joblib

model = None


def init():
    """Runs once, when an instance starts."""
    global model
    path = os.path.join(os.environ["AZUREML_MODEL_DIR"], "model", "sklearn_regression_model.joblib")
    model = joblib.load(path)
    logging.info("Init complete")


def run(raw_data):
    """Runs for every request; what it returns is the answer, as JSON."""
    logging.info("Request received")
    rows = json.loads(raw_data)["data"]
    predictions = model.predict(rows).tolist()
    logging.info("Request processed: %d rows", len(rows))
    return predictions
