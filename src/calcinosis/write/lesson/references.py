"""The papers behind what is said, numbered in the order they are first cited."""

import re
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from calcinosis.errors import InputError
from calcinosis.explain.knowledge import load_knowledge
from calcinosis.explain.management import load_rulebook

EXPERT = "expert"
_CITED = re.compile(r"\s*\[([a-z0-9_]+(?:, [a-z0-9_]+)*)\]")
_KEY = re.compile(r"\b[a-z_]+\d{4}\b|\b[a-z_]+_pooled\b")
_DOI, _PMID = re.compile(r"doi:(\S+?)(?=[,)]|$)"), re.compile(r"PMID (\d+)")


@dataclass(frozen=True)
class Reference:
    """One paper: its number, citation, and address if it has one."""

    number: int
    text: str
    link: str


@dataclass
class Bibliography:
    """Gathers what is cited."""

    keys: list[str] = field(default_factory=list)

    def cited(self, text: str) -> Markup:
        """Plain text as HTML, each ``[key, key]`` a link to its reference.

        Raises:
            InputError: a key that no source of the knowledge has.
        """
        return Markup(_CITED.sub(lambda found: self._marks(found[1].split(", ")), escape(text)))  # noqa: S704 - escaped

    def of_evidence(self, source: str) -> Markup:
        """Where a weight is from, the keys of papers replaced by their numbers."""
        known = load_knowledge().sources
        return Markup(  # noqa: S704 - escaped
            _KEY.sub(
                lambda found: self._link(found[0]) if found[0] in known else found[0],
                str(escape(source)),
            )
        )

    def of_option(self, citations: tuple[str, ...]) -> Markup:
        """The sources of an option of the plan, by number."""
        keys = {text: key for key, text in load_rulebook().sources.items()}
        return Markup(self._marks([keys[text] for text in citations]))  # noqa: S704 - numbers

    def references(self) -> list[Reference]:
        """All that was cited, in order."""
        return [Reference(number, *_told(key)) for number, key in enumerate(self.keys, start=1)]

    def _marks(self, keys: list[str]) -> str:
        links = [self._link(key) for key in keys if key != EXPERT]
        links += ["expert opinion"] if EXPERT in keys else []
        return f'<sup class="cite">{", ".join(links)}</sup>'

    def _link(self, key: str) -> str:
        if key not in self.keys:
            _told(key)  # known, or refused
            self.keys.append(key)
        number = self.keys.index(key) + 1
        return f'<a href="#ref-{number}" aria-label="reference {number}">{number}</a>'


def _told(key: str) -> tuple[str, str]:
    """Citation and address of a source."""
    paper, line = load_knowledge().sources.get(key), load_rulebook().sources.get(key)
    if paper:
        pmid = f"https://pubmed.ncbi.nlm.nih.gov/{paper.pmid}/" if paper.pmid else ""
        return paper.citation, f"https://doi.org/{paper.doi}" if paper.doi else pmid
    if line is None:
        raise InputError(f"lesson: no source of the knowledge is named {key!r}")
    doi, pubmed = _DOI.search(line), _PMID.search(line)
    if doi:
        return line, f"https://doi.org/{doi[1]}"
    return line, f"https://pubmed.ncbi.nlm.nih.gov/{pubmed[1]}/" if pubmed else ""
