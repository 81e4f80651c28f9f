"""Delivered image files -> stored images: read, audit, decode, render, quarantine. Nothing here knows labels."""
