# SPDX-License-Identifier: LGPL-2.1-or-later
"""A terminal inside a box, with a shell in it: tmux, which knows what a screen looks like after all that was sent."""

from __future__ import annotations

import itertools

from box import Box

_numbers = itertools.count(1)


class Terminal:
    """For `with`. What is typed into its shell is seen by `screen()`."""

    def __init__(self, box: Box, columns: int = 80, rows: int = 24):
        self._box = box
        self._tmux = ["tmux", "-u", "-L", f"terminal{next(_numbers)}"]
        config = f"/tmp/{self._tmux[-1]}.conf"
        # Without a status line all rows are the pane's, and an escape is not waited behind.
        box.write_file(config, "set -g status off\nset -s escape-time 0\nset -g default-terminal tmux-256color\n")
        box.run([*self._tmux, "-f", config, "new-session", "-d", "-x", str(columns), "-y", str(rows), "-n", "t",
                 "env PS1='$ ' LANG=C.UTF-8 bash --norc --noprofile"])
        self.wait(lambda text: text.startswith("$"), 10, "the shell is there")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._box.run([*self._tmux, "kill-server"], check=False)

    @property
    def capture_command(self) -> list[str]:
        """What prints the screen: for functions that run in the box."""
        return [*self._tmux, "capture-pane", "-p"]

    def screen(self, *options: str) -> str:
        return self._box.run([*self.capture_command, *options]).stdout

    def show(self, form: str) -> str:
        """A format of tmux about the pane, e.g. #{cursor_flag}."""
        return self._box.output(*self._tmux, "display-message", "-p", form)

    def press(self, *keys: str) -> None:
        """By tmux's names: Enter, Escape, Up, C-c; other words are typed."""
        self._box.run([*self._tmux, "send-keys", *keys])

    def type(self, text: str) -> None:
        self._box.run([*self._tmux, "send-keys", "-l", text])

    def enter(self, command: str) -> None:
        self.type(command)
        self.press("Enter")

    def resize(self, columns: int, rows: int) -> None:
        self._box.run([*self._tmux, "resize-window", "-x", str(columns), "-y", str(rows)])

    def wait(self, is_so, timeout: float, what: str) -> str:
        """Until is_so(text of the screen); returns that text."""
        def seen():
            text = self.screen()
            return text if is_so(text) else None
        try:
            return self._box.wait_for(seen, timeout, what)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.screen()}") from None
