"""A child of a worker that crashes, raises, exits, prints or hangs if asked to, or echoes."""

import ctypes
import json
import os
import signal
import sys
import time
from multiprocessing.connection import Connection


def obey(asked):
    match asked:
        case "crash":
            ctypes.string_at(0)
        case "raise":
            raise RuntimeError("refused")
        case "exit":
            sys.exit("left early")
        case "print":
            print("x" * 300_000, flush=True)
        case "interrupt":
            os.kill(os.getppid(), signal.SIGINT)
            time.sleep(600)
        case "hang":
            time.sleep(600)
        case "variable":
            return os.environ["OBEDIENT"]
    return [asked, os.getpid()]


connection = Connection(int(sys.argv[1]))
while True:
    try:
        message = connection.recv_bytes()
    except EOFError:
        break
    connection.send_bytes(json.dumps(obey(json.loads(message))).encode())
