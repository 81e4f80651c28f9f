"""The API's documentation as one plain page, made from ``/openapi.json``: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any


def api_page(schema: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    about = schema["info"]
    routes = "".join(
        _route(path, method, one) for path, methods in schema["paths"].items() for method, one in methods.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>RadIA API</title></head>'
        "<body><main>"
        f"<h1>{escape(about['title'])} API {escape(about['version'])}</h1><p>{escape(about.get('description', ''))}</p>"
        f'<p>For programs: <a href="/openapi.json">openapi.json</a></p>{routes}</main></body></html>'
    )


def _route(path: str, method: str, one: Mapping[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(_values(each['schema']))}</td></tr>"
        for each in one.get("parameters", ())
    )
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(each['description'])}</td></tr>"
        for status, each in one["responses"].items()
    )
    bodies = ", ".join(f"<code>{escape(kind)}</code>" for kind in one.get("requestBody", {}).get("content", ()))
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in one.get("description", "").split("\n\n") if part)
    return (
        f"<section><h2>{escape(method.upper())} <code>{escape(path)}</code></h2><p>{escape(one.get('summary', ''))}</p>"
        f"{paragraphs}{f'<p>Body: {bodies}</p>' if bodies else ''}"
        f"{f'<h3>Query</h3><table>{parameters}</table>' if parameters else ''}<h3>Answers</h3><table>{answers}</table>"
        "</section>"
    )


def _values(schema: Mapping[str, Any]) -> str:
    kinds = [schema, *schema.get("anyOf", ())]
    pattern = next((one["pattern"] for one in kinds if "pattern" in one), "")
    words = pattern.strip("^$()").replace("|", ", ") if pattern else str(schema.get("type", "text"))
    return f"{words} (default: {schema['default']})" if schema.get("default") is not None else words
