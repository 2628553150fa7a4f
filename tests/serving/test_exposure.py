"""Where a server may listen, and the certificates that it may use."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import BadArgument, UnreadableFile
from bridge.serving.exposure import (
    Address,
    check_port_is_free,
    host_for_others,
    listen_address,
    read_tls,
)
from tests.serving.certificates import certificate, openssl

NETWORK = ("0.0.0.0", "192.168.1.7", "169.254.0.1", "::", "fe80::1", "::ffff:10.0.0.1")
LOOPBACK = ("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1")


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_needs_no_safeguard(host: str) -> None:
    address = listen_address(host, is_encrypted=False, has_tokens=False, insecure=False)
    assert address.is_loopback
    assert address.text == host.removeprefix("::ffff:")


@pytest.mark.parametrize("host", NETWORK)
@pytest.mark.parametrize("is_encrypted", [False, True])
@pytest.mark.parametrize("has_tokens", [False, True])
@pytest.mark.parametrize("insecure", [False, True])
def test_a_network_needs_tokens_and_tls_or_the_word_insecure(
    host: str, is_encrypted: bool, has_tokens: bool, insecure: bool
) -> None:
    if has_tokens and (is_encrypted or insecure):
        address = listen_address(
            host, is_encrypted=is_encrypted, has_tokens=has_tokens, insecure=insecure
        )
        assert address == Address(host.removeprefix("::ffff:"), False)
        return
    lacking = "TLS" if has_tokens else "needs tokens"
    with pytest.raises(BadArgument, match=lacking):
        listen_address(host, is_encrypted=is_encrypted, has_tokens=has_tokens, insecure=insecure)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("fe80::1", "[fe80::1]"),
        ("0.0.0.0", socket.gethostname()),
        ("::", socket.gethostname()),
    ],
)
def test_others_reach_every_address_by_the_machines_name(host: str, expected: str) -> None:
    assert host_for_others(host) == expected


def test_a_name_counts_as_what_it_resolves_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "here": ["127.0.0.1", "::1"],
        "there": ["10.0.0.5"],
        "both": ["127.0.1.1", "10.0.0.5"],
    }

    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (address, 0)) for address in found[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    free: dict[str, Any] = {"is_encrypted": False, "has_tokens": False, "insecure": False}
    assert listen_address("here", **free) == Address("127.0.0.1", True)
    with pytest.raises(BadArgument, match="needs tokens"):
        listen_address("there", **free)
    with pytest.raises(BadArgument, match="of this machine alone and one of a network too"):
        listen_address("both", is_encrypted=True, has_tokens=True, insecure=True)


@pytest.mark.parametrize("host", ["no such host", "999.1.1.1", "a" * 300, "x\x00y", ""])
def test_a_host_without_an_address_is_refused(host: str) -> None:
    with pytest.raises(BadArgument):
        listen_address(host, is_encrypted=False, has_tokens=False, insecure=False)


def test_a_certificate_and_its_key_are_taken(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "engine")
    tls = read_tls(crt, key)
    assert tls is not None and (tls.certificate, tls.key) == (crt, key)
    assert read_tls(None, None) is None


def test_half_of_a_pair_is_refused(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "engine")
    with pytest.raises(BadArgument, match="--tls-key is missing"):
        read_tls(crt, None)
    with pytest.raises(BadArgument, match="--tls-certificate is missing"):
        read_tls(None, key)


def test_another_certificates_key_is_refused(tmp_path: Path) -> None:
    crt, _ = certificate(tmp_path, "engine")
    _, other = certificate(tmp_path, "other")
    with pytest.raises(BadArgument, match="is not the key of"):
        read_tls(crt, other)


def test_files_that_are_missing_or_no_pem_are_named(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "engine")
    with pytest.raises(UnreadableFile, match=r"nowhere\.crt"):
        read_tls(tmp_path / "nowhere.crt", key)
    crt.chmod(0o600)
    with pytest.raises(UnreadableFile, match="no certificate and key in PEM form"):
        read_tls(key, crt)


def test_a_key_with_a_passphrase_is_refused_without_asking_for_it(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "engine")
    locked = tmp_path / "locked.key"
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked)
    locked.chmod(0o600)
    with pytest.raises(BadArgument, match="has a passphrase"):
        read_tls(crt, locked)


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_key_that_everyone_can_read_is_refused(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "engine")
    key.chmod(0o644)
    with pytest.raises(BadArgument, match="can be read by every user"):
        read_tls(crt, key)


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "engine")
    request = tmp_path / "engine.csr"
    openssl("req", "-new", "-key", key, "-subj", "/CN=engine", "-out", request)
    openssl("x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", crt)
    with pytest.raises(BadArgument, match="certificate has expired"):
        read_tls(crt, key)


def test_a_certificate_of_an_own_authority_is_taken_with_its_chain(tmp_path: Path) -> None:
    authority, authority_key = certificate(tmp_path, "authority")
    _, key = certificate(tmp_path, "engine")
    request, leaf = tmp_path / "engine.csr", tmp_path / "leaf.crt"
    openssl("req", "-new", "-key", key, "-subj", "/CN=engine", "-out", request)
    openssl(
        *("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key),
        *("-CAcreateserial", "-days", "2", "-out", leaf),
    )
    chain = tmp_path / "chain.crt"
    chain.write_bytes(leaf.read_bytes() + authority.read_bytes())
    assert read_tls(leaf, key) is not None
    assert read_tls(chain, key) is not None


def test_a_port_that_another_program_shares_is_taken() -> None:
    here = Address("127.0.0.1", True)
    with socket.socket() as other:
        # As web servers and Ray's proxy have it.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for address in (here, Address("0.0.0.0", False)):
            with pytest.raises(BadArgument, match=f"--port {port} at {address.text}"):
                check_port_is_free(address, port)
        with socket.create_connection(("127.0.0.1", port)) as client:
            # The server's end closes first, and its port then waits.
            other.accept()[0].close()
            client.recv(1)
    check_port_is_free(here, port)
