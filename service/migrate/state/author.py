"""Who migrates, as the lease and the audit record it."""

import getpass
import os
import socket


def who() -> str:
    """The account, the host and the process of this migrator."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = str(os.geteuid())
    return f"{account}@{socket.gethostname()}, process {os.getpid()}"
