# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real sshd in a box, another box behind an address of this one's, and hosts that do not answer."""

from __future__ import annotations

import tempfile
from pathlib import Path

from box import Box

KEY = "/etc/ssh/fleet_key"
SSHD = """\
HostKey /etc/ssh/fleet_host_key
AuthorizedKeysFile /etc/ssh/fleet_users
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
SOCKET = "[Socket]\nListenStream={listen}\nAccept={accept}\n"
SERVICE = ("[Service]\nExecStart=-/usr/sbin/sshd -i -f /etc/ssh/fleet_config\nStandardInput=socket\nStandardError=journal\n"
           "RuntimeDirectory=sshd\nRuntimeDirectoryPreserve=yes\n")
PROXY = "[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd {target}\n"
CLIENT = """\
Host *
    IdentityFile {key}
    IdentitiesOnly yes
    StrictHostKeyChecking {checking}
    UserKnownHostsFile {known}
"""


def make_key(box: Box, path: str) -> None:
    box.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path])


def listen(box: Box, address: str, public_key: str) -> None:
    """An sshd on that address, a path or IP:PORT, which lets in whoever has that key, as any user."""
    make_key(box, "/etc/ssh/fleet_host_key")
    box.write_file("/etc/ssh/fleet_users", public_key)
    box.write_file("/etc/ssh/fleet_config", SSHD)
    box.write_file("/run/systemd/system/fleet-ssh.socket", SOCKET.format(listen=address, accept="yes"))
    box.write_file("/run/systemd/system/fleet-ssh@.service", SERVICE)
    box.systemctl("daemon-reload")
    box.systemctl("start", "fleet-ssh.socket")


def become_client(box: Box) -> str:
    """root of this box trusts any host at first sight. Its public key."""
    make_key(box, KEY)
    box.write_file("/root/.ssh/config", CLIENT.format(key=KEY, checking="accept-new", known="/root/.ssh/known_hosts"),
                   0o600)
    return box.read_file(f"{KEY}.pub")


def lead_to(box: Box, address: str, target: str) -> None:
    """What connects to IP:PORT in this box is connected to a socket of another one."""
    box.write_file("/run/systemd/system/fleet-lead.socket", SOCKET.format(listen=address, accept="no"))
    box.write_file("/run/systemd/system/fleet-lead.service", PROXY.format(target=target))
    box.systemctl("daemon-reload")
    box.systemctl("start", "fleet-lead.socket")


def make_tarpit(box: Box, address: str) -> None:
    """IP:PORT takes connections, and never says a word."""
    ip, port = address.split(":")
    box.agent.call(_hold_listener, ip, int(port))


def _hold_listener(ip: str, port: int) -> None:
    # pylint: disable=undefined-variable
    listener = socket.create_server((ip, port), backlog=64)  # noqa: F821
    sys.modules["__main__"].__dict__.setdefault("held", []).append(listener)  # noqa: F821


def shared_folder(box: Box) -> tempfile.TemporaryDirectory:
    """A folder that this box sees under the same path, as it sees all of the checkout."""
    return tempfile.TemporaryDirectory(prefix="fleet-", dir=Path(box.build))
