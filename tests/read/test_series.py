"""From a mixed bag of files the best unenhanced axial CT is taken, and the reason is told."""

import zipfile

import numpy as np
import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from calcinosis.errors import InputError, NotCtError
from calcinosis.read.ct_image import SHARP_KERNEL, told_of_contrast
from calcinosis.read.study import read_study
from dicom_series import body, ct_series, save


def thick(**tags):
    return ct_series(body()[::2], spacing_mm=(4, 1, 1), SeriesNumber=3, **tags)


def test_the_reason_names_what_was_passed_over_and_why(tmp_path):
    good = ct_series(SeriesNumber=4, ConvolutionKernel="B30f", SeriesDescription="Becken nativ")
    save(good, tmp_path / "a")
    save(ct_series(SeriesNumber=5, ContrastBolusAgent="Iomeron 350"), tmp_path / "b")
    save(thick(), tmp_path / "c")
    scout = ct_series(body()[:1], SeriesNumber=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    save(scout, tmp_path / "d")
    save(ct_series(SeriesNumber=6, ConvolutionKernel="B70f"), tmp_path / "e")
    study = read_study(tmp_path)
    assert study.series_instance_uid == good[0].SeriesInstanceUID
    assert study.chosen_because == (
        "series 4: axial, unenhanced, 6 slices every 2.00 mm, soft kernel B30f; preferred to "
        "series 5 (contrast given); series 3 (slices every 4.00 mm); series 6 (sharp kernel B70f); "
        "series 1 (scout)"
    )


def test_unenhanced_thick_slices_come_before_enhanced_thin_ones(tmp_path):
    save(ct_series(SeriesDescription="Abd portal venous"), tmp_path / "thin")
    chosen = thick(SeriesDescription="Abd without contrast")
    save(chosen, tmp_path / "thick")
    study = read_study(tmp_path)
    assert study.series_instance_uid == chosen[0].SeriesInstanceUID
    assert study.contrast_agent is False


def test_only_contrast_is_measured_with_a_remark(tmp_path):
    study = read_study(save(ct_series(ContrastBolusAgent="Ultravist"), tmp_path))
    assert study.contrast_agent is True
    assert any("Contrast agent was given" in remark for remark in study.remarks)


@pytest.mark.parametrize(
    ("named", "contrast"),
    [
        ({"ProtocolName": "PELVIS W/WO CONTRAST"}, True),
        ({"ProtocolName": "PELVIS W/O CONTRAST"}, True),
        ({"SeriesDescription": "ALTERNATIVE RECON"}, True),
        ({"SeriesDescription": "AXIAL NATIV"}, False),
    ],
)
def test_a_named_contrast_agent_is_believed_unless_the_series_says_it_is_unenhanced(
    tmp_path, named, contrast
):
    series = ct_series(ContrastBolusAgent="OMNIPAQUE 350", **named)
    assert read_study(save(series, tmp_path)).contrast_agent is contrast


def test_a_protocol_without_contrast_tells_where_no_agent_is_named(tmp_path):
    series = ct_series(ProtocolName="Hips without contrast")
    assert read_study(save(series, tmp_path)).contrast_agent is False


def test_a_short_fine_slab_does_not_replace_the_whole_scan(tmp_path):
    whole = ct_series(body((12, 24, 28)), spacing_mm=(2, 1, 1))
    save(whole, tmp_path / "whole")
    save(ct_series(body(), spacing_mm=(1, 1, 1)), tmp_path / "slab")
    assert read_study(tmp_path).series_instance_uid == whole[0].SeriesInstanceUID


def test_thick_slices_close_together_are_no_finer_than_they_are_thick(tmp_path):
    save(ct_series(body((24, 24, 28)), spacing_mm=(1, 1, 1), SliceThickness=5), tmp_path / "slab")
    chosen = ct_series(body((12, 24, 28)), spacing_mm=(2, 1, 1))
    save(chosen, tmp_path / "thin")
    study = read_study(tmp_path)
    assert study.series_instance_uid == chosen[0].SeriesInstanceUID
    assert study.chosen_because.endswith("(slices 5.00 mm thick)")


def test_a_series_with_a_lost_slice_gives_way_to_a_complete_one(tmp_path):
    lossy = ct_series(SeriesNumber=2)
    del lossy[2]
    save(lossy, tmp_path / "lossy")
    chosen = thick()
    save(chosen, tmp_path / "complete")
    study = read_study(tmp_path)
    assert study.series_instance_uid == chosen[0].SeriesInstanceUID
    assert "a slice is missing between" in study.chosen_because


def test_files_that_lie_there_twice_are_read_once_with_a_remark(tmp_path):
    series = ct_series()
    save(series, tmp_path / "once")
    save(series[1:4], tmp_path / "again")
    study = read_study(tmp_path)
    assert study.volume.shape == (6, 24, 28)
    assert "Copies of slices passed over: 3." in study.remarks


def test_the_user_may_choose_the_series(tmp_path):
    save(ct_series(), tmp_path / "fine")
    wanted = thick()
    save(wanted, tmp_path / "thick")
    study = read_study(tmp_path, series_uid=wanted[0].SeriesInstanceUID)
    assert study.volume.shape == (3, 24, 28)
    assert study.chosen_because == "asked for by its UID"
    with pytest.raises(InputError, match=r"series 1\.2\.3 is not among the CT series"):
        read_study(tmp_path, series_uid="1.2.3")


def test_scouts_reports_captures_and_other_files_do_not_disturb(tmp_path):
    save(ct_series(), tmp_path / "deep" / "er")
    save(ct_series(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), tmp_path / "mr")
    capture = ct_series(body()[:1], SOPClassUID=SecondaryCaptureImageStorage)
    save(capture, tmp_path, prefix="dose")
    report = pydicom.Dataset(capture[0])
    report.file_meta = capture[0].file_meta
    del report.PixelData, report.Rows
    report.Modality, report.SOPClassUID = "SR", "1.2.840.10008.5.1.4.1.1.88.67"
    report.save_as(tmp_path / "dose-report", enforce_file_format=True)
    (tmp_path / "README.txt").write_text("hello")
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + b"\0" * 500)
    (tmp_path / "._slice001.dcm").write_bytes(b"\0\5\26\7" + b"\0" * 40)
    (tmp_path / "empty").touch()
    (tmp_path / "broken-link").symlink_to(tmp_path / "nowhere")
    np.testing.assert_array_equal(read_study(tmp_path).volume.voxels, body())


def test_a_scout_inside_the_series_is_left_out(tmp_path):
    datasets = ct_series()
    (scout,) = ct_series(body((1, 60, 20)), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    scout.SeriesInstanceUID = datasets[0].SeriesInstanceUID
    scout.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    np.testing.assert_array_equal(
        read_study(save([*datasets, scout], tmp_path)).volume.voxels, body()
    )


def test_a_series_is_told_by_its_slices_not_by_its_scout(tmp_path):
    datasets = ct_series(KVP=80, ConvolutionKernel="B30f")
    (scout,) = ct_series(
        body((1, 60, 20)), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ConvolutionKernel="B70f"
    )
    scout.SeriesInstanceUID = datasets[0].SeriesInstanceUID
    study = read_study(save([scout, *datasets], tmp_path))
    assert study.tube_voltage_kv == 80
    assert "soft kernel B30f" in study.chosen_because


def test_derived_slices_are_not_taken_for_originals_because_of_their_scout(tmp_path):
    reformats = ct_series(ImageType=["DERIVED", "SECONDARY", "MPR"], SeriesNumber=1)
    (scout,) = ct_series(body((1, 60, 20)), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    scout.SeriesInstanceUID = reformats[0].SeriesInstanceUID
    save([scout, *reformats], tmp_path / "one")
    save(ct_series(SeriesNumber=4), tmp_path / "two")
    because = read_study(tmp_path).chosen_because
    assert because.startswith("series 4:")
    assert "series 1 (derived images)" in because


def test_images_compressed_with_loss_are_remarked(tmp_path):
    remarks = read_study(save(ct_series(LossyImageCompression="01"), tmp_path)).remarks
    assert any("compressed with loss" in said for said in remarks)


def test_a_slice_that_states_no_position_lies_as_the_others(tmp_path):
    datasets = ct_series(PatientPosition="FFP")
    del datasets[0].PatientPosition
    study = read_study(save(datasets, tmp_path))
    assert (study.volume.patient_position, study.remarks) == ("FFP", ())


def test_slices_of_several_frames_of_reference_are_remarked(tmp_path):
    datasets = ct_series(FrameOfReferenceUID="1.2.3")
    datasets[-1].FrameOfReferenceUID = "1.2.4"
    assert any(
        "frames of reference" in said for said in read_study(save(datasets, tmp_path)).remarks
    )


def test_a_zip_reads_like_the_folder(tmp_path):
    folder = save(ct_series(), tmp_path / "study")
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("__MACOSX/._slice001.dcm", b"\0\5\26\7")
        for path in sorted(folder.iterdir(), reverse=True):
            bundle.write(path, f"CT 10:30 Hüfte/{path.name}")
    study = read_study(archive)
    np.testing.assert_array_equal(study.volume.voxels, body())
    kept = study.source_files
    assert [path.name for path in kept] == [f"slice{n:03d}.dcm" for n in range(1, 7)]
    assert all(path.is_file() for path in kept)
    del study
    assert not any(path.exists() for path in kept)


def test_two_studies_in_one_folder_are_remarked(tmp_path):
    save(ct_series(), tmp_path / "one")
    save(thick(StudyInstanceUID=generate_uid()), tmp_path / "two")
    assert any("holds 2 studies" in remark for remark in read_study(tmp_path).remarks)


@pytest.mark.parametrize(("days", "later"), [((2019, 2023), 2), ((2023, 2019), 1)])
def test_of_two_studies_alike_the_later_is_measured_though_it_have_fewer_slices(
    tmp_path, days, later
):
    for number, year in enumerate(days, start=1):
        units = body((6 if number == later else 7, 24, 28))
        series = ct_series(units, StudyDate=f"{year}0301", SeriesNumber=number)
        save(series, tmp_path / str(number))
    because = read_study(tmp_path).chosen_because
    assert because.startswith(f"series {later}:")
    assert because.endswith(f"series {3 - later} (an earlier study)")


def test_two_patients_in_one_folder_are_remarked(tmp_path):
    save(ct_series(), tmp_path / "one")
    save(thick(PatientID="0815"), tmp_path / "two")
    assert any("images of 2 patients" in remark for remark in read_study(tmp_path).remarks)


def test_the_directory_of_a_disc_stands_for_the_disc(tmp_path):
    save(ct_series(), tmp_path / "IMAGES")
    directory = tmp_path / "DICOMDIR"
    directory.write_bytes(b"\0" * 128 + b"DICM")
    np.testing.assert_array_equal(read_study(directory).volume.voxels, body())


def test_links_to_folders_are_followed_once(tmp_path):
    save(ct_series(), tmp_path / "archive")
    linked = tmp_path / "study"
    linked.mkdir()
    (linked / "series").symlink_to(tmp_path / "archive")
    (linked / "again").symlink_to(tmp_path / "archive")
    (linked / "round").symlink_to(linked)
    study = read_study(linked)
    assert len(study.source_files) == 6
    assert study.remarks == read_study(tmp_path / "archive").remarks


def test_an_archive_in_the_folder_is_named_as_what_was_found(tmp_path):
    (tmp_path / "study.zip").write_bytes(b"PK\3\4")
    with pytest.raises(NotCtError, match=r"found an archive, to be unpacked first \(1\)"):
        read_study(tmp_path)


def test_progress_runs_from_the_first_file_to_done(tmp_path):
    seen = []
    read_study(save(ct_series(), tmp_path), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) > 10


def test_a_stated_position_is_overruled_on_request_and_said(tmp_path):
    study = read_study(save(ct_series(), tmp_path), patient_position="hfp")
    assert study.volume.patient_position == "HFP"
    assert "Patient position HFP as asked, not HFS." in study.remarks


def test_material_maps_of_a_dual_energy_scan_are_no_hounsfield_units(tmp_path):
    with pytest.raises(NotCtError, match="RescaleType is Z_EFF; expected HU"):
        read_study(save(ct_series(RescaleType="Z_EFF"), tmp_path))


ORIGINAL = ["ORIGINAL", "PRIMARY", "AXIAL"]
OTHER_ENERGIES = [
    {"RescaleType": "HU_MOD"},
    {"ImageType": [*ORIGINAL, "VMI"]},
    {"ImageType": [*ORIGINAL, "MAT_REMOVED"]},
    {"SeriesDescription": "DE_Virtual Non Contrast 3.0"},
    {"SeriesDescription": "VNC 1.5 Qr40"},
    {"SeriesDescription": "MonoE 40keV"},
    {"SeriesDescription": "MONO+ 55"},
    {"SeriesDescription": "HAP(Water)"},
    {"SeriesDescription": "DE_Iodine"},
    {"SeriesDescription": "Becken virtuell nativ"},
    {"SeriesDescription": "Mono 70"},
    {"SeriesDescription": "monoénergétique 60"},
    {"SeriesDescription": "Z Effective"},
]


@pytest.mark.parametrize("tags", OTHER_ENERGIES)
def test_images_computed_from_two_energies_give_way_to_a_plain_ct_with_contrast(tmp_path, tags):
    save(ct_series(SeriesNumber=1, **tags), tmp_path / "computed")
    save(ct_series(SeriesNumber=2, SeriesDescription="Hip mit KM"), tmp_path / "scanned")
    study = read_study(tmp_path)
    assert study.chosen_because.startswith("series 2:")
    assert "series 1 (computed from two energies)" in study.chosen_because
    assert study.tube_voltage_kv == 120


@pytest.mark.parametrize("tags", OTHER_ENERGIES)
def test_images_of_two_energies_alone_are_measured_with_a_remark_and_no_voltage(tmp_path, tags):
    study = read_study(save(ct_series(**tags), tmp_path))
    assert any("computed from two energies" in remark for remark in study.remarks)
    assert study.tube_voltage_kv is None


@pytest.mark.parametrize(
    ("described", "energy_kev"),
    [
        ("MonoE 40keV", 40),
        ("Mono+ 1.0 Br40 70keV", 70),
        ("Monoenergetic Plus 190 keV", 190),
        ("MONO+ 55", 55),
        ("monoénergétique_60", 60),
        ("GSI Mono 70.0 keV", 70),
        ("Mono+ 1.5 mm", None),
        ("VNC 70 keV 512", 70),
        ("Virtual Non Contrast 3.0", None),
        ("hip 120kV 70keV", 70),
        ("Monoenergetic 10 keV", None),
    ],
)
def test_the_energy_of_monoenergetic_images_is_read_from_their_description(
    tmp_path, described, energy_kev
):
    study = read_study(save(ct_series(SeriesDescription=described), tmp_path))
    assert study.photon_energy_kev == energy_kev


@pytest.mark.parametrize("stated", [0, 120_000, [100, 140]])
def test_a_tube_voltage_that_cannot_be_one_counts_as_not_stated(tmp_path, stated):
    assert read_study(save(ct_series(KVP=stated), tmp_path)).tube_voltage_kv is None


@pytest.mark.parametrize(
    ("tags", "tin"),
    [
        ({"KVP": 100, "FilterMaterial": ["ALUMINUM", "TIN"]}, True),
        ({"KVP": 100, "SeriesDescription": "Hip Sn100 1.0 Br40"}, True),
        ({"KVP": 150, "ProtocolName": "Becken_Sn150_nativ"}, True),
        ({"KVP": 100, "SeriesDescription": "Hip 100kV Sn"}, True),
        ({"KVP": 100, "SeriesDescription": "DE hip 100/Sn150"}, False),
        ({"KVP": 150, "SeriesDescription": "DE hip 100/Sn150"}, True),
        ({"KVP": 120, "FilterType": "WEDGE_3", "SeriesDescription": "Hip 1.0"}, False),
    ],
)
def test_a_tin_filter_is_known_by_its_material_or_by_the_name_of_the_voltage(tmp_path, tags, tin):
    assert read_study(save(ct_series(**tags), tmp_path)).tin_filter is tin


@pytest.mark.parametrize(
    "described",
    ["CT with iodine contrast", "mixed F_0.5 120kV", "Calcium (score)", "Vue axiale"],
)
def test_a_plain_series_is_not_taken_for_one_of_two_energies(tmp_path, described):
    study = read_study(save(ct_series(SeriesDescription=described), tmp_path))
    assert study.tube_voltage_kv == 120


@pytest.mark.parametrize(
    ("described", "contrast"),
    [
        ("CT Abdomen without contrast", False),
        ("ABD W/O", False),
        ("Becken nativ 3.0 B30f", False),
        ("THIN UNENHANCED", False),
        ("Non-contrast hip", False),
        ("HU 5/5mm Plain", False),
        ("NCCT", False),
        ("C- 2.0 soft", False),
        ("CT with IV contrast", True),
        ("CT HIP W CONTRAST", True),
        ("Abd w/ IV contrast", True),
        ("Becken nach KM", True),
        ("Hanche avec injection", True),
        ("Becken mit Kontrastmittel", True),
        ("Becken ohne Kontrastmittel", False),
        ("Cadera sin contraste", False),
        ("Cadera sin y con contraste", None),
        ("Bacino senza e con mdc", None),
        ("Anca senza mdc", False),
        ("HIP NON CON", False),
        ("HIP W/O IV CONTRAST", False),
        ("Pelvis without intravenous contrast", False),
        ("Pelvis with intravenous contrast", True),
        ("Becken ohne intravenöses KM", False),
        ("CT NEPHROLITHIASIS", None),
        ("Nephrographic phase", True),
        ("Art/ven Phase portalvenös", True),
        ("CTA runoff", True),
        ("CTPA 1.6", True),
        ("Abd C+ 2.0", True),
        ("Post-contrast 5 min delayed", True),
        ("Enhanced pelvis", True),
        ("Hips 1.0 bone", None),
        ("CT Body 3.0", None),
        ("C-spine 1.0", None),
        ("Ca score", None),
        ("PELVIS W/WO CONTRAST", None),
        ("ABD W/O & W CONTRAST", None),
        ("Abdomen with and without contrast", None),
        ("Becken ohne und mit KM", None),
        ("Becken mit und ohne KM", None),
        ("ALTERNATIVE RECON", None),
        ("EXPLAINED", None),
        ("Becken native", False),
        ("BECKEN_NATIV_3.0", False),
        ("ABD W WO", None),
        ("w/ and w/o contrast", None),
        ("Pre/post contrast", None),
    ],
)
def test_descriptions_tell_of_contrast(described, contrast):
    assert told_of_contrast(described) is contrast


@pytest.mark.parametrize(
    ("kernel", "sharp"),
    [
        ("B30f", False), ("Br38f 3", False), ("I31f", False), ("STANDARD", False), ("SOFT", False),
        ("FC08", False), ("B", False), ("C", False), ("Qr40d", False),
        ("B70f", True), ("Br64", True), ("Hr60", True), ("BONEPLUS", True), ("LUNG", True),
        ("FC30", True), ("FC51", True), ("D", True), ("YB", True), ("I70f 2", True),
    ],
)  # fmt: skip
def test_sharp_kernels_are_known_by_their_vendors_names(kernel, sharp):
    assert bool(SHARP_KERNEL.match(kernel)) == sharp
