"""A document as a real HTML page."""

import json
from functools import cache
from html import escape
from importlib.resources import files

from envs.web.document import CONTAINERS, Document, Node

CELLS = ("td", "th")  # outside a table a browser would drop them


@cache
def _part(name: str) -> str:
    return files("envs.web").joinpath(name).read_text()


def content_policy(nonce: str, framed: bool = False) -> str:
    """The Content-Security-Policy of a page: nothing but our own server and our own script.

    Args:
        nonce: Token that allows the page's own script.
        framed: Whether a page of our own server may show it in a frame.
    """
    ancestors = "'self'" if framed else "'none'"
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; "
        f"connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors {ancestors}"
    )


def to_html(document: Document, base: str, nonce: str, script: str = "") -> str:
    """The page of a document.

    Args:
        document: The document to show.
        base: Path of the application's root on the server, with a slash at either end.
        nonce: Token that allows the page's own script; see :func:`content_policy`.
        script: Runs after the page's own.
    """
    children: dict[int, list[int]] = {}
    for index, node in enumerate(document.nodes):
        children.setdefault(node.parent, []).append(index)
    refs = document.structure.refs

    def render(index: int) -> str:
        node = document.nodes[index]
        inner = "".join(render(child) for child in children.get(index, ()))
        return _element(node, refs.get(index), inner)

    body = "".join(render(index) for index in children.get(-1, ()))
    widgets = json.dumps(document.widgets).replace("<", "\\u003c")
    width, height = document.size
    more = f'<script nonce="{nonce}">{script}</script>' if script else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(document.title)}</title>"
        f'<base href="{escape(base)}"><link rel="icon" href="data:,">'
        f"<style>{_part('page.css')}</style></head>"
        f'<body class="{escape(document.skin)}" style="width:{width}px;height:{height}px">'
        f'<form method="{document.method}" action="{escape(document.action)}" novalidate '
        f'autocomplete="off">{body}</form>'
        f'<script type="application/json" id="gymworks-widgets">{widgets}</script>'
        f'<script nonce="{nonce}">{_part("pickers.js")}{_part("page.js")}</script>'
        f"{more}</body></html>"
    )


def _element(node: Node, ref: int | None, inner: str) -> str:
    """One node with what stands in it."""
    if node.type == "hidden":
        return f"<input{_attributes(node, None)}>"
    tag = node.tag
    if tag in CELLS:
        tag = "span"
    elif tag in CONTAINERS and tag != "fieldset":
        tag = "div"
    attributes = _attributes(node, ref)
    if tag == "input":
        return f"<input{attributes}>"
    if tag == "select":
        chosen = [
            f'<option value="{escape(value)}"{" selected" if value == node.value else ""}>'
            f"{escape(text)}</option>"
            for value, text in node.options
        ]
        return f"<select{attributes}>{''.join(chosen)}</select>"
    if tag == "textarea":
        return f"<textarea{attributes}>{escape(node.value)}</textarea>"
    return f"<{tag}{attributes}>{escape(node.text)}{inner}</{tag}>"


def _attributes(node: Node, ref: int | None) -> str:
    given: dict[str, str] = {}
    if node.id:
        given["id"] = node.id
    if ref is not None:
        given["data-ref"] = str(ref)
    if node.tag in CELLS:
        given["data-tag"] = node.tag
    if node.tag == "input":
        given["type"] = node.type
    elif node.tag == "button":
        given["type"] = "submit" if node.type == "submit" else "button"
    if node.name:
        given["name"] = node.name
    if node.value and node.tag not in ("select", "textarea"):
        given["value" if node.tag in ("button", "input") else "data-value"] = node.value
    if node.type == "range":
        given["min"], given["max"], given["step"] = map(str, node.range)
    if node.tag == "a" and node.href:
        given["href"] = node.href
    if node.label_for:
        given["for"] = node.label_for
    if node.label:
        given["aria-label"] = node.label
    if node.classes:
        given["class"] = node.classes
    if node.type != "hidden":
        left, top, width, height = node.box
        shown = "display:none;" if node.hidden else ""
        given["style"] = (
            f"left:{left}px;top:{top}px;width:{width}px;height:{height}px;{shown}{node.style}"
        )
    flags = ("checked", "readonly", "disabled")
    switches = "".join(f" {flag}" for flag in flags if getattr(node, flag))
    return "".join(f' {key}="{escape(value)}"' for key, value in given.items()) + switches
