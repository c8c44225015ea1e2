"""Signs that a report or our own measurement tells: complaints, and what may mean sarcoma."""

from collections.abc import Iterable, Mapping

from calcinosis.explain.circumstance import Circumstance, Named
from calcinosis.finding import Finding


class Signs:
    """Signs by code; one voice that calls a sign present is enough for caution."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._states: dict[str, bool] = {}
        self._values: dict[str, float] = {}
        self._reported: set[str] = set()
        self._denied: set[str] = set()
        self._spoken_of: set[str] = set()
        for finding in findings:
            code, value = finding.code, finding.value
            if finding.origin == "reported" and finding.state != "unknown":
                self._spoken_of.add(code)
            if finding.state == "present":
                self._states[code] = True
                if finding.origin == "reported":
                    self._reported.add(code)
            elif finding.state == "absent":
                self._states.setdefault(code, False)
                self._denied.add(code)
            if value is not None:
                self._values[code] = max(value, self._values.get(code, value))

    def state(self, code: str) -> bool | None:
        """Present, absent, or None where nobody told."""
        return self._states.get(code)

    @property
    def sites(self) -> list[str]:
        """Codes of the sites told."""
        return [code for code in self._states if code.startswith("site_")]

    def any_of(self, *codes: str) -> bool | None:
        """Whether one of several signs is there; absent only where each is."""
        states = [self.state(code) for code in codes]
        return True if True in states else False if all(s is False for s in states) else None

    def is_reported(self, code: str) -> bool:
        """Whether a reader called a sign present: what only we measured does not count."""
        return code in self._reported

    def is_undisputed(self, code: str) -> bool:
        """Whether no voice calls the sign absent."""
        return code not in self._denied

    def is_spoken_of(self, code: str) -> bool:
        """Whether a reader called a sign present or absent: masses we measured only differ."""
        return code in self._spoken_of

    def value(self, code: str) -> float | None:
        """The largest value told, in the unit of the knowledge base."""
        return self._values.get(code)


def complaints(signs: Signs) -> Named:
    """Compression, fever, open skin, stiffness and pain."""
    compression = signs.any_of("nerve_compression", "vascular_compression")
    pressed = [
        name
        for name, code in (("nerve", "nerve_compression"), ("vessel", "vascular_compression"))
        if signs.state(code)
    ]
    text = f"{' and '.join(pressed)} compression" if pressed else "no nerve or vessel compression"
    ask = "examination for nerve and vessel compression"
    yield "compression", Circumstance(compression, text, ask)
    yield "spinal_compression", _spinal_compression(signs)
    for code, present, absent in (
        ("fever", "fever", "no fever"),
        ("skin_ulcer_or_fistula", "skin ulcer or fistula", "skin intact"),
        ("limited_motion", "limited motion", "free motion"),
        ("pain", "pain", "no pain"),
    ):
        state = signs.state(code)
        yield code, Circumstance(state, present if state else absent, f"examination: {present}")
    for code, present in (
        ("nerve_compression", "nerve compression"),
        ("vascular_compression", "vessel compression"),
    ):
        yield code, Circumstance(signs.state(code), present, ask)


def _spinal_compression(signs: Signs) -> Circumstance:
    nerve = signs.state("nerve_compression")
    spinal = any("spine" in site for site in signs.sites) if signs.sites else None
    holds = False if False in (nerve, spinal) else True if nerve and spinal else None
    ask = "site of the mass" if nerve else "examination for nerve and vessel compression"
    return Circumstance(holds, "nerve compression at the spine", ask)


def sarcoma_signs(signs: Signs, thresholds: Mapping[str, float]) -> Named:
    """What must lead to the exclusion of sarcoma, each by itself and together."""
    destruction = _destruction(signs)
    enhancing = Circumstance(
        signs.any_of("enhancing_soft_tissue", "mri_enhancement"),
        "enhancing soft tissue",
        "CT or MRI with contrast",
    )
    growth = _growth(signs, thresholds)
    continuity = Circumstance(
        signs.state("cortical_continuity"),
        "continuity with cortex and medulla",
        "CT (relation to cortex and medulla)",
    )
    yield "bone_destruction_without_fluid_level", destruction
    yield "enhancing_soft_tissue", enhancing
    yield "fast_growth", growth
    yield "cortical_continuity", continuity
    told = (destruction, enhancing, growth, continuity)
    shown = [sign.text for sign in told if sign.holds]
    settled = all(sign.holds is False for sign in told)
    yield (
        "sarcoma_sign",
        Circumstance(
            True if shown else False if settled else None,
            "; ".join(shown) or "no sign of sarcoma",
            "CT, or MRI with contrast",
        ),
    )


def _destruction(signs: Signs) -> Circumstance:
    """Bone destruction; only a fluid level that a reader reported and none denies excuses it."""
    eroded, level = signs.state("bone_erosion"), "fluid_calcium_level"
    if not signs.state(level) and not signs.is_undisputed(level):
        seen = "no fluid level"
    elif not signs.is_undisputed(level):
        of_some = "measured in some masses only, not reported"
        seen = f"fluid level {'disputed' if signs.is_spoken_of(level) else of_some}"
    elif signs.is_reported(level):
        seen = "fluid level reported"
    else:
        measured = "measured, " if signs.state(level) else ""
        seen = f"fluid level {measured}not reported"
    destroyed = eroded and seen != "fluid level reported"
    text = f"bone erosion or osteolysis, {seen}"
    return Circumstance(destroyed, text, "CT (bone, fluid levels)")


def _growth(signs: Signs, thresholds: Mapping[str, float]) -> Circumstance:
    size, months = signs.value("max_diameter_cm"), signs.value("symptom_duration_months")
    if size is None or months is None:
        return Circumstance(None, "growth not known", "diameter now and when first noticed")
    rate = size / max(months, 0.25)
    fast = (
        size >= thresholds["suspicious_diameter_cm"]
        and rate >= thresholds["fast_growth_cm_per_month"]
    )
    return Circumstance(
        fast,
        f"{size:.3g} cm within {months:.3g} month{'' if months == 1 else 's'}",
        "earlier images",
    )
