"""Whatever is wrong with the input: status 2, one line that says what, and nothing written."""

import re
import resource
import subprocess
import sys
import zipfile
import zlib

import nibabel as nib
import nrrd
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from calcinosis import cli
from dicom_series import body, ct_series, enhanced, save

CASES = {}


def bad(expected, *options):
    """Register a broken input: a function that makes it and returns its path."""

    def register(make):
        CASES[make.__name__] = (make, expected, options)
        return make

    return register


def changed(folder, index=2, **tags):
    """A series of which one slice has other tags; None removes a tag."""
    datasets = ct_series()
    for keyword, value in tags.items():
        if value is None:
            delattr(datasets[index], keyword)
        else:
            setattr(datasets[index], keyword, value)
    return save(datasets, folder)


# ------------------------------------------------------------------ what is pointed at


@bad(r"nowhere: there is no such file or folder")
def missing_path(folder):
    return folder / "nowhere"


@bad(r"no CT image found; expected a CT series, found no file")
def empty_folder(folder):
    return folder


@bad(r"no CT image found; expected a CT series, found not DICOM \(2\)")
def folder_of_other_files(folder):
    (folder / "letter.txt").write_text("Dear colleague")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 300)
    return folder


@bad(r"found not DICOM \(1\)")
def a_text_file(folder):
    (folder / "notes.txt").write_text("08/15")
    return folder / "notes.txt"


@bad(r"found not DICOM \(1\)")
def an_empty_file(folder):
    (folder / "scan").touch()
    return folder / "scan"


@bad(r"found NIfTI \(1\)")
def folder_of_nifti(folder):
    nib.save(nib.Nifti1Image(body(), np.eye(4)), folder / "ct.nii.gz")
    return folder


@bad(r"slice001\.dcm: the series has 1 slice; expected at least 3")
def one_slice_of_a_series(folder):
    return save(ct_series(), folder) / "slice001.dcm"


@bad(
    r"series 1\.2\.3 is not among the CT series of the input; expected 1\.2\.826",
    "--series",
    "1.2.3",
)
def unknown_series(folder):
    return save(ct_series(), folder)


@bad(
    r"patient position 'STANDING' is unknown; expected one of HFS", "--patient-position", "STANDING"
)
def unknown_position(folder):
    return save(ct_series(), folder)


@bad(r"has no DICOM series", "--series", "1.2.3")
def series_of_a_nifti(folder):
    nib.save(nib.Nifti1Image(body(), np.eye(4)), folder / "ct.nii")
    return folder / "ct.nii"


# ------------------------------------------------------------------ not a CT


@bad(r"expected a CT series, found MR \(6\)")
def magnetic_resonance(folder):
    return save(ct_series(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), folder)


@bad(r"expected a CT series, found PT \(6\)")
def positron_emission(folder):
    return save(ct_series(Modality="PT", SOPClassUID="1.2.840.10008.5.1.4.1.1.128"), folder)


@bad(r"expected a CT series, found CT \(6\)")
def screen_captures_of_a_ct(folder):
    return save(ct_series(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), folder)


@bad(r"only scout images found; expected CT slices")
def scouts_only(folder):
    return save(ct_series(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), folder)


@bad(r"RescaleType is Z_EFF; expected HU")
def effective_atomic_numbers(folder):
    return save(ct_series(RescaleType="Z_EFF"), folder)


@bad(r"slice001\.dcm: a material map \(MAT_SPECIFIC\); expected Hounsfield units")
def iodine_map(folder):
    return save(ct_series(ImageType=["DERIVED", "PRIMARY", "AXIAL", "MAT_SPECIFIC"]), folder)


@bad(r"slice001\.dcm: a projection or rendering \(MIP\); expected slices")
def maximum_intensity_projection(folder):
    return save(ct_series(ImageType=["DERIVED", "SECONDARY", "AXIAL", "MIP"]), folder)


@bad(r"series 2: only scout images; expected CT slices", "--series", "1.2.3")
def a_scout_asked_for_by_its_uid(folder):
    save(ct_series(), folder / "slices")
    scout = ct_series(body((1, 60, 20)), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    scout[0].SeriesInstanceUID = "1.2.3"
    save(scout, folder / "scout")
    return folder


@bad(r"slice004\.dcm: is of another patient than slice001\.dcm; expected one patient in series 2$")
def two_patients_without_number(folder):
    datasets = ct_series(PatientID="")
    for dataset in datasets[3:]:
        dataset.PatientName = "Roe^Richard"
    return save(datasets, folder)


@bad(r"slice003\.dcm: RescaleSlope is missing; expected 1 number")
def no_rescale_slope(folder):
    return changed(folder, RescaleSlope=None)


@bad(r"slice003\.dcm: the values run from .*; expected Hounsfield units, where fat is")
def one_slice_without_its_intercept(folder):
    return changed(folder, RescaleIntercept=0)


@bad(r"slice003\.dcm: RescaleSlope is 0; expected another number")
def zero_rescale_slope(folder):
    return changed(folder, RescaleSlope=0)


@bad(r"series 2: the values run from \d+ to \d+; expected Hounsfield units")
def stored_values_taken_for_units(folder):
    return save(ct_series(body() + 1024, intercept=0), folder)


@bad(r"series 2: the values run from .*expected Hounsfield units, where soft tissue")
def offset_applied_twice(folder):
    return save(ct_series(np.full((6, 24, 28), -974) + body() // 50, intercept=-8192), folder)


@bad(r"series 2: every voxel is air")
def nothing_but_air(folder):
    return save(ct_series(np.full((6, 24, 28), -1024)), folder)


@bad(r"slice001\.dcm: a colour image; expected one value per pixel")
def colour_slices(folder):
    datasets = ct_series()
    for dataset in datasets:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.PlanarConfiguration = 0
        dataset.PixelData *= 3
    return save(datasets, folder)


# ------------------------------------------------------------------ slices that make no volume


@bad(r"the series has 2 slices; expected at least 3 contiguous ones")
def two_slices(folder):
    return save(ct_series(body()[:2]), folder)


@bad(
    r"missing between slice002\.dcm \(-98\.00 mm\) and slice003\.dcm .*gap of 4\.00 mm, expected 2"
)
def a_missing_slice(folder):
    datasets = ct_series()
    del datasets[2]
    return save(datasets, folder)


@bad(r"a slice is missing between slice002\.dcm")
def every_second_slice_missing_for_a_while(folder):
    datasets = ct_series(body((12, 24, 28)))
    return save([datasets[index] for index in (0, 1, 3, 5, 7, 8, 9, 10, 11)], folder)


@bad(r"slice004\.dcm: is of another patient than slice001\.dcm; expected one patient in series 2$")
def slices_of_two_patients_in_one_series(folder):
    series = ct_series()
    for dataset in series[3:]:
        dataset.PatientID = "4712"
    return save(series, folder)


@bad(r"copy\.dcm: lies 0\.00 mm from slice003\.dcm|slice003\.dcm: lies 0\.00 mm from copy\.dcm")
def two_images_under_one_uid(folder):
    series = ct_series()
    save(series, folder)
    series[2].PixelData = series[3].PixelData  # another image under the same UID
    series[2].save_as(folder / "copy.dcm")
    return folder


@bad(r"12 slices lie at 6 positions, as those of several phases .* nothing .* tells these apart;")
def two_phases_in_one_series_that_nothing_tells_apart(folder):
    first, second = ct_series(), ct_series(body() + 1)
    for dataset in second:
        dataset.SeriesInstanceUID = first[0].SeriesInstanceUID
    return save(first + second, folder)


@bad(r"slice002\.dcm: lies 12\.50 mm from slice001\.dcm; expected at most 10 mm")
def slices_far_apart(folder):
    return save(ct_series(spacing_mm=(12.5, 1, 1)), folder)


@bad(r"slice003\.dcm: the slice has 12×28 pixels; expected 24×28 as in slice001\.dcm")
def mixed_matrices(folder):
    datasets = ct_series()
    datasets[2].Rows = 12
    datasets[2].PixelData = datasets[2].PixelData[: 12 * 28 * 2]
    return save(datasets, folder)


@bad(r"slice003\.dcm: PixelSpacing is \(0\.5, 0\.5\) mm; expected \(1\.0, 1\.0\) mm")
def mixed_pixel_spacing(folder):
    return changed(folder, PixelSpacing=[0.5, 0.5])


@bad(r"slice003\.dcm: ImageOrientationPatient is .*expected .* as in slice001\.dcm")
def mixed_orientation(folder):
    return changed(folder, ImageOrientationPatient=[1, 0, 0, 0, 0.9397, 0.3420])


@bad(r"slice003\.dcm: PatientPosition is 'HFP'; expected 'HFS'")
def mixed_patient_position(folder):
    return changed(folder, PatientPosition="HFP")


@bad(r"slice003\.dcm: the slice lies 9\.00 mm sideways")
def a_slice_out_of_line(folder):
    return changed(folder, ImagePositionPatient=[-5, -12, -96])


@bad(r"aslant of their normal; expected at most 45°")
def slices_sliding_away(folder):
    positions = [(-14, -12 + 5 * index, 2 * index) for index in range(6)]
    return save(ct_series(positions=positions), folder)


@bad(r"slice003\.dcm: ImagePositionPatient is missing; expected 3 numbers")
def no_position(folder):
    return changed(folder, ImagePositionPatient=None)


@bad(r"slice003\.dcm: ImageOrientationPatient is missing; expected 6 numbers")
def no_orientation(folder):
    return changed(folder, ImageOrientationPatient=None)


@bad(r"slice001\.dcm: ImageOrientationPatient is .*expected two perpendicular unit vectors")
def orientation_of_no_plane(folder):
    return save(ct_series(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), folder)


@bad(r"slice003\.dcm: ImagePositionPatient is \[1\.0, 2\.0\]; expected 3 numbers")
def position_of_two_numbers(folder):
    return changed(folder, ImagePositionPatient=[1, 2])


@bad(r"slice003\.dcm: PixelSpacing is \(0\.0, 0\.0\); expected 0\.01 to 20 mm")
def no_pixel_size(folder):
    return changed(folder, PixelSpacing=[0, 0])


@bad(r"enhanced\.dcm frame 3: ImagePositionPatient is missing")
def enhanced_frame_without_place(folder):
    whole = enhanced(ct_series())
    del whole.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    whole.save_as(folder / "enhanced.dcm", enforce_file_format=True)
    return folder


@bad(r"enhanced\.dcm frame \d: lies 0\.00 mm from enhanced\.dcm frame \d")
def enhanced_frames_at_one_place(folder):
    whole = enhanced(ct_series(positions=[(0, 0, 0)] * 6))
    whole.save_as(folder / "enhanced.dcm", enforce_file_format=True)
    return folder


# ------------------------------------------------------------------ damaged DICOM


def cut(folder, keep):
    path = save(ct_series(), folder) / "slice004.dcm"
    path.write_bytes(path.read_bytes()[:keep])
    return folder


@bad(r"slice004\.dcm: the file holds \d+ bytes of pixels; expected 1344")
def cut_in_the_pixels(folder):
    return cut(folder, -700)


@bad(r"slice004\.dcm: the file ends after 600 bytes without pixels; expected a CT image")
def cut_in_the_header(folder):
    return cut(folder, 600)


@bad(r"slice004\.dcm: 100 bytes without a DICOM header; expected DICOM")
def cut_in_the_preamble(folder):
    return cut(folder, 100)


@bad(r"slice004\.dcm: 0 bytes without a DICOM header; expected DICOM")
def cut_to_nothing(folder):
    return cut(folder, 0)


@bad(r"slice003\.dcm: the file ends after \d+ bytes without pixels")
def no_pixels(folder):
    return changed(folder, PixelData=None)


@bad(r"slice003\.dcm: Rows is missing; expected a whole number")
def no_rows(folder):
    return changed(folder, Rows=None)


@bad(r"slice003\.dcm: Rows is 0; expected 1 to 8192")
def zero_rows(folder):
    return changed(folder, Rows=0)


@bad(r"slice003\.dcm: Columns is 65535; expected 1 to 8192")
def absurd_columns(folder):
    return changed(folder, Columns=65535)


@bad(r"slice003\.dcm: NumberOfFrames is 2000000000; expected 1 to 20000")
def absurd_frames(folder):
    return changed(folder, NumberOfFrames=2_000_000_000)


@bad(r"slice003\.dcm: 8192×8192 pixels × 20000 frames; expected at most 2³¹ voxels")
def absurd_in_all(folder):
    return changed(folder, Rows=8192, Columns=8192, NumberOfFrames=20_000)


@bad(r"slice003\.dcm: BitsAllocated is 12; expected 1, 8, 16 or 32")
def odd_bits(folder):
    return changed(folder, BitsAllocated=12)


@bad(r"slice003\.dcm: BitsStored is 17; expected 1 to 16")
def more_bits_than_allocated(folder):
    return changed(folder, BitsStored=17)


@bad(r"slice003\.dcm: the pixels cannot be decoded")
def unknown_transfer_syntax(folder):
    datasets = ct_series()
    datasets[2].file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    datasets[2].PixelData = encapsulate([b"\0\0\1\xb3" * 50])
    datasets[2]["PixelData"].is_undefined_length = True
    return save(datasets, folder)


@bad(r"slice003\.dcm: the pixels cannot be decoded")
def damaged_jpeg_ls(folder):
    datasets = ct_series()
    datasets[2].compress(JPEGLSLossless)
    datasets[2].PixelData = encapsulate([b"\xff\xd8\xff\xf7" + b"\x55" * 200])
    return save(datasets, folder)


@bad(r"slice003\.dcm: (the pixels cannot be decoded|the DICOM header|cannot be read)")
def compressed_slice_cut_short(folder):
    datasets = ct_series()
    datasets[2].compress(RLELossless)
    path = save(datasets, folder) / "slice003.dcm"
    path.write_bytes(path.read_bytes()[:-300])
    return folder


@bad(r"slice003\.dcm: .*compressed 60000×60000, expected 64×64")
def codestream_bomb(folder):
    datasets = ct_series(body((4, 64, 64)))
    datasets[2].compress(JPEG2000Lossless)
    size = datasets[2].PixelData.index(b"\xff\x4f\xff\x51") + 8
    data = bytearray(datasets[2].PixelData)
    data[size : size + 8] = (60_000).to_bytes(4, "big") * 2
    datasets[2].PixelData = bytes(data)
    return save(datasets, folder)


@bad(r"slice001\.dcm: inflates to more than 512 MiB")
def deflate_bomb(folder):
    (dataset,) = ct_series()[:1]
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save([dataset], folder) / "slice001.dcm"
    head = path.read_bytes()
    start = 144 + int.from_bytes(head[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    chunks = [packer.compress(bytes(1 << 20)) for _ in range(600)]
    path.write_bytes(head[:start] + b"".join(chunks) + packer.flush())
    return folder


# ------------------------------------------------------------------ archives


def zipped(folder, members):
    path = folder / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@bad(r"study\.zip: the zip archive cannot be unpacked")
def zip_cut_short(folder):
    save(ct_series(), folder / "ct")
    path = zipped(folder, [(one.name, one.read_bytes()) for one in (folder / "ct").iterdir()])
    path.write_bytes(path.read_bytes()[:-200])
    return path


@bad(r"no CT image found; expected a CT series, found no file")
def empty_zip(folder):
    return zipped(folder, [])


@bad(r"study\.zip: member '\.\./\.\./evil\.dcm' leaves the archive")
def zip_that_climbs_out(folder):
    return zipped(folder, [("../../evil.dcm", b"x")])


@bad(r"study\.zip: member '/tmp/evil\.dcm' leaves the archive")
def zip_with_an_absolute_name(folder):
    return zipped(folder, [("/tmp/evil.dcm", b"x")])  # noqa: S108 as an attacker would


@bad(r"study\.zip: member 'C:evil\.dcm' leaves the archive")
def zip_onto_another_drive(folder):
    return zipped(folder, [("C:evil.dcm", b"x")])


@bad(r"study\.zip: member 'link' is a link; expected plain files")
def zip_with_a_link(folder):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    return zipped(folder, [(link, b"/etc/passwd")])


@bad(r"study\.zip: would unpack to \d+\.\d GiB from")
def zip_bomb(folder):
    path = zipped(folder, [("a", b"x"), ("b", b"x")])
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\1\2")
    data[place + 24 : place + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    path.write_bytes(data)
    return path


@bad(r"study\.zip: member 'a' is encrypted")
def encrypted_zip(folder):
    path = zipped(folder, [("a", b"secret")])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    return path


# ------------------------------------------------------------------ NIfTI and NRRD


def nifti(folder, values=None, affine=None, name="ct.nii", **header):
    image = nib.Nifti1Image(body() if values is None else values, affine)
    if affine is None:
        image.set_sform(np.eye(4), 1)
    for key, value in header.items():
        image.header[key] = value
    nib.save(image, folder / name)
    return folder / name


@bad(r"ct\.nii\.gz: the NIfTI file cannot be read")
def nifti_cut_short(folder):
    path = nifti(folder, name="ct.nii.gz")
    path.write_bytes(path.read_bytes()[:-800])
    return path


@bad(r"ct\.nii: the NIfTI file cannot be read")
def nifti_of_noise(folder):
    path = folder / "ct.nii"
    path.write_bytes(np.random.default_rng(1).bytes(4000))
    return path


@bad(r"ct\.nii: 30000×30000×30000 voxels; expected at most 2³¹")
def absurd_nifti(folder):
    path = nifti(folder)
    data = bytearray(path.read_bytes())
    data[42:48] = (30_000).to_bytes(2, "little") * 3
    path.write_bytes(data)
    return path


@bad(r"ct\.nii: the image has 4 axes \(6×24×28×5\); expected 3")
def nifti_over_time(folder):
    return nifti(folder, np.stack([body()] * 5, axis=-1))


@bad(r"ct\.nii: the image has 6×24×2 voxels; expected at least 3 along each axis")
def nifti_of_two_slices(folder):
    return nifti(folder, body()[..., :2])


@bad(r"ct\.nii: the values run from .*expected Hounsfield units")
def nifti_of_grey_levels(folder):
    return nifti(folder, np.clip(body() // 8 + 125, 0, 255).astype(np.uint8))


@bad(r"ct\.nii: the values run from 0 to 1; expected Hounsfield units")
def nifti_of_labels(folder):
    return nifti(folder, (body() > 0).astype(np.uint8))


@bad(r"ct\.nii: the voxels measure .* mm; expected 0\.01 to 10 mm")
def nifti_in_metres(folder):
    return nifti(folder, affine=np.diag([0.001, 0.001, 0.002, 1]))


@bad(r"ct\.nii: the values are complex64; expected real numbers")
def complex_nifti(folder):
    return nifti(folder, body().astype(np.complex64))


@bad(r"ct\.nrrd: the space is missing; expected left-posterior-superior")
def nrrd_without_space(folder):
    nrrd.write(str(folder / "ct.nrrd"), body())
    return folder / "ct.nrrd"


def spaced(folder, name="ct.nrrd", **more):
    header = {
        "space": "left-posterior-superior",
        "space directions": np.eye(3),
        "space origin": np.zeros(3),
        **more,
    }
    nrrd.write(str(folder / name), body(), header)
    return folder / name


@bad(r"ct\.nrrd: (the NRRD file cannot be read|\d+ bytes of voxels; expected 8064)")
def nrrd_cut_short(folder):
    path = spaced(folder, encoding="gzip")
    path.write_bytes(path.read_bytes()[:-500])
    return path


@bad(r"ct\.nrrd: 99999×99999×99999 voxels; expected at most 2³¹")
def absurd_nrrd(folder):
    path = spaced(folder, encoding="raw")
    path.write_bytes(path.read_bytes().replace(b"sizes: 6 24 28", b"sizes: 99999 99999 99999"))
    return path


@bad(r"ct\.nrrd: the data file is '/etc/passwd'; expected a file beside the header")
def nrrd_that_reads_elsewhere(folder):
    path = spaced(folder, encoding="raw")
    head = path.read_bytes().split(b"\n\n")[0]
    path.write_bytes(head + b"\ndata file: /etc/passwd\n\n")
    return path


# ------------------------------------------------------------------ the claims


def test_the_table_has_at_least_forty_broken_inputs():
    assert len(CASES) >= 40


def analyze(monkeypatch, capsys, *arguments):
    """Exit status and standard error of the command line, in this process."""
    monkeypatch.setattr(sys, "argv", ["calcinosis", "analyze", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code, capsys.readouterr().err


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    name, tmp_path, monkeypatch, capsys
):
    make, expected, options = CASES[name]
    (tmp_path / "input").mkdir()
    (tmp_path / "output").mkdir()
    path = make(tmp_path / "input")
    (tmp_path / "output" / "report.html").write_text("an earlier report")
    before = contents(tmp_path)
    status, said = analyze(
        monkeypatch, capsys, path, "--output", tmp_path / "output", "--force", "--quiet", *options
    )
    assert status == 2
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("calcinosis: ")
    assert re.search(expected, lines[0]), lines[0]
    assert "Doe" not in said
    assert "4711" not in said
    assert contents(tmp_path) == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["input", "output"]


def at_most_four_gib():
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


@pytest.mark.parametrize(
    "name", ["absurd_in_all", "zip_bomb", "codestream_bomb", "a_missing_slice"]
)
def test_the_command_itself_refuses_without_taking_the_memory(name, tmp_path):
    make, expected, _ = CASES[name]
    (tmp_path / "input").mkdir()
    path = make(tmp_path / "input")
    done = subprocess.run(
        [sys.executable, "-m", "calcinosis", "analyze", path, "--output", tmp_path / "output"],
        capture_output=True, text=True, check=False, preexec_fn=at_most_four_gib,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(expected, done.stderr.strip().splitlines()[-1])
    assert not (tmp_path / "output").exists()
    assert done.stdout == ""
