"""The page, from top to bottom."""

import os
from typing import Any

import gradio as gr

from app.services import EXAMPLES_DIR, Services
from app.settings import Settings
from app.tabs.actions import ActionsTab
from app.tabs.actions_api import offer_actions
from app.tabs.api import offer_summary
from app.tabs.events import QUIET, in_browser
from app.tabs.library import LibraryTab
from app.tabs.models import ModelsTab
from app.tabs.search import SearchTab
from app.tabs.search_api import offer_search
from app.tabs.source_bar import Opening, build_source_bar
from app.tabs.summarize import SummarizeTab
from app.tabs.tab import Tab
from app.tabs.triggers import TriggersTab
from app.tabs.triggers_api import offer_triggers
from app.tabs.visitors import limit_visitors
from app.timeline.component import HERE, head
from app.timeline.look import theme
from app.timeline.stage import build_stage, stopped

WORK = "work"  # what takes long waits for its turn
HEADER = """
<div class="fs-title"><h1>Framescry</h1>
<p>See what matters in a video, and find any moment of it in words.</p></div>"""


def build_demo(services: Services) -> gr.Blocks:
    """Everything a person sees; `launch_options` has what Gradio takes at launch."""
    settings = services.settings
    # On the disk of the store, so that taking an upload in is a link and not a second copy.
    os.environ.setdefault("GRADIO_TEMP_DIR", str(settings.data_dir / "uploads"))
    limits = {"concurrency_limit": settings.concurrency, "concurrency_id": WORK}
    page = gr.Blocks(
        title="Framescry",
        analytics_enabled=False,
        delete_cache=(min(3600, max(1, settings.file_age_s)), settings.file_age_s),
    )
    with page:
        video = gr.State(None)
        with gr.Row(elem_id="top"):
            gr.HTML(HEADER, apply_default_css=False)
            theme_button = gr.Button("Light / dark", elem_id="theme", size="sm")
        bar = build_source_bar(services)
        with gr.Row(elem_id="workspace"):
            stage = build_stage()
            with (
                gr.Column(scale=5, min_width=320, elem_id="results"),
                gr.Tabs(elem_id="tabs"),
            ):
                tabs: list[Tab] = [
                    SummarizeTab(services, stage, video),
                    SearchTab(services, stage, video),
                    ActionsTab(services, stage, video),
                    TriggersTab(services, stage, video),
                    *(library := [LibraryTab(services)] if services.library.is_on else []),
                    ModelsTab(services, stage),
                ]
        offer_summary(services, limits)
        offer_search(services, limits)
        offer_actions(services, limits)
        offer_triggers(services, limits)

        cleared = {piece: empty for tab in tabs for piece, empty in tab.cleared.items()}
        picks = [pick for tab in library for pick in tab.picks]
        opening = Opening(services, bar, stage, video, cleared, picks)
        asking = [work for tab in tabs for work in tab.connect(limits)]
        works = [*opening.connect(limits, instead_of=asking), *asking]
        stage.cancel.click(
            lambda: (stopped(), None), None, [stage.status, bar.upload],
            cancels=works, queue=False, **QUIET,
        )  # fmt: skip
        for tab in tabs:
            tab.tab.select(**in_browser(f"tabOpened('{tab.name}')"))
        theme_button.click(**in_browser("toggleTheme()"))

        page.load(**in_browser("openAskedTab()"))
        page.load(opening.guarded_load(), bar.remembered, opening.outputs, **QUIET)
    limit_visitors(page, WORK, settings.asks_an_hour)
    page.queue(max_size=settings.queue_length or None)
    return page


def launch_options(settings: Settings) -> dict[str, Any]:
    """What `Blocks.launch` is called with: address, limits, look, and the folders it may serve."""
    for folder in (settings.media_dir, settings.export_dir):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "server_name": settings.host,
        "server_port": settings.port,
        "max_file_size": f"{settings.max_upload_mb}mb",
        "allowed_paths": [
            str(folder) for folder in (settings.media_dir, settings.export_dir, EXAMPLES_DIR)
        ],
        "mcp_server": settings.mcp,
        "ssr_mode": False,  # a Space may ask for it; the page is made in the browser
        # Gradio would ask itself for the page, and end where that takes 3 s on a busy machine.
        "_frontend": False,
        "show_error": True,
        "footer_links": ["api"],
        "favicon_path": HERE / "icon.svg",
        "theme": theme(),
        "head": head(),
    }
