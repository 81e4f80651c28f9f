"""Who asks: whom the declared proxy names, else the one who sits at this machine.

A header is believed from the declared address alone; from any other it is as if it were not there.
"""

from __future__ import annotations

import re

from starlette.requests import Request

from radia_pipeline.review.problems import Problem
from radia_pipeline.review.settings import Settings

_CODE = re.compile(r"[\w.-]{1,64}", re.ASCII)


def comes_by_proxy(request: Request, settings: Settings) -> bool:
    """Tell whether a request comes from the declared proxy."""
    return settings.proxy is not None and request.client is not None and request.client.host == settings.proxy


def user_of(request: Request, settings: Settings) -> str:
    """Return the code of who asks; raises Problem ``no_user`` where the proxy names nobody, or no code."""
    if not comes_by_proxy(request, settings):
        return settings.reader
    named = request.headers.getlist(settings.user_header)
    if len(named) != 1 or not _CODE.fullmatch(named[0]):
        raise Problem("no_user", do="let the proxy name one signed-in user: letters, digits, '_', '.', '-'")
    return named[0]
