"""Where a server may listen: on this machine freely, elsewhere only with tokens and encrypted."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import BadArgument, UnreadableFile


@dataclass(frozen=True)
class Tls:
    """A certificate and its key, both checked.

    Attributes:
        certificate: PEM; the server's certificate first, then those between it and the root.
        key: PEM, without a passphrase.
    """

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Address:
    """An address to listen on.

    Attributes:
        text: numeric.
        is_loopback: only this machine reaches it.
    """

    text: str
    is_loopback: bool


@dataclass(frozen=True)
class Remedies:
    """How a place of settings names the host and what a host in a network needs.

    Attributes:
        host: the setting that the host is of.
        tokens, tls: what to do where they are missing.
    """

    host: str
    tokens: str
    tls: str


FLAGS = Remedies(
    "--host",
    "make one with `melody-bridge token add NAME`",
    "give --tls-certificate and --tls-key, or --insecure in a network that you trust",
)


def listen_address(
    host: str,
    *,
    is_encrypted: bool,
    has_tokens: bool,
    insecure: bool,
    remedies: Remedies = FLAGS,
) -> Address:
    """The address to listen on for a host, where these safeguards suffice for it.

    Loopback needs none. Every other address needs tokens, and TLS or the word of whoever runs the
    server that the network is trusted. The result is numeric, so that what was checked is what the
    server listens on, also when the name's address changes.

    Args:
        host: a name or an address; 0.0.0.0 and :: are all addresses of this machine.
        is_encrypted: the server speaks TLS.
        has_tokens: the server asks for tokens.
        insecure: the network is trusted to carry music and tokens that anyone in it can read.
        remedies: words for the errors.

    Raises:
        BadArgument: the host is no address of one kind, or the safeguards do not suffice.
    """
    shown = f"{remedies.host} {host!r}"
    addresses = _resolved(host, shown)
    if len({address.is_loopback for address in addresses}) > 1:
        raise BadArgument(
            f"{shown} is an address of this machine alone and one of a network too: "
            "give the number of the one that is meant"
        )
    address = Address(str(addresses[0]), addresses[0].is_loopback)
    if address.is_loopback:
        return address
    if not has_tokens:
        raise BadArgument(
            f"{shown} can be reached from other machines, and that needs tokens: {remedies.tokens}"
        )
    if not is_encrypted and not insecure:
        raise BadArgument(
            f"{shown} can be reached from other machines, and that needs TLS: {remedies.tls}"
        )
    return address


def check_port_is_free(address: Address, port: int) -> None:
    """Check that no other program listens at an address.

    Ray's proxy shares its port with whatever else permits that, and each of the two then gets some
    of the connections.

    Raises:
        BadArgument: the port is taken, or reserved by the system.
    """
    family = socket.AF_INET6 if ":" in address.text else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform == "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # Connections of an earlier server that have just ended do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.text, port))
        except OSError as error:
            raise BadArgument(
                f"--port {port} at {address.text} cannot be taken ({error.strerror}): give another"
            ) from error


def host_for_others(host: str) -> str:
    """The host in the address at which others reach a server.

    Args:
        host: the numeric address that it listens on. Where that is every address of this machine,
            others need the machine's name.
    """
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return socket.gethostname()
    return f"[{host}]" if address.version == 6 else host


def _resolved(host: str, shown: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses of a host, each once; never empty."""
    try:
        found = socket.getaddrinfo(
            host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE if host else 0
        )
    except (OSError, UnicodeError) as error:
        raise BadArgument(f"{shown} has no address: {error}") from error
    addresses = []
    for *_, where in found:
        # Python leaves a zone, such as %eth0, in the text.
        address = ipaddress.ip_address(str(where[0]))
        mapped = getattr(address, "ipv4_mapped", None)
        addresses.append(mapped or address)
    return list(dict.fromkeys(addresses))


def read_tls(certificate: Path | None, key: Path | None) -> Tls | None:
    """Check a certificate and its key by a handshake with itself, in memory.

    Returns:
        None: neither is given.

    Raises:
        BadArgument: one of the two is missing, the key is another certificate's, has a passphrase
            or can be read by every user, or the certificate has expired or is not valid yet.
        UnreadableFile: a file cannot be read, or is not PEM.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        lacking = "--tls-certificate" if certificate is None else "--tls-key"
        raise BadArgument(f"TLS needs a certificate and its key: {lacking} is missing")
    for path in (certificate, key):
        _check_readable(path)
    if os.name == "posix" and key.stat().st_mode & stat.S_IROTH:
        raise BadArgument(f"--tls-key {str(key)!r} can be read by every user: run chmod 600 on it")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password to give, OpenSSL would ask for one on the terminal.
        server.load_cert_chain(certificate, key, password=_refuse_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadArgument(
                f"--tls-key {str(key)!r} is not the key of --tls-certificate {str(certificate)!r}"
            ) from error
        raise UnreadableFile(
            f"{str(certificate)!r} and {str(key)!r} are no certificate and key in PEM form: "
            f"{error.reason or error}"
        ) from error
    _check_dates(server, certificate)
    return Tls(certificate, key)


def _refuse_passphrase() -> str:
    raise BadArgument("--tls-key has a passphrase, which nobody could type: give a key without one")


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise UnreadableFile(f"{str(path)!r} cannot be read: {error.strerror}") from error


def _check_dates(server: ssl.SSLContext, certificate: Path) -> None:
    """Let a client that trusts this certificate alone shake hands with the server.

    Raises:
        BadArgument: the client refuses the certificate.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                raise BadArgument(
                    f"--tls-certificate {str(certificate)!r} cannot be used: {error.verify_message}"
                ) from error
