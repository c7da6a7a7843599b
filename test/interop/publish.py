"""Publishes to a fabric subscriber: publish.py. Prints its address, then sends on every line read from standard input."""
import json
import sys

import zmq

pub = zmq.Context().socket(zmq.PUB)
pub.setsockopt(zmq.SNDHWM, 0)
pub.setsockopt(zmq.LINGER, 2000)
port = pub.bind_to_random_port("tcp://127.0.0.1")
print(f"tcp://127.0.0.1:{port}", flush=True)
for line in sys.stdin:
    if line.strip() == "warm":
        pub.send(b"t warm")
    elif line.strip() == "all":
        for n in range(1000):
            pub.send(b"t " + json.dumps({"v": 1, "node": "py", "epoch": "e", "seq": n + 1, "sentAt": 0, "text": "é" * (n % 50)}).encode())
        pub.send_multipart([b"t", b"two frames"])
        pub.send(b"")
        pub.send(b"no-space")
        pub.send(b"t \xff\xfe")
        pub.send(b"t end")
