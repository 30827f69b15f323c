"""Runs a command on a leash: it does not outlive whoever holds our standard input.

usage: leash.py [--detach] [--at-once] [--alive FILE] [--remove DIR] -- COMMAND [ARGUMENT...]

The command runs in a process group of its own. That group, with every process the command
started in it, is ended when standard input closes (the holder ended, be it by SIGKILL), when we
are told to stop (SIGTERM), and when the command itself has ended. Then DIR is removed, and the
command's exit code is ours.

--detach   no leash: the command lives on until SIGTERM.
--at-once  the command has nothing to clean up: it gets SIGKILL without a SIGTERM first.
--alive    holds a lock on FILE, and our pid in it, for as long as we live. A lock that can be taken
           means that the pid is stale, so nobody ever signals a stranger.
"""

import argparse
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 3.0  # between SIGTERM and SIGKILL
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option, value):
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)


def die_with_parent():
    """On Linux the kernel ends the command even if this very process is killed with SIGKILL."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def signal_group(group, number):
    """False when the group has no process left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of zombies
        return False
    return True


def reap():
    """Buries the command's orphans; where init is slow to do so, they would seem to live on."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end_group(command, at_once):
    if command.poll() is None and not at_once:
        signal_group(command.pid, signal.SIGTERM)
        try:
            command.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            pass
    signal_group(command.pid, signal.SIGKILL)
    command.wait()
    deadline = time.monotonic() + 1.0
    while signal_group(command.pid, 0) and time.monotonic() < deadline:
        reap()
        time.sleep(0.01)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--detach", action="store_true")
    parser.add_argument("--at-once", action="store_true")
    parser.add_argument("--alive")
    parser.add_argument("--remove")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    # Ctrl-C in a terminal goes to the holder, which lets go of us; it must not hit us halfway.
    os.setsid()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    if options.alive:
        alive = open(options.alive, "w", encoding="ascii")
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alive.write(str(os.getpid()))
        alive.flush()

    try:
        command = subprocess.Popen(
            options.command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    except OSError as error:
        sys.exit(f"{options.command[0]} cannot be run: {error.strerror}")

    def watch(wait):
        threading.Thread(target=lambda: (wait(), stop.set()), daemon=True).start()

    watch(command.wait)
    if not options.detach:
        watch(sys.stdin.buffer.read)
    stop.wait()

    end_group(command, options.at_once)
    if options.remove:
        shutil.rmtree(options.remove, ignore_errors=True)
    code = command.returncode
    # Not sys.exit: a thread may still be blocked in a read of standard input.
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
