"""Who could be recognised: policy, header, every byte of a file, print in pixels, free text. It changes nothing.

``policy`` (with ``profile``, the standard's table): what a site's deliveries may hold. ``container``: every byte of a
file -> its parts, under ``limits``. ``header``: the DICOM elements. ``prints`` (with ``reader``): text in pixels.
``text`` (with ``names``, ``numbers``, ``patterns``, ``wording``, ``disguise``, french.yaml): free French text.
``reasons``: why a file is refused.
"""
