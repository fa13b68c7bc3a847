"""How a process joins a group, and whom the others turn away."""

from __future__ import annotations

import socket
import sys
from types import ModuleType, SimpleNamespace

import pytest

import thalweg as tf
import thalweg.cluster as cluster
from tests.cluster.collective.members import SHORT, at_once
from thalweg.base.errors import InvalidArgumentError, ThalwegError
from thalweg.cluster.collective.handshake import opened
from thalweg.cluster.collective.process import _given
from thalweg.cluster.collective.rendezvous import Rendezvous, meet


def test_a_program_that_was_started_alone_is_a_group_of_one() -> None:
    with pytest.raises(ThalwegError, match="init"):
        cluster.rank()
    cluster.init()
    try:
        assert cluster.is_initialized()
        found = cluster.rank(), cluster.size(), cluster.local_rank(), cluster.local_size()
        assert found == (0, 1, 0, 1)
    finally:
        cluster.shutdown()
    assert not cluster.is_initialized()


def test_strangers_do_not_disturb_a_group_that_meets() -> None:
    """Neither one without the token, nor one that says nothing that can be understood."""
    rendezvous = Rendezvous(2, "secret")
    try:
        with pytest.raises(ThalwegError):
            opened(rendezvous.address, "a guess", 5)
        host, _, port = rendezvous.address.rpartition(":")
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
        met = at_once(2, lambda n: meet(rendezvous.address, "secret", n, 2, "m", n, SHORT))
        for members, listener, watcher in met:
            assert [member.rank for member in members] == [0, 1]
            listener.close()
            watcher.close()
    finally:
        rendezvous.close()


def test_other_machines_need_a_token() -> None:
    with pytest.raises(InvalidArgumentError, match="give all processes the same secret token"):
        cluster.init("10.0.0.1:5555", rank=0, size=2)
    with pytest.raises(InvalidArgumentError, match="rank 2 of 2"):
        cluster.init("127.0.0.1:5555", rank=2, size=2)


def test_mpirun_tells_rank_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for mpi4py, as there is no MPI library here."""
    told = "127.0.0.1:5000", "secret"
    world = SimpleNamespace(
        Get_rank=lambda: 1,
        Get_size=lambda: 2,
        bcast=lambda value, root: value if value else told,
    )
    module = ModuleType("mpi4py")
    module.MPI = SimpleNamespace(COMM_WORLD=world)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mpi4py", module)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    place = _given(None, None, None, None)
    assert (place.rank, place.size) == (1, 2)
    assert (place.rendezvous, place.token) == told
    assert not place.hosts


def test_a_hook_broadcasts_when_a_session_has_been_made() -> None:
    with tf.Graph().as_default():
        v = tf.Variable([1.0, 2.0])
        hook = cluster.BroadcastGlobalVariablesHook(0)
        with tf.train.MonitoredTrainingSession(hooks=[hook]) as session:
            assert session.run(v).tolist() == [1, 2]
    kinds = [op.type for op in v.graph.get_operations()]
    assert kinds.count("CollectiveBroadcast") == 1
