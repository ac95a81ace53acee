"""Elements of a page: the standard library's tree, which escapes whatever text a file brings along."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

Element = ElementTree.Element


def tag(name: str, *children: object, **attributes: object) -> Element:
    """An element with children, and attributes by name: `class_` is class, `stroke_width` is stroke-width."""
    named = {
        key.rstrip("_").replace("_", "-"): _number(value) for key, value in attributes.items() if value is not None
    }
    element = ElementTree.Element(name, named)
    _append(element, children)
    return element


def text_of(elements: Iterable[Element]) -> str:
    """Elements as HTML, one after the other."""
    return "".join(ElementTree.tostring(element, encoding="unicode", method="html") for element in elements)


def _append(element: Element, children: Iterable[object]) -> None:
    for child in children:
        if isinstance(child, ElementTree.Element):
            element.append(child)
        elif isinstance(child, Iterable) and not isinstance(child, str):
            _append(element, child)
        elif child is not None:
            _add_text(element, str(child))


def _add_text(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _number(value: object) -> str:
    """A number as short as a picture needs it, and everything else as it is."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
