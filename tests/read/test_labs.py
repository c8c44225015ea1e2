"""Laboratory files: what is sound is read, what is not is named by its row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calcinosis.errors import CalcinosisError, InputError, NotReadableError
from calcinosis.lab_result import LabResult
from calcinosis.patient import Patient
from calcinosis.read.labs import read_labs
from calcinosis.read.patient_file import PatientFile, with_labs

HEADER = "date,analyte,value,unit\n"


def csv(tmp_path, text, header=HEADER):
    path = tmp_path / "labs.csv"
    path.write_text(header + text, encoding="utf-8")
    return path


def test_a_year_of_results_gives_product_exposure_and_trend(tmp_path):
    path = csv(
        tmp_path,
        "2023-01-01,calcium,2.5,mmol/L\n2023-01-01,phosphate,2.5,mmol/L\n"
        "2023-05-01,2000-8,2.4,mmol/L\n2023-05-01,2777-1,6.0,mg/dL\n"
        "2023-09-01,Calcium,9.4,mg/dL\n2023-09-01,Phosphorus,5.0,mg/dL\n",
    )
    patient = Patient(labs=read_labs(path).results)
    assert [r.value for r in patient.ca_p_series()] == pytest.approx([77.6, 57.7, 47.0], abs=0.1)
    assert patient.trend("ca_p_product").direction == "falling"
    assert patient.ca_p_exposure().days_above_55 == pytest.approx(151, abs=1)


def test_semicolons_and_tabs_and_a_loinc_column_are_understood(tmp_path):
    path = csv(tmp_path, "2023-01-01;2731-8;350;ng/L\n", header="Date;LOINC;Value;Unit\n")
    assert read_labs(path).results[0].value == 350
    path = csv(tmp_path, "2023-01-01\tPTH\t<3\tpg/mL\n", header="date\tanalyte\tvalue\tunit\n")
    assert read_labs(path).results[0].comparator == "<"


def test_a_table_of_a_spreadsheet_with_decimal_commas_is_read(tmp_path):
    table = "2023-01-01;calcium;2,35;mmol/L\n2023-01-01;phosphate;2;mmol/L\n"
    labs = read_labs(csv(tmp_path, table, header="date;analyte;value;unit\n")).results
    assert [r.value for r in labs] == pytest.approx([9.42, 6.19], abs=0.01)


def test_a_point_beside_decimal_commas_may_mean_thousands_and_is_refused(tmp_path):
    table = "2023-01-01;calcium;2,35;mmol/L\n2023-01-01;pth;1.250;pg/mL\n"
    path = csv(tmp_path, table, header="date;analyte;value;unit\n")
    with pytest.raises(InputError, match=r"row 3: found value '1\.250', expected a decimal comma"):
        read_labs(path)


def test_a_header_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds a header without results"):
        read_labs(csv(tmp_path, "\n"))


def test_an_old_western_encoding_is_understood(tmp_path):
    path = tmp_path / "labs.csv"
    path.write_bytes((HEADER + "2023-01-01,creatinine,884,µmol/L\n").encode("cp1252"))
    assert read_labs(path).results[0].value == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("name", ["25-OH-D", "25-OH vitamin D", "25(OH)D", "25OHD"])
def test_vitamin_d_is_known_by_the_names_that_laboratories_print(tmp_path, name):
    (result,) = read_labs(csv(tmp_path, f"2023-01-01,{name},180,ng/mL\n")).results
    assert (result.analyte, result.value) == ("vit_d25", 180)


def test_a_name_beside_the_test_is_the_patients_and_stays_out(tmp_path):
    header = "date,test,name,value,unit\n"
    found = read_labs(csv(tmp_path, "2024-01-01,phosphate,Planted,5,mg/dL\n", header))
    assert [result.analyte for result in found.results] == ["phosphate"]
    assert found.passed_over == ()


def test_analytes_without_use_are_passed_over_and_named(tmp_path):
    path = csv(tmp_path, "2023-01-01,potassium,5,mmol/L\n2023-01-01,calcuim,9,mg/dL\n")
    labs = read_labs(path)
    assert labs.results == ()
    assert labs.passed_over == ("potassium", "calcuim")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2023-01-01,calcium,9.4,\n", "row 2: calcium 9.4 has no unit"),
        ("2023-01-01,calcium,9.4,U/L\n", "row 2: calcium is not measured in 'U/L'"),
        ("2023-01-01,2000-8,9.4,mg/dL\n", "row 2: LOINC 2000-8 is calcium in moles"),
        ("2023-01-01,phosphate,62,mg/dL\n", "row 2: phosphate 62 mg/dL is impossible"),
        ("2999-01-01,calcium,9.4,mg/dL\n", "row 2: date 2999-01-01 lies in the future"),
        ("01.02.2023,calcium,9.4,mg/dL\n", "row 2: date '01.02.2023' is not a date"),
        (",calcium,9.4,mg/dL\n", "row 2: has no date"),
        ('2023-01-01,calcium,"9,4",mg/dL\n', "row 2: found value '9,4', expected a decimal point"),
        ("2023-01-01,calcium,1_0,mg/dL\n", "row 2: found value '1_0', expected a number"),
        ("2023-01-01,calcium,high,mg/dL\n", "row 2: found value 'high', expected a number"),
        ("2023-01-01,,9.4,mg/dL\n", "row 2: names no analyte"),
        (
            "2023-01-01,calcium,9.4,mg/dL\n2023-01-01,Ca,9.4,mg/dL\n",
            "row 3 repeats row 2 (calcium, 2023-01-01)",
        ),
        (
            "2023-01-01,phosphate,6,mg/dL\n2023-01-01,phosphate,2,mg/dL\n",
            "row 2 and row 3 both give phosphate",
        ),
    ],
)
def test_what_is_not_sound_is_refused_with_its_row(tmp_path, row, message):
    with pytest.raises(InputError) as caught:
        read_labs(csv(tmp_path, row))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_table_is_refused_with_its_line(tmp_path):
    path = csv(tmp_path, "2023-01-01,phosphate,5,mg/dL\n2023-02-01,phosphate," + "9" * 200_000)
    with pytest.raises(InputError) as caught:
        read_labs(path)
    assert str(caught.value).startswith(f"{path} line 3: ")


def test_a_result_that_the_patient_file_gives_too_is_refused_with_its_row(tmp_path):
    path = csv(tmp_path, "2023-01-01,calcium,9,mg/dL\n2023-02-01,phosphate,5,mg/dL\n")
    known = Patient(labs=(LabResult.measured("phosphate", 6, "mg/dL", "2023-02-01"),))
    with pytest.raises(InputError, match=r"labs\.csv: the patient file and row 3 both give phos"):
        with_labs(PatientFile(patient=known), path)


def test_a_name_that_contradicts_its_code_is_refused(tmp_path):
    path = csv(
        tmp_path, "2023-01-01,calcium,2777-1,5,mg/dL\n", header="date,analyte,loinc,value,unit\n"
    )
    with pytest.raises(InputError, match="contradicts LOINC 2777-1, which is phosphate"):
        read_labs(path)


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(InputError, match="missing unit"):
        read_labs(csv(tmp_path, "", header="date,analyte,value\n"))


def test_files_that_are_no_csv_are_refused(tmp_path):
    with pytest.raises(InputError, match="is empty"):
        read_labs(csv(tmp_path, "", header=""))
    with pytest.raises(NotReadableError, match="No such file"):
        read_labs(tmp_path / "absent.csv")
    binary = tmp_path / "labs.bin"
    binary.write_bytes(b"\0\1\2")
    with pytest.raises(NotReadableError, match="is not a text file"):
        read_labs(binary)


@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("labs") / "labs.csv"
    path.write_text(HEADER + text, encoding="utf-8", errors="replace")
    try:
        read_labs(path)
    except CalcinosisError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - either outcome is right
