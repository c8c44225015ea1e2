"""What an MR image is weighted by, from how it was made: echo, repetition, inversion, pulses.

Names of series are asked only for what the timing cannot tell: fat suppression and contrast agent.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from calcinosis.errors import NotReadableError
from calcinosis.read import dicom
from calcinosis.read.ct_image import NO_AGENT, told_of_contrast

if TYPE_CHECKING:
    from pydicom import Dataset

Weighting = Literal["T1", "T2", "PD"]

# Where spin echoes are parted, as protocols of the limbs and the pelvis keep them: named
# parameters. T1 of muscle is 1.1 to 1.4 s, T2 of it 32 to 35 ms (doi:10.2214/ajr.183.2.1830343).
T1_LONGEST_TR_MS, T1_LONGEST_TE_MS = 1200.0, 35.0
LONG_TR_MS, T2_SHORTEST_TE_MS = 1500.0, 60.0
# Inversion nulls fat at ln 2 of its T1 (288 ms at 1.5 T, 371 ms at 3 T, same source), and fluid
# (T1 of seconds) far later.
FAT_NULLED_MS, FLUID_NULLED_MS = 300.0, 1500.0
MUSCLE_T1_MS = 1130.0  # at 1.5 T, same source: its Ernst angle parts gradient echoes

# Values of Image Type and Frame Type (PS3.3 C.8.13.3.1.1) that are no plain image of the body.
_OTHERS = {
    "LOCALIZER": "a localizer",
    "DIFFUSION": "diffusion",
    "ADC": "diffusion",
    "TRACEW": "diffusion",
    "FA": "diffusion",
    "PERFUSION": "perfusion",
    "SUBTRACTION": "a subtraction",
    "SUB": "a subtraction",
    "MIP": "a projection",
    "MAX_IP": "a projection",
    "PHASE": "phase",
    "P": "phase",
    "VELOCITY": "velocity",
    "REAL": "a part of the complex signal",
    "R": "a part of the complex signal",
    "IMAGINARY": "a part of the complex signal",
    "I": "a part of the complex signal",
    "T1 MAP": "a map",
    "T2 MAP": "a map",
    "T2_STAR MAP": "a map",
    "FAT": "fat alone",
    "F": "fat alone",
    "OP": "fat against water",
    "OUT_PHASE": "fat against water",
    "OPP_PHASE": "fat against water",
}
_WATER_ALONE = {"W", "WATER"}
_FAT_SUPPRESSED = {"FS", "FATSAT", "FAT_SAT", "SPIR", "SPAIR"}  # of Scan Options; FS is the term
_FAT_WORDS = re.compile(
    r"\bfs\b|fat[ -]?sat|\bfatsup|\bspa?ir\b|\bstir\b|\btirm\b|\bdixon w|\bwater\b|\bwe\b",
    re.IGNORECASE,
)
_AGENT_WORDS = re.compile(r"\bgad|\bgd\b|\bpost\b|\+ ?c\b|\+ ?gd\b|\bkm\b|\bce\b", re.IGNORECASE)
_BEFORE_WORDS = re.compile(r"\bpre\b|\bnative?\b|\bw/?o\b", re.IGNORECASE)
_CONTRASTS: dict[str, Weighting] = {"T1": "T1", "T2": "T2", "PROTON_DENSITY": "PD", "STIR": "T2"}


@dataclass(frozen=True, slots=True)
class Protocol:
    """How an image was made; None or empty where its header does not say.

    Attributes:
        pulses: SE, IR, GR, EP, as Scanning Sequence has them.
        balanced: a steady state that is not spoiled.
        acquired: Acquisition Contrast of an enhanced image.
        fat_suppressed: by its pulses, as water alone, or by its name; by inversion see `weighed`.
        agent: whether contrast agent had been given.
    """

    echo_ms: float | None
    repetition_ms: float | None
    inversion_ms: float | None
    flip_deg: float | None
    pulses: frozenset[str]
    balanced: bool
    kind: frozenset[str]
    acquired: str
    fat_suppressed: bool
    agent: bool | None


@dataclass(frozen=True, slots=True)
class Weighing:
    """What an image is weighted by, and why.

    Attributes:
        weighting: None where it cannot be told, or is of no use here.
        fat_suppressed: whether fat is dark by intent.
        spin_echo: else gradient echoes.
        because: in words.
    """

    weighting: Weighting | None
    fat_suppressed: bool
    spin_echo: bool
    because: str


def protocol_of(path: Path, header: "Dataset", frame: int = 0) -> Protocol:
    """Read how one frame was made; what is said wrongly counts as not said."""
    modifier = dicom.functional_group(header, frame, "MRModifierSequence")
    timing = dicom.functional_group(header, frame, "MRTimingAndRelatedParametersSequence")
    echo = dicom.functional_group(header, frame, "MREchoSequence")
    frame_type = dicom.functional_group(header, frame, "MRImageFrameTypeSequence")
    kind = f"{_text(path, header, 'ImageType')} {_text(path, frame_type, 'FrameType')}"
    named = _text(path, header, "SeriesDescription").replace("_", " ")
    options = set(_text(path, header, "ScanOptions").split())
    suppressed = _text(path, modifier, "SpectrallySelectedSuppression")
    water = bool(set(kind.split()) & _WATER_ALONE)
    return Protocol(
        echo_ms=_number(path, header, "EchoTime") or _number(path, echo, "EffectiveEchoTime"),
        repetition_ms=_number(path, timing, "RepetitionTime"),
        inversion_ms=_number(path, modifier, "InversionTimes")
        or _number(path, header, "InversionTime"),
        flip_deg=_number(path, timing, "FlipAngle"),
        pulses=_pulses(path, header),
        balanced=_balanced(path, header, modifier),
        kind=frozenset(t for t in _OTHERS if t in (kind.split() if " " not in t else kind)),
        acquired=_text(path, frame_type, "AcquisitionContrast"),
        fat_suppressed=bool(
            options & _FAT_SUPPRESSED or "FAT" in suppressed or water or _FAT_WORDS.search(named)
        ),
        agent=_agent(path, header, named),
    )


def weighed(protocol: Protocol) -> Weighing:
    """What the image is weighted by."""
    spin_echo = "GR" not in protocol.pulses
    weighting, why = _weighting(protocol)
    nulled = protocol.inversion_ms is not None and protocol.inversion_ms <= FAT_NULLED_MS
    suppressed = protocol.fat_suppressed or (spin_echo and nulled)
    words = [_pulses_in_words(protocol), *_timing_in_words(protocol)]
    if weighting:
        words.append(f"{weighting}-weighted")
        words += ["fat suppressed"] * suppressed
        words += ["after contrast agent"] * (protocol.agent is True)
    else:
        words.append(why)
    return Weighing(weighting, suppressed, spin_echo, ", ".join(filter(None, words)))


def _weighting(protocol: Protocol) -> tuple[Weighting | None, str]:
    """The weighting, or why there is none."""
    other = next((_OTHERS[term] for term in _OTHERS if term in protocol.kind), "")
    if other or "EP" in protocol.pulses:
        return None, other or "echo-planar (diffusion, perfusion)"
    if protocol.echo_ms is None or protocol.repetition_ms is None:
        told = _CONTRASTS.get(protocol.acquired)
        return told, "" if told else "echo and repetition time are not told"
    if protocol.inversion_ms is not None and protocol.inversion_ms >= FLUID_NULLED_MS:
        return None, "fluid is nulled (FLAIR)"
    if "GR" in protocol.pulses:
        return _of_gradient_echo(protocol, protocol.repetition_ms)
    found = _of_spin_echo(protocol.echo_ms, protocol.repetition_ms, protocol.inversion_ms)
    return found, "" if found else "neither T1 nor T2 rules"


def _of_spin_echo(
    echo_ms: float, repetition_ms: float, inversion_ms: float | None
) -> Weighting | None:
    if inversion_ms is not None and inversion_ms <= FAT_NULLED_MS:
        return "T2"
    short = echo_ms <= T1_LONGEST_TE_MS
    if short and (inversion_ms is not None or repetition_ms <= T1_LONGEST_TR_MS):
        return "T1"
    if inversion_ms is not None or repetition_ms < LONG_TR_MS:
        return None
    return "T2" if echo_ms >= T2_SHORTEST_TE_MS else "PD"


def _of_gradient_echo(protocol: Protocol, repetition: float) -> tuple[Weighting | None, str]:
    """T1 where the flip is beyond the Ernst angle of muscle, or after an inversion."""
    if protocol.balanced:
        return None, "a balanced steady state"
    if protocol.inversion_ms is not None:
        return "T1", ""
    ernst_deg = math.degrees(math.acos(math.exp(-repetition / MUSCLE_T1_MS)))
    echo = protocol.echo_ms or 0.0
    if protocol.flip_deg is None or protocol.flip_deg < ernst_deg or echo > T1_LONGEST_TE_MS / 2:
        return None, "a gradient echo without T1 weighting, in which calcium looks too large"
    return "T1", ""


def _pulses_in_words(protocol: Protocol) -> str:
    if "GR" in protocol.pulses:
        return "gradient echo"
    if protocol.inversion_ms is not None:
        return "inversion recovery"
    return "spin echo" if protocol.pulses else ""


def _timing_in_words(protocol: Protocol) -> list[str]:
    told = (
        ("TR", protocol.repetition_ms, "ms"),
        ("TE", protocol.echo_ms, "ms"),
        ("TI", protocol.inversion_ms, "ms"),
        ("flip", protocol.flip_deg if "GR" in protocol.pulses else None, "°"),
    )
    return [
        f"{name} {value:.0f}{'' if unit == '°' else ' '}{unit}"
        for name, value, unit in told
        if value is not None
    ]


def _pulses(path: Path, header: "Dataset") -> frozenset[str]:
    """As Scanning Sequence has them, or what an enhanced image says in its place."""
    told = set(_text(path, header, "ScanningSequence").split())
    if not told:
        echo = _text(path, header, "EchoPulseSequence")
        told |= {"SPIN": {"SE"}, "GRADIENT": {"GR"}, "BOTH": {"SE", "GR"}}.get(echo, set())
        if _text(path, header, "EchoPlanarPulseSequence") == "YES":
            told.add("EP")
    if {"SE", "GR"} <= told:  # gradient and spin echoes: the spin echo rules contrast
        told.discard("GR")
    return frozenset(told)


def _balanced(path: Path, header: "Dataset", modifier: "Dataset") -> bool:
    variant = set(_text(path, header, "SequenceVariant").split())
    steady = _text(path, header, "SteadyStatePulseSequence")
    spoiled = "SP" in variant or _text(path, modifier, "Spoiling") not in ("", "NONE")
    return not spoiled and ("SS" in variant or steady not in ("", "NONE"))


def _agent(path: Path, header: "Dataset", named: str) -> bool | None:
    """By the name of the series, then by the agent; None where nothing is said."""
    if told_of_contrast(named) is False or _BEFORE_WORDS.search(named):
        return False
    if _AGENT_WORDS.search(named) or told_of_contrast(named):
        return True
    agent = _text(path, header, "ContrastBolusAgent")
    if agent:
        return agent not in NO_AGENT
    given = header.get("ContrastBolusAgentSequence")
    return True if given else None


def _text(path: Path, header: "Dataset", keyword: str) -> str:
    try:
        return dicom.text(path, header, keyword).upper()
    except NotReadableError:
        return ""


def _number(path: Path, header: "Dataset", keyword: str) -> float | None:
    """A number above zero."""
    try:
        found = dicom.numbers(path, header, keyword, 1)
    except NotReadableError:
        return None
    return found[0] if found and found[0] > 0 else None
