"""The radiologist's page and the API: one server on this machine that answers, and computes nothing by itself."""
