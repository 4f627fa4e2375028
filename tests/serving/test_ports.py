"""A server with several ports: one server, with one set of limits."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack

import pytest

import dimse
from dimse import Limits
from tests.drivers import LOOPBACK, Face, on_both_faces, running, tls_contexts
from tests.hostile_scu import HostileSCU


def echo(port: int, tls: ssl.SSLContext | None = None) -> None:
    with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=tls) as association:
        assert association.echo() == 0


@on_both_faces
def test_each_port_is_answered(face: Face) -> None:
    with running(face, also_ports=[0, dimse.Port(0)]) as server:
        assert server.addresses[0] == server.address
        ports = [port for _, port in server.addresses]
        assert len(set(ports)) == 3
        for port in ports:
            echo(port)
    for port in ports:
        with pytest.raises(dimse.ConnectError):
            echo(port)
    with pytest.raises(RuntimeError, match="does not listen"):
        server.addresses


@on_both_faces
def test_each_port_has_its_own_tls(face: Face) -> None:
    contexts = tls_contexts()
    with running(face, also_ports=[dimse.Port(0, tls=contexts.server)]) as server:
        (_, plain), (_, secured) = server.addresses
        echo(plain)
        echo(secured, contexts.client)
        with pytest.raises(dimse.AssociationError):
            echo(secured)
        with pytest.raises(dimse.TLSError):
            echo(plain, contexts.client)


@on_both_faces
def test_the_limit_of_associations_is_for_all_ports(face: Face) -> None:
    with running(face, also_ports=[0], limits=Limits(associations=1)) as server:
        (_, first), (_, second) = server.addresses
        with (
            dimse.associate(LOOPBACK, first, contexts=[dimse.Verification]),
            pytest.raises(dimse.AssociationRejected, match="Local limit exceeded"),
        ):
            echo(second)
        echo(second)


@on_both_faces
def test_the_limit_of_half_open_connections_is_for_all_ports(face: Face) -> None:
    with running(face, also_ports=[0], limits=Limits(half_open=2)) as server, ExitStack() as stack:
        (_, first), (_, second) = server.addresses
        scus = [stack.enter_context(HostileSCU(port)) for port in (first, second, second)]
        assert scus[0].read() == "closed"


@on_both_faces
def test_networks_and_ae_titles_are_for_all_ports(face: Face) -> None:
    with running(face, also_ports=[0], calling_ae_titles=["CT1"]) as server:
        for _, port in server.addresses:
            with pytest.raises(dimse.AssociationRejected, match="Calling AE title"):
                echo(port)


@on_both_faces
def test_a_port_that_is_in_use_frees_the_others(face: Face) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken, socket.create_server((LOOPBACK, 0)) as freed:
        first, second = freed.getsockname()[1], taken.getsockname()[1]
        freed.close()
        with (
            pytest.raises(OSError, match=f"cannot listen on {LOOPBACK}:{second}: Address already in use"),
            running(face, address=(LOOPBACK, first), also_ports=[second]),
        ):
            pytest.fail("it listens")
        socket.create_server((LOOPBACK, first)).close()


def test_what_is_not_a_port_is_an_error() -> None:
    with pytest.raises(ValueError, match="a port from 0 to 65535, not 70000"):
        dimse.Server((LOOPBACK, 0), also_ports=[70000])
    with pytest.raises(TypeError, match="takes a host and a port"):
        dimse.Port("2762")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"also_ports takes a list, not 2762: also_ports=\[2762\]"):
        dimse.Server((LOOPBACK, 0), also_ports=2762)  # type: ignore[arg-type]
