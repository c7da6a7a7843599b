import { expect, test } from "bun:test";
import { StoppedPeers } from "../../src/zmq/stopped-peers.ts";

test("a peer that disconnects and is not retried is due to be connected anew, once", () => {
  const peers = new StoppedPeers();
  peers.add("tcp://localhost:7000");
  peers.add("ipc:///a");
  peers.note({ type: "disconnected", endpoint: "tcp://127.0.0.1:7000" }, 1000);
  expect(peers.nextDueInMs(1100)).toBe(400);
  expect(peers.takeDue(1400)).toEqual([]);
  expect(peers.takeDue(1500)).toEqual(["tcp://localhost:7000"]);
  expect(peers.takeDue(9000)).toEqual([]);
  expect(peers.nextDueInMs(9000)).toBe(-1);
});

test("a peer that libzmq retries by itself is left to it, under whichever name its events come", () => {
  const peers = new StoppedPeers();
  peers.add("tcp://localhost:7000");
  peers.note({ type: "disconnected", endpoint: "tcp://localhost:7000" }, 0);
  peers.note({ type: "retrying", endpoint: "tcp://127.0.0.1:7000", delayMs: 100 }, 0);
  expect(peers.takeDue(9000)).toEqual([]);
});

test("peers that connect to us, and addresses taken off, are never due", () => {
  const peers = new StoppedPeers();
  peers.add("ipc:///a");
  peers.note({ type: "disconnected", endpoint: "ipc:///b" }, 0);
  peers.note({ type: "disconnected", endpoint: "ipc:///a" }, 0);
  peers.remove("ipc:///a");
  expect(peers.takeDue(9000)).toEqual([]);
});
