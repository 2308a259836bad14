"""A summary's second language: what a translator adds to what a writer wrote in English."""

from dataclasses import replace

from bot.cards.latex import readable
from bot.papers import Paper
from bot.summaries.translation.text import Translator
from bot.summary import Summary


async def in_both_languages(summary: Summary, paper: Paper, translator: Translator) -> Summary:
    """The summary with title, TLDR, takeaways and abstract in the translator's language where they are missing.

    What is there already stays. Takeaways are translated all or not at all; what could not be had faithfully stays
    None, and the card its English. LaTeX becomes readable text, as Chinese that was written by hand is. The fields are
    called `*_zh` after the default, and hold whatever language is set.
    """
    takeaways = () if any(takeaway.zh for takeaway in summary.takeaways) else summary.takeaways
    texts = [
        "" if summary.title_zh else paper.title,
        "" if summary.tldr_zh else summary.tldr,
        *(takeaway.en for takeaway in takeaways),
        # Last: its sentences are the others', which are known then.
        "" if summary.abstract_zh else paper.abstract,
    ]
    found = [readable(text) if text else None for text in await translator.translate(texts)]
    title, tldr, *points, abstract = found
    if not any(found):
        return summary
    return replace(
        summary,
        title_zh=summary.title_zh or title,
        tldr_zh=summary.tldr_zh or tldr,
        takeaways=tuple(replace(each, zh=zh) for each, zh in zip(takeaways, points, strict=True))
        if points and all(points)
        else summary.takeaways,
        abstract_zh=summary.abstract_zh or abstract,
        provenance=replace(summary.provenance, translator=translator.name),
    )
