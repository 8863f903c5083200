# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bus interfaces as descriptions of them: read from introspection or from units/*.xml, and written in our form."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from box import REPOSITORY, Box

NAME, PATH = "org.hero.Proc1", "/org/hero/Proc1"
MANAGER, SERVICE = f"{NAME}.Manager", f"{NAME}.Service"
HEADER = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->
<!-- As the server describes itself, which tests/system/test_install.py checks. What it means: org.hero.Proc1(5). -->
<node>
"""


def description(interface: str) -> Path:
    return REPOSITORY / "units" / f"{interface}.xml"


def _line(node: ElementTree.Element, indent: str) -> list[str]:
    names = [name for name in ("name", "type", "access", "direction", "value") if name in node.attrib]
    start = f"{indent}<{node.tag}" + "".join(f' {name}="{node.get(name)}"' for name in names)
    inner = [line for child in node for line in _line(child, indent + "  ")]
    return [f"{start}>", *inner, f"{indent}</{node.tag}>"] if inner else [f"{start}/>"]


def written(interface: ElementTree.Element) -> str:
    """One interface in the form of units/*.xml: members in the server's order, attributes in ours."""
    return HEADER + "\n".join(_line(interface, "  ")) + "\n</node>\n"


def live(box: Box, path: str, interface: str) -> ElementTree.Element:
    text = box.output("busctl", "--xml-interface", "introspect", NAME, path)
    return next(node for node in ElementTree.fromstring(text).findall("interface") if node.get("name") == interface)
