"""Subscribes to a fabric publisher: subscribe.py ADDRESS PREFIX COUNT. Prints a JSON line a message."""
import json
import sys

import zmq

address, prefix, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sub = zmq.Context().socket(zmq.SUB)
sub.setsockopt(zmq.SUBSCRIBE, prefix.encode())
sub.setsockopt(zmq.RCVTIMEO, 10_000)
sub.connect(address)
heard = 0
while heard < count:
    topic, body = sub.recv().split(b" ", 1)
    value = json.loads(body)
    if value.get("warm"):
        print("warm", flush=True)
        continue
    heard += 1
    print(json.dumps({"topic": topic.decode(), "body": value}), flush=True)
