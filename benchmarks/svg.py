"""The beginning of a picture as SVG."""

from __future__ import annotations

INK, GREY, BLUE = "#1a1a1a", "#595959", "#1f5c99"


def begun(title: str, width: int, height: int, *, size: int) -> list[str]:
    """The first lines of a picture on white, in pixels. `title`: for people who do not see it. `size`: of its text."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        f' font-family="sans-serif" font-size="{size}">',
        f"<title>{title}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
