"""Colours, type and spacing handed to Gradio's own widgets, so that they look like ours."""

import gradio as gr
from gradio.themes.utils.colors import Color
from gradio.themes.utils.fonts import LocalFont

# The wheel's semi-bold Plex lacks the letters; browsers take bold for 600 when it is not declared.
WEIGHTS = (400, 700)
PETROL = Color(
    name="petrol",
    c50="#eef7f7", c100="#d9eeee", c200="#b3dcdd", c300="#86c8ca", c400="#5cc8cc", c500="#1f9299",
    c600="#0b6b72", c700="#0a5a60", c800="#0b494e", c900="#0d3c40", c950="#06282a",
)  # fmt: skip
SLATE = Color(
    name="slate",
    c50="#f6f7f6", c100="#eef1f0", c200="#d9dfdd", c300="#bcc6c5", c400="#8c999f", c500="#66737b",
    c600="#4d5961", c700="#38434a", c800="#232b2f", c900="#191f22", c950="#111517",
)  # fmt: skip


def theme() -> gr.themes.Base:
    """Every colour is one of the names in look.css."""
    return gr.themes.Base(
        primary_hue=PETROL,
        secondary_hue=PETROL,
        neutral_hue=SLATE,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_sm,
        text_size=gr.themes.sizes.text_md,
        font=[LocalFont("IBM Plex Sans", WEIGHTS), "system-ui", "sans-serif"],
        font_mono=[LocalFont("IBM Plex Mono", WEIGHTS), "ui-monospace", "monospace"],
    ).set(
        body_background_fill="var(--ground)",
        body_background_fill_dark="var(--ground)",
        body_text_color="var(--ink)",
        body_text_color_dark="var(--ink)",
        body_text_color_subdued="var(--ink-soft)",
        body_text_color_subdued_dark="var(--ink-soft)",
        background_fill_primary="var(--sheet)",
        background_fill_primary_dark="var(--sheet)",
        background_fill_secondary="var(--ground)",
        background_fill_secondary_dark="var(--ground)",
        border_color_primary="var(--edge)",
        border_color_primary_dark="var(--edge)",
        block_background_fill="var(--sheet)",
        block_background_fill_dark="var(--sheet)",
        block_border_color="var(--edge)",
        block_border_color_dark="var(--edge)",
        block_info_text_color="var(--ink-soft)",
        block_info_text_color_dark="var(--ink-soft)",
        block_label_text_color="var(--ink-soft)",
        block_label_text_color_dark="var(--ink-soft)",
        block_title_text_color="var(--ink)",
        block_title_text_color_dark="var(--ink)",
        block_shadow="none",
        block_shadow_dark="none",
        input_background_fill="var(--sheet)",
        input_background_fill_dark="var(--sheet)",
        input_border_color="var(--edge)",
        input_border_color_dark="var(--edge)",
        input_border_color_focus="var(--accent)",
        input_border_color_focus_dark="var(--accent)",
        input_placeholder_color="var(--ink-soft)",
        input_placeholder_color_dark="var(--ink-soft)",
        input_shadow="none",
        input_shadow_focus="none",
        button_primary_background_fill="var(--accent)",
        button_primary_background_fill_dark="var(--accent)",
        button_primary_background_fill_hover="var(--accent-hover)",
        button_primary_background_fill_hover_dark="var(--accent-hover)",
        button_primary_text_color="var(--accent-ink)",
        button_primary_text_color_dark="var(--accent-ink)",
        button_secondary_background_fill="var(--sheet)",
        button_secondary_background_fill_dark="var(--sheet)",
        button_secondary_background_fill_hover="var(--accent-soft)",
        button_secondary_background_fill_hover_dark="var(--accent-soft)",
        button_secondary_border_color="var(--edge)",
        button_secondary_border_color_dark="var(--edge)",
        button_secondary_text_color="var(--ink)",
        button_secondary_text_color_dark="var(--ink)",
        button_border_width="1px",
        button_primary_shadow="none",
        button_secondary_shadow="none",
        button_transition="background 120ms, border-color 120ms",
        slider_color="var(--accent)",
        slider_color_dark="var(--accent)",
        link_text_color="var(--accent)",
        link_text_color_dark="var(--accent)",
        color_accent="var(--accent)",
        color_accent_soft="var(--accent-soft)",
        color_accent_soft_dark="var(--accent-soft)",
        error_text_color="var(--problem)",
        error_text_color_dark="var(--problem)",
    )  # fmt: skip
