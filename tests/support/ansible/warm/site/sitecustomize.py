# Copyright (c) 2026 the rhpds.litellm_virtual_keys authors
# MIT License (see LICENSE) or, at your option, GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: MIT OR GPL-3.0-or-later
"""Hand Ansible modules and playbooks to waiting processes; runner.py puts this file on PYTHONPATH.

Python imports this file when it starts, before anything else. A process that is to run a module hands it to the process of modules.py
and waits for it.

The folder in ``LITELLM_VIRTUAL_KEYS_WARM`` holds the socket. If ``LITELLM_VIRTUAL_KEYS_PLAYBOOKS`` names the socket of a process of
playbooks.py, ansible-playbook hands its work over too.
"""

from __future__ import annotations

import os
import sys

FOLDER = os.environ.get("LITELLM_VIRTUAL_KEYS_WARM", "")
PLAYBOOKS = os.environ.get("LITELLM_VIRTUAL_KEYS_PLAYBOOKS", "")


def hand_over(address: str, program: list[str]) -> None:
    """Let another process run this program with our standard files, and exit with its status. Return if the program must run here."""
    import _socket

    try:
        if os.stat(address).st_uid != os.geteuid():
            return
        server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        server.connect(address)
    except OSError:
        return
    umask = os.umask(0o077)
    os.umask(umask)
    environment = [name + b"=" + value for name, value in os.environb.items()]
    arguments = [os.fsencode(argument) for argument in program]
    fields = [b"%d" % umask, os.getcwdb(), b"%d" % len(arguments), *arguments, *environment]
    encoded = b"\0".join(fields)
    files = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
    server.sendmsg([b"%08d" % len(encoded)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
    server.sendall(encoded)
    answer = server.recv(16)
    server.close()
    if answer == b"unfit":
        return
    status = os.waitstatus_to_exitcode(int(answer))
    if status < 0:
        os.kill(os.getpid(), -status)
    os._exit(status)


if FOLDER:
    programs = [os.path.basename(argument) for argument in sys.orig_argv[1:]]
    # A module is a file of Ansible's, or, with pipelining, standard input of a Python without arguments.
    if not programs or [program.partition("_")[0] for program in programs] == ["AnsiballZ"]:
        hand_over(f"{FOLDER}/modules", [sys.executable, *sys.orig_argv[1:]])
    elif PLAYBOOKS and programs[0] == "ansible-playbook":
        hand_over(PLAYBOOKS, sys.orig_argv[1:])
