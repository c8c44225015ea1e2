"""The node on the network, against dcmtk and against peers that mean no good."""

import gc
import io
import logging
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from subprocess import PIPE
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pynetdicom import AE
from pynetdicom.association import Association

from calcinosis.errors import InputError, NotReadableError
from calcinosis.serve import dicom_node
from calcinosis.serve.dicom_node import Admission, Desk
from calcinosis.serve.intake import Received, header_of
from calcinosis.serve.node import Settings, serve
from calcinosis.serve.tls import Tls
from calcinosis.serve.worklist import open_worklist
from dcmtk import echo, storescu, storescu_command
from dicom_series import ct_series, save

PLANTED = {"PatientName": "PLANTED^NAME", "PatientID": "PLANTED-ID", "StudyDate": "20260103"}


def honest():
    buffer = io.BytesIO()
    ct_series(**PLANTED)[0].save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


HONEST = honest()


@pytest.fixture
def worklist(tmp_path):
    made = open_worklist(tmp_path / "data")
    yield made
    made.engine.dispose()


@pytest.fixture
def start(worklist):
    """Start a node with the settings given; returns its port."""
    servers = []

    def begin(admission=Admission(), **options):  # noqa: B008 - immutable
        server = dicom_node.start(
            worklist, ("127.0.0.1", 0), "CALCINOSIS", admission, **{"spare_bytes": 0} | options
        )
        servers.append(server)
        return server.server_address[1]

    yield begin
    for server in servers:
        server.shutdown()


@pytest.fixture
def series(tmp_path):
    return save(ct_series(**PLANTED), tmp_path / "sent")


@contextmanager
def node_process(folder, most_bytes_per_file=resource.RLIM_INFINITY):
    """A node in a process of its own: its port, and a function that gives its peak memory, MB."""
    script = f"""
import resource, sys
from pathlib import Path
from calcinosis.serve import dicom_node
from calcinosis.serve.worklist import open_worklist
worklist = open_worklist(Path({str(folder)!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, ({most_bytes_per_file}, {most_bytes_per_file}))
admission = dicom_node.Admission()
server = dicom_node.start(worklist, ("127.0.0.1", 0), "NODE", admission, spare_bytes=0)
print(server.server_address[1], flush=True)
for _ in sys.stdin:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)
"""

    def peak_mb():
        node.stdin.write("\n")
        node.stdin.flush()
        return int(node.stdout.readline())

    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as node:
        yield int(node.stdout.readline()), peak_mb
        node.kill()


def until(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


def left_on_the_way(worklist):
    return list(worklist.store.incoming.iterdir())


def test_a_study_sent_with_storescu_is_in_the_worklist(start, worklist, series):
    port = start()
    assert echo(port)
    assert storescu(port, series).returncode == 0
    [entry] = worklist.studies()
    assert (entry.state, entry.instances) == ("receiving", 6)
    assert (entry.patient_name, entry.patient_id) == ("PLANTED^NAME", "PLANTED-ID")
    kept = [pydicom.dcmread(path) for path in worklist.store.instances(entry.id).iterdir()]
    sent = [pydicom.dcmread(path) for path in series.iterdir()]
    assert {one.SOPInstanceUID: one.PixelData for one in kept} == {
        one.SOPInstanceUID: one.PixelData for one in sent
    }
    assert left_on_the_way(worklist) == []


def test_a_study_sent_again_changes_nothing(start, worklist, series):
    port = start()
    storescu(port, series)
    before = worklist.studies()
    assert storescu(port, series).returncode == 0
    assert worklist.studies() == before


def test_nothing_of_the_patient_in_file_names_and_log(start, worklist, series, caplog):
    caplog.set_level(logging.DEBUG)
    port = start()
    storescu(port, series)
    assert until(lambda: "6 new" in caplog.text)
    names = " ".join(str(path) for path in worklist.store.folder.rglob("*"))
    for planted in (*PLANTED.values(), *(one.SOPInstanceUID for one in ct_series())):
        assert planted not in caplog.text
        assert planted not in names


def test_deidentified_nothing_at_rest_names_anybody(start, worklist, series):
    port = start(deidentify=True)
    assert storescu(port, series).returncode == 0
    [entry] = worklist.studies()
    assert (entry.patient_name, entry.patient_id, entry.study_date) == ("", "", "")
    assert storescu(port, series).returncode == 0
    assert worklist.studies() == [entry], "what is sent again is still known"
    told = [
        *PLANTED.values(),
        *(str(pydicom.dcmread(one).SOPInstanceUID) for one in series.iterdir()),
    ]
    for path in worklist.store.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [one for one in told if one.encode() in content], "nothing at rest, nowhere"


def test_fifty_associations_at_once(tmp_path):
    folders = [save(ct_series()[:2], tmp_path / f"sender{number}") for number in range(50)]
    with node_process(tmp_path / "data") as (port, _):
        senders = [subprocess.Popen(storescu_command(port, folder)) for folder in folders]
        assert [sender.wait() for sender in senders] == [0] * 50
    worklist = open_worklist(tmp_path / "data")
    assert [entry.instances for entry in worklist.studies()] == [2] * 50


def test_who_is_not_on_the_list_is_turned_away(start, worklist, series):
    port = start(Admission(ae_titles=("PACS",)))
    assert storescu(port, series).returncode != 0
    assert storescu(port, series, "-aet", "PACS").returncode == 0
    elsewhere = start(Admission(networks=(ip_network("10.1.2.0/24"),)))
    assert not echo(elsewhere)
    assert len(worklist.studies()) == 1


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.1.3.3", False),
        ("fe80::1%eth0", False),
        ("unknown", False),  # as a proxy may forward it
    ],
)
def test_addresses_are_compared_as_networks(address, admitted):
    assert Admission(networks=(ip_network("10.1.2.0/24"),)).admits(address) is admitted


def test_an_association_that_ends_before_it_is_noted_is_not_kept(worklist):
    desk, event = Desk(worklist, deidentify=False), SimpleNamespace()
    event.assoc = Association(AE("PACS"), "acceptor")
    ended = weakref.ref(event.assoc)
    desk.closed(event)
    desk.accepted(event)
    del event
    gc.collect()
    assert ended() is None


def test_a_node_open_to_the_network_must_say_to_whom(tmp_path):
    with pytest.raises(InputError, match="--allow-from"):
        serve(Settings(data=tmp_path, host="0.0.0.0"))  # noqa: S104 - it must refuse
    with pytest.raises(InputError, match="--allow-from"):
        serve(Settings(data=tmp_path, allow_from=("everywhere",)))


@pytest.mark.parametrize("taken", ["port", "web_port"])
def test_a_node_whose_port_is_taken_leaves_nothing_and_prints_one_line(tmp_path, taken, capfd):
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        ports = {"port": 0, "web_port": 0, taken: number}
        with pytest.raises(InputError, match=rf"port {number} \([^()]*in use\)$"):
            serve(Settings(data=tmp_path / "node", **ports))
    assert not (tmp_path / "node").exists()
    assert capfd.readouterr() == ("", "")


def test_tls_alone_is_spoken_when_asked(start, worklist, series, tmp_path):
    certificate, key = tmp_path / "node.pem", tmp_path / "node.key"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout {key} "
        f"-out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    port = start(Admission(tls=Tls(certificate, key).for_dicom()))
    with socket.create_connection(("127.0.0.1", port)):  # says nothing: holds up nobody
        assert storescu(port, series, "+tla", "+cf", certificate).returncode == 0
    assert storescu(port, series).returncode != 0
    assert len(worklist.studies()) == 1


def test_a_full_disk_is_answered_and_the_study_comes_later(start, worklist, series):
    full = start(spare_bytes=1 << 60)
    answer = storescu(full, series, "-v")
    assert "Refused: OutOfResources" in answer.stderr
    assert worklist.studies() == []
    assert left_on_the_way(worklist) == []
    assert echo(full)


def test_a_disk_that_fills_up_while_an_instance_arrives(tmp_path):
    """The limit on the size of a file stands for the end of the disk: the write fails midway."""
    large = ct_series(**PLANTED)[:1]
    large[0].PixelData = bytes(6 << 20)
    large[0].Rows = large[0].Columns = 1774
    small = ct_series(**PLANTED)[:1]
    with node_process(tmp_path / "data", most_bytes_per_file=4 << 20) as (port, _):
        answer = storescu(port, save(large, tmp_path / "large"), "-v")
        assert "Refused: OutOfResources" in answer.stderr
        assert storescu(port, save(small, tmp_path / "small")).returncode == 0
    [entry] = open_worklist(tmp_path / "data").studies()
    assert entry.instances == 1


def test_an_instance_larger_than_the_memory_it_takes(tmp_path):
    """160 MB in one instance; the process grows by less than a quarter of it."""
    small, large = ct_series()[:1], ct_series()[:1]
    large[0].PixelData = bytes(160 << 20)
    with node_process(tmp_path / "data") as (port, peak_mb):
        assert storescu(port, save(small, tmp_path / "small")).returncode == 0
        before = peak_mb()
        assert storescu(port, save(large, tmp_path / "large")).returncode == 0
        assert peak_mb() - before < 40


def test_a_study_larger_than_the_memory_it_takes(tmp_path):
    """120 MB in 240 images, one association; benchmarks/large_study.py does it with 2 GB."""
    [image] = ct_series(np.zeros((1, 512, 512), np.int16))
    folder = tmp_path / "study"
    for number in range(1, 241):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        save([image], folder, prefix=f"{number}-")
    with node_process(tmp_path / "data") as (port, peak_mb):
        assert storescu(port, save(ct_series()[:1], tmp_path / "small")).returncode == 0
        before = peak_mb()
        assert storescu(port, folder).returncode == 0
        assert peak_mb() - before < 30
    assert {entry.instances for entry in open_worklist(tmp_path / "data").studies()} == {1, 240}


def pdus(stream):
    """The protocol data units in a stream of bytes."""
    found = []
    while stream:
        length = 6 + struct.unpack(">L", stream[2:6])[0]
        found.append(stream[:length])
        stream = stream[length:]
    return found


def recorded(port, folder):
    """What storescu says to the node, PDU by PDU: request, command, data, release."""
    said = bytearray()

    def relay(source, target, keep):
        while data := source.recv(65536):
            keep.extend(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = threading.Thread(target=storescu, args=(listener.getsockname()[1], folder))
        sender.start()
        with listener.accept()[0] as peer, socket.create_connection(("127.0.0.1", port)) as node:
            back = threading.Thread(target=relay, args=(node, peer, bytearray()))
            back.start()
            relay(peer, node, said)
            back.join()
        sender.join()
    return pdus(bytes(said))


def say(port, parts):
    """Say it to the node, and hang up without waiting."""
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.settimeout(20)
        try:
            for part in parts:
                peer.sendall(part)
                time.sleep(0.005)  # so that the node is past the request
        except OSError:
            pass  # it hung up first


def test_a_half_sent_instance_leaves_nothing(start, worklist, tmp_path):
    port = start()
    parts = recorded(port, save(ct_series()[:1], tmp_path / "one"))
    worklist.delete(worklist.studies()[0].id)
    for end in range(1, len(parts) - 1):
        say(port, [*parts[:end], parts[end][: len(parts[end]) // 2]])
    assert echo(port)
    assert worklist.studies() == []
    assert until(lambda: not left_on_the_way(worklist)), left_on_the_way(worklist)


@pytest.fixture
def spoken(start, tmp_path, monkeypatch):
    """A running node that is soon out of patience, and what a sender says to it."""
    monkeypatch.setattr(dicom_node, "IDLE_S", 3.0)
    port = start()
    return port, recorded(port, save(ct_series(**PLANTED)[:1], tmp_path / "one"))


@st.composite
def harm(draw, parts):
    """A conversation with bytes changed, PDUs repeated, dropped or cut short."""
    parts = [bytearray(part) for part in parts]
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(parts) - 1))
        what = draw(st.sampled_from(["change", "repeat", "drop", "cut", "length"]))
        if what == "repeat":
            parts.insert(at, bytearray(parts[at]))
        elif what == "drop" and len(parts) > 1:
            del parts[at]
        elif what == "cut":
            del parts[at][draw(st.integers(0, len(parts[at]))) :]
        elif what == "length":
            parts[at][2:6] = struct.pack(">L", draw(st.integers(0, 2**32 - 1)))
        else:
            for _ in range(draw(st.integers(1, 8))):
                if parts[at]:
                    place = draw(st.integers(0, min(len(parts[at]), 400) - 1))
                    parts[at][place] = draw(st.integers(0, 255))
    return [bytes(part) for part in parts]


def associations():
    return [thread for thread in threading.enumerate() if isinstance(thread, Association)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_peers_that_speak_nonsense_do_no_harm(spoken, worklist, caplog, capfd):
    port, parts = spoken

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(harm(parts))
    def attack(said):
        say(port, said)

    attack()
    assert echo(port)
    assert until(lambda: not associations()), "each is let go in the end"
    assert until(lambda: not left_on_the_way(worklist))
    for entry in worklist.studies():
        assert worklist.store.instances(entry.id).is_dir() == bool(entry.instances)
    told = caplog.text + "".join(capfd.readouterr())
    assert "PLANTED" not in told


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), st.binary(max_size=6)),
        min_size=1,
        max_size=6,
    )
)
def test_a_hostile_file_is_read_or_refused(tmp_path_factory, changes):
    file = tmp_path_factory.getbasetemp() / "hostile"
    content = bytearray(HONEST)
    for place, length, bytes_ in changes:
        at = int(place * min(len(content), 900))
        content[at : at + length] = bytes_
    file.write_bytes(content)
    with suppress(NotReadableError):
        assert isinstance(header_of(file), Received)


def test_what_does_not_say_to_which_study_it_belongs_is_refused(start, worklist, tmp_path):
    answer = storescu(start(), save(ct_series(StudyInstanceUID="")[:1], tmp_path / "one"), "-v")
    assert "Error: CannotUnderstand" in answer.stderr
    assert worklist.studies() == []
    assert left_on_the_way(worklist) == []
