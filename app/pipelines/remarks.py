"""What a person should know about a summary before reading it, in sentences."""

from app.pipelines.comparing import agreement
from app.results import SummaryResult
from models.summary_methods import method_named


def remarks(result: SummaryResult) -> list[str]:
    said = []
    if result.query is not None:
        said.append(
            f"Steered by “{result.query}”: what matches counts more."
            if result.steered
            else f"Nothing here matches “{result.query}” with confidence; "
            "the summary is not steered."
        )
    if result.compared is not None:
        one, other = (method_named(name).label for name in (result.method, result.compared.method))
        steered = ", steered," if result.steered else ""
        said.append(
            f"“{one}”{steered} and “{other}” {agreement(result.compared.tau)} "
            f"(Kendall's tau {result.compared.tau:.2f})."
        )
    return said
