"""The only package that imports mlflow: runs, metrics and models as the pipeline names them."""
