# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container in a box: a systemd of its own by systemd-nspawn, known to the box's systemd-machined."""

from __future__ import annotations

from box import Box

# The programs are the box's own, settings and accounts a copy of the box's.
MAKE_TREE = """\
set -e
mkdir -p "$1/etc" "$1/usr" "$1/var/lib" "$1/root"
for folder in bin sbin lib lib64; do [ ! -L "/$folder" ] || ln -s "usr/$folder" "$1/$folder"; done
cp -a /etc/. "$1/etc"
cp --remove-destination /usr/lib/os-release "$1/etc/os-release"
echo "$2" >"$1/etc/hostname"
: >"$1/etc/machine-id"
install -d -o 1000 -g 1000 "$1/home/hero"
"""
# The version of cgroups is what systemd-nspawn would else find out by a look at the tree's own /usr, which is empty.
UNIT = """\
[Service]
Type=notify
Environment=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
ExecStart=systemd-nspawn --quiet --keep-unit --boot --notify-ready=yes --link-journal=no --machine={name} \
    --directory={tree} --bind-ro=/usr
Slice=machine.slice
Delegate=yes
KillMode=mixed
"""


class Container:
    """Runs from start() to stop(), or to the end of its box. What it writes stays while the box does."""

    def __init__(self, box: Box, name: str):
        self._box = box
        self.name = name
        self.unit = f"{name}-container.service"
        tree = f"/var/lib/machines/{name}"
        box.run(["sh", "-c", MAKE_TREE, "sh", tree, name])
        box.write_file(f"/run/systemd/system/{self.unit}", UNIT.format(name=name, tree=tree))
        box.systemctl("daemon-reload")

    def start(self) -> None:
        """Returns when the container's own systemd says that it is up."""
        self._box.systemctl("start", self.unit)

    def terminate(self) -> None:
        """As an operator does it; returns when the machine is not known any more."""
        self._box.run(["machinectl", "terminate", self.name])
        self._box.systemctl("stop", self.unit)

    def systemctl(self, *words: str, check: bool = True) -> str:
        return self._box.systemctl("-M", self.name, *words, check=check).stdout.strip()

    def cgroup_pids(self, unit: str) -> dict[int, int]:
        """The processes in the cgroup of a unit of the container's: number in there → number in the box."""
        leader = self._box.output("machinectl", "show", self.name, "--value", "-p", "Leader")
        unit_cgroup = self.systemctl("show", "-P", "ControlGroup", unit)
        if not unit_cgroup:
            return {}
        found = self._box.agent.call(_pids_in_and_out, int(leader), unit_cgroup)
        return {inner: outer for inner, outer in found}


def _pids_in_and_out(leader: int, unit_cgroup: str) -> list[list[int]]:
    """In the box. The container's first process is in init.scope of all that is the container's."""
    # pylint: disable=undefined-variable
    own = Path(f"/proc/{leader}/cgroup").read_text().splitlines()  # noqa: F821
    (init_scope,) = [line.removeprefix("0::") for line in own if line.startswith("0::")]
    found = []
    for pid in processes_in_cgroup(init_scope.removesuffix("/init.scope") + unit_cgroup):  # noqa: F821
        (numbers,) = re.findall(r"(?m)^NSpid:(.*)", Path(f"/proc/{pid}/status").read_text())  # noqa: F821
        found.append([int(numbers.split()[-1]), pid])
    return found
