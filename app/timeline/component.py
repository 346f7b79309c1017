"""Pieces of the page that Gradio does not have: a template, a style and a script side by side.

The templates are constant. Gradio runs what a template yields as a JavaScript template literal, so
a `${...}` in somebody's file name would be executed if it were ever put into one; our scripts
receive plain data instead and put text on the page with textContent.
"""

from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent


def component(name: str, value: Any = None, **options: Any) -> gr.HTML:
    """The piece drawn by {name}.html and {name}.js; `value` is any JSON."""
    return gr.HTML(
        value,
        html_template=(HERE / f"{name}.html").read_text(encoding="utf-8"),
        js_on_load=(HERE / f"{name}.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        **options,
    )


def _styles() -> str:
    """The names of colours, then every other style, lifted over those of Gradio's own widgets."""
    names = HERE / "names.css"
    others = sorted(path for path in HERE.glob("*.css") if path != names)
    rules = "\n".join(path.read_text(encoding="utf-8") for path in others)
    return f"{names.read_text(encoding='utf-8')}\n:root:root:root {{\n{rules}\n}}"


def head() -> str:
    """What every piece shares, there before any of them is drawn.

    The styles are not handed over as `css`: Gradio puts its own container before each of those
    selectors, and ours also look at what is above it (the theme, and whether work is going on).
    """
    script = (HERE / "framescry.js").read_text(encoding="utf-8")
    return f"<style>{_styles()}</style><script>{script}</script>"
