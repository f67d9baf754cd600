#!/usr/bin/env python3
"""The emulated account, of which copies can be made while it runs.

usage: fork.py EMULATOR -p PORT [other options of motobed.py]

POST /motobed/fork?dir=DIR forks the process: the copy has all that the account has, logs its calls in DIR, and answers
at a port of its own. The answer is its process id and that port. Only the thread of the request lives on in a copy, so
nobody else may use the account meanwhile.
"""
import os
import random
import signal
import socket
import sys
import threading
import time
from urllib.parse import parse_qs

sys.path.insert(0, sys.argv.pop(1))

import motobed  # noqa: E402
from moto.autoscaling.models import AutoScalingBackend  # noqa: E402
from moto.moto_api._internal import mock_random  # noqa: E402
from moto.moto_server.werkzeug_app import DomainDispatcherApplication as Dispatcher  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

answer = Dispatcher.__call__
update_targets = AutoScalingBackend.update_attached_target_groups


def update_targets_that_are_there(self, group_name):
    """moto refuses to delete an Auto Scaling group whose target group is gone, because it looks there for its instances.
    AWS names no such error (Amazon EC2 Auto Scaling API Reference, DeleteAutoScalingGroup)."""
    group = self.autoscaling_groups[group_name]
    group.target_group_arns = [arn for arn in group.target_group_arns if arn in self.elbv2_backend.target_groups]
    update_targets(self, group_name)


AutoScalingBackend.update_attached_target_groups = update_targets_that_are_there


def serve(app, listener, folder, ready):
    """The life of a copy."""
    os.chdir(folder)
    fd, port = listener.fileno(), listener.getsockname()[1]
    os.write(ready, b"1")
    os.closerange(3, fd)  # sockets of the account that was copied
    os.closerange(fd + 1, 4096)
    random.seed()  # or all copies would make up the same ids
    mock_random.seed()
    make_server("127.0.0.1", port, app, threaded=True, fd=fd).serve_forever()


def fork(app, folder):
    while any(isinstance(t, threading.Timer) for t in threading.enumerate()):  # what happens by itself is not over
        time.sleep(0.05)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            serve(app, listener, folder, write)
        finally:
            os._exit(1)
    os.close(write)
    began = os.read(read, 1)
    os.close(read)
    port = listener.getsockname()[1]
    listener.close()
    if not began:
        raise RuntimeError(f"the copy in {folder} did not start")
    return f"{pid} {port}"


def dispatch(self, environ, start_response):
    if environ.get("PATH_INFO") != "/motobed/fork":
        return answer(self, environ, start_response)
    text = fork(self, parse_qs(environ["QUERY_STRING"])["dir"][0]).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]


Dispatcher.__call__ = dispatch
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # copies end without being waited for
motobed.main()
