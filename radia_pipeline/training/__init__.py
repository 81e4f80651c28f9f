"""Datasets, augmentation, models, tasks and the training loop.

Needs only torch, timm, numpy, pyarrow, OpenCV, albumentations, pydantic and safetensors, so that it
also runs on a bare GPU machine.
"""
