"""pyzmq's side of the bench: zmq-pyzmq.py send|receive throughput|latency COUNT [ADDRESS]."""
import json
import sys
import time

import zmq

how, what, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
latency = what == "latency"
socket = zmq.Context().socket(zmq.PUB if how == "send" else zmq.SUB)
socket.setsockopt(zmq.SNDHWM, 0)
socket.setsockopt(zmq.RCVHWM, 0)


fixed = b"t ".ljust(128, b"x")


def timed():
    return (b"t %d " % time.monotonic_ns()).ljust(128, b"x")


if how == "send":
    print(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}", flush=True)
    sys.stdin.readline()
    for n in range(count):
        socket.send(timed() if latency else fixed, zmq.DONTWAIT)
        if latency:
            time.sleep(0.001)
    sys.stdin.readline()
else:
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(sys.argv[4])
    print("ready", flush=True)
    taken = []
    start = 0
    for n in range(count):
        topic, body = socket.recv().split(b" ", 1)
        if n == 0:
            start = time.monotonic_ns()
        if latency:
            taken.append(time.monotonic_ns() - int(body.split(b" ", 1)[0]))
    if latency:
        steady = sorted(taken[count // 4 :])
        print(json.dumps({"p50": steady[len(steady) // 2] / 1e3, "p99": steady[len(steady) * 99 // 100] / 1e3}))
    else:
        print(json.dumps({"perSecond": (count - 1) / ((time.monotonic_ns() - start) / 1e9)}))
