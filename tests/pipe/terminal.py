"""A person at a terminal: types what the steps say, and looks at what the terminal shows.

terminal.py STEPS COMMAND...    where STEPS is a JSON list of ["type", TEXT], ["keys", TEXT] (without Enter),
["tab", TEXT] (Tab until that is shown), ["see", TEXT], ["never", TEXT], and ["resume", ""]: the program is stopped, its
terminal set up as a shell does, and it goes on
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 40
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")

steps, command = json.loads(sys.argv[1]), sys.argv[2:]
child, terminal = pty.fork()
usual = termios.tcgetattr(terminal) if child else None
if child == 0:
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
raw, seen = b"", 0


def shown():
    return ESCAPES.sub("", raw.decode(errors="replace"))


def read(deadline):
    """Reads what the terminal shows; false at the end."""
    global raw
    ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
    try:
        more = os.read(terminal, 65536) if ready else None
    except OSError:
        more = b""
    if more:
        raw += more
    return more is None or len(more) > 0


def fail(why):
    print(why, "in", shown(), sep="\n")
    sys.exit(99)


for what, text in steps:
    if what in ("type", "keys"):
        os.write(terminal, text.encode() + (b"\r" if what == "type" else b""))
        continue
    if what == "resume":
        os.kill(child, signal.SIGSTOP)
        os.waitpid(child, os.WUNTRACED)
        termios.tcsetattr(terminal, termios.TCSANOW, usual)
        os.kill(child, signal.SIGCONT)
        continue
    if what == "never":
        if text in shown():
            fail(f"{text!r} was shown")
        continue
    deadline, pressed = time.monotonic() + PATIENCE, 0
    while (at := shown().find(text, seen)) < 0:
        # What the hub has not said in time for one Tab, it has for the next.
        if what == "tab" and time.monotonic() > pressed + 1:
            os.write(terminal, b"\t")
            pressed = time.monotonic()
        until = min(deadline, pressed + 1) if what == "tab" else deadline
        if not read(until) or time.monotonic() > deadline:
            fail(f"{text!r} was not shown after {shown()[:seen][-80:]!r}")
    seen = at + len(text)

deadline = time.monotonic() + PATIENCE
while read(deadline):
    if time.monotonic() > deadline:
        fail("it does not end")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
