"""Runs a server for as long as its starter lives.

usage: with_parent.py [--signal NAME] [--remove DIR] -- COMMAND ARGUMENT...

Standard input is the leash: the starter keeps a pipe to it open. When that pipe closes - because the
starter lets go or because it was killed - the command is sent the signal (default TERM), then, if it
has not ended within three seconds, KILL, together with everything it started. Then DIR is removed.
What was written to the pipe before, `NAME SECONDS`, takes the place of signal and time. Ends with the
command's exit status, or 128 + the signal that ended it.
"""

import argparse
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECS = 3


def descendants():
    """Processes that fell to us, whether or not they left the command's process group."""
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def signal_group(child, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def end(child, number, grace):
    signal_group(child, number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace)
    signal_group(child, signal.SIGKILL)
    child.wait()
    while orphans := descendants():
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--signal", default="TERM")
    parser.add_argument("--remove")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    # Ctrl-C reaches the whole foreground group; the order of ending is the starter's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    leash = os.dup(0)
    child = subprocess.Popen(options.command, stdin=subprocess.DEVNULL, start_new_session=True)

    over = threading.Event()
    said = bytearray()

    def watch_leash():
        while part := os.read(leash, 4096):
            said.extend(part)
        over.set()

    def watch_child():
        child.wait()
        over.set()

    for watch in (watch_leash, watch_child):
        threading.Thread(target=watch, daemon=True).start()
    over.wait()
    name, grace = said.decode().split() if said else (options.signal, GRACE_SECS)
    end(child, getattr(signal, "SIG" + name), float(grace))
    if options.remove:
        shutil.rmtree(options.remove, ignore_errors=True)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main())
