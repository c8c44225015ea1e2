"""Which kind is named for vessel walls, phleboliths, granulomas, metal and contrast in phantoms.

    python benchmarks/other_calcifications.py [FIRST_SEED LAST_SEED]

Each seed draws one body and scanner; each kind is drawn into it alone, so that whatever is found
where the picture differs from the same body without it is of that kind. What is found elsewhere is
counted as `nothing`. Prints, for each kind drawn, how many pieces and mL were called what.
"""

import argparse
from collections import Counter
from dataclasses import replace

import numpy as np

from calcinosis.errors import InputError
from calcinosis.measure.ct import measure_ct
from calcinosis.phantom.decoys import DecoyName
from calcinosis.phantom.patient import PhantomOptions, make_phantom
from calcinosis.volume import Study

DRAWN: dict[DecoyName, str] = {
    "vessel": "vascular",
    "phlebolith": "phlebolith",
    "granuloma": "granuloma",
    "nail": "metal",
    "contrast": "contrast",
    "bowel": "contrast",
    "bladder_contrast": "contrast",
}
CHANGED_HU = 60
CHANGED_SHARE = 0.05  # walls fill little of what is found
ANATOMIES: dict[DecoyName, tuple[str, ...]] = {
    "phlebolith": ("hips", "knees"),
    "bowel": ("hips",),
    "bladder_contrast": ("hips",),
}


def bodies(seeds: range) -> list[PhantomOptions]:
    """One body and scanner a seed, without any mass."""
    result = []
    for seed in seeds:
        rng = np.random.default_rng([13, seed])
        result.append(
            PhantomOptions(
                seed=seed,
                anatomy=str(rng.choice(["hips", "knees", "shoulders", "thorax"])),
                masses=(),
                decoys=(),
                pixel_mm=float(rng.uniform(0.7, 1.3)),
                slice_spacing_mm=float(rng.uniform(0.8, 3.2)),
                noise_hu=float(rng.uniform(10, 30)),
                kernel=str(rng.choice(["soft", "standard", "sharp"])),
            )
        )
    return result


def called(options: PhantomOptions, decoy: DecoyName) -> list[tuple[str, str, float]]:
    """Drawn kind, called kind and mL of everything found in one body with one kind of decoy."""
    quiet = replace(options, noise_hu=0.0)
    with_it = make_phantom(replace(quiet, decoys=(decoy,))).volume.voxels.astype(int)
    changed = with_it - make_phantom(quiet).volume.voxels > CHANGED_HU
    study = Study(make_phantom(replace(options, decoys=(decoy,))).volume)
    found = measure_ct(study)
    result = []
    for other, place in zip(found.other_calcifications, found.other_places, strict=True):
        drawn = changed[place.box][place.mask].mean() > CHANGED_SHARE
        true = DRAWN[decoy] if drawn else "nothing"
        result.append((true, other.kind, other.volume_ml))
    result += [(DRAWN[decoy], "a mass", mass.volume_ml) for mass in found.masses]
    return result


def main() -> None:
    """Draw, measure, count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[200, 212])
    first, last = parser.parse_args().seeds
    pieces: Counter[tuple[str, str]] = Counter()
    volume_ml: Counter[tuple[str, str]] = Counter()
    for options in bodies(range(first, last)):
        for decoy in DRAWN:
            if options.anatomy not in ANATOMIES.get(decoy, (options.anatomy,)):
                continue
            try:
                found = called(options, decoy)
            except InputError:
                continue
            for true, kind, ml in found:
                pieces[true, kind] += 1
                volume_ml[true, kind] += ml
        print(f"seed {options.seed} done", flush=True)
    for true in dict.fromkeys(true for true, _ in pieces):
        row = {
            kind: (n, round(volume_ml[t, kind], 2)) for (t, kind), n in pieces.items() if t == true
        }
        print(true, row)


if __name__ == "__main__":
    main()
