import errno
import os
from pathlib import Path

import pytest

from calcinosis.errors import NotReadableError, OutputError
from calcinosis.write.files import result_folder


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_results_appear_together_and_nothing_is_left_beside_them(tmp_path):
    output = tmp_path / "deep" / "out"
    with result_folder(output) as folder:
        (folder / "report.html").write_text("new")
        assert not output.exists()
    assert contents(output) == {"report.html": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_an_empty_folder_may_be_used(tmp_path):
    (tmp_path / "out").mkdir()
    with result_folder(tmp_path / "out") as folder:
        (folder / "result.json").write_text("new")
    assert contents(tmp_path / "out") == {"result.json": "new"}


def test_a_folder_with_anything_in_it_is_refused_and_untouched(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"), result_folder(tmp_path):
        pytest.fail("nothing may be computed for a refused folder")
    assert contents(tmp_path) == {"note.txt": "mine"}


def test_a_file_as_output_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="is a file"), result_folder(tmp_path / "out"):
        pytest.fail("nothing may be computed for a refused folder")


def test_force_replaces_old_results_all_of_them_and_nothing_else(tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    for name in ("report.html", "masses.seg.dcm", "forecast.html", "diagnosis.json", "note.txt"):
        (output / name).write_text("old")
    with result_folder(output, force=True) as folder:
        (folder / "report.html").write_text("new")
        assert contents(output)["report.html"] == "old"
    assert contents(output) == {"report.html": "new", "note.txt": "old"}


def write_and_fail(output, failure):
    with result_folder(output, force=True) as folder:
        (folder / "report.html").write_text("half")
        raise failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("defect"), MemoryError()])
def test_old_results_survive_any_failure(tmp_path, failure):
    output = tmp_path / "out"
    output.mkdir()
    (output / "report.html").write_text("old")
    with pytest.raises(type(failure)):
        write_and_fail(output, failure)
    assert contents(output) == {"report.html": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_while_results_move_in_puts_the_old_ones_back(tmp_path, monkeypatch):
    output = tmp_path / "out"
    output.mkdir()
    for name in ("report.html", "result.json"):
        (output / name).write_text("old")
    replace = Path.replace

    def fail_for_the_new_result(self, target):
        if self.name == "result.json" and self.parent.name == "new":
            raise OSError(errno.EIO, "input/output error")
        return replace(self, target)

    def rewrite():
        with result_folder(output, force=True) as folder:
            for name in ("report.html", "result.json"):
                (folder / name).write_text("new")

    monkeypatch.setattr(Path, "replace", fail_for_the_new_result)
    with pytest.raises(OutputError, match="'out': input/output error"):
        rewrite()
    assert contents(output) == {"report.html": "old", "result.json": "old"}


def test_a_full_disk_is_one_clear_line(tmp_path):
    with (
        pytest.raises(OutputError, match="'out': the disk is full"),
        result_folder(tmp_path / "out"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EFBIG, errno.EIO, errno.ENAMETOOLONG, errno.ENOTDIR])
def test_whatever_else_the_disk_refuses_is_one_clear_line_too(tmp_path, number):
    reason = os.strerror(number).lower()
    with pytest.raises(OutputError, match=f"'out': {reason}"), result_folder(tmp_path / "out"):
        raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + "/out"])
def test_a_name_that_no_disk_takes_is_one_clear_line(tmp_path, name):
    with pytest.raises(OutputError, match="file name too long"), result_folder(tmp_path / name):
        pytest.fail("nothing may be computed where results cannot go")


def test_what_the_user_must_change_elsewhere_is_said_as_it_is(tmp_path):
    with (
        pytest.raises(NotReadableError, match=r"^scan\.dcm: cannot"),
        result_folder(tmp_path / "out"),
    ):
        raise NotReadableError("scan.dcm: cannot be read")


def test_a_folder_that_the_system_does_not_let_be_made_is_one_clear_line():
    with pytest.raises(OutputError, match=r"'foo'.*no such file"), result_folder(Path("/proc/foo")):
        pytest.fail("nothing may be computed where results cannot go")


def test_a_file_of_ours_that_is_missing_is_not_blamed_on_the_output(tmp_path):
    with pytest.raises(FileNotFoundError), result_folder(tmp_path / "out"):
        Path("/nonexistent/network.onnx").read_bytes()
