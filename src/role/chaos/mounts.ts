import { readFileSync } from "node:fs";
import { platform } from "#platform";

/** The kernel's own list, outermost first: proc(5), /proc/pid/mountinfo. */
const MOUNT_INFO = "/proc/self/mountinfo";

interface Mount {
  /** As the list writes it. */
  readonly point: string;
  readonly device: string;
}

/** The device of what is mounted last at exactly this path; null where nothing is. */
export function topmostDevice(path: string): string | null {
  const point = mountPointText(path);
  return mounts().findLast((mount) => mount.point === point)?.device ?? null;
}

/** Where a device is mounted, by the names in the list. */
export function mountsOf(device: string): readonly string[] {
  return mounts()
    .filter((mount) => mount.device === device)
    .map(({ point }) => point);
}

/** A path as the list writes it: its links resolved, and space, tab, newline and backslash in octal. */
export function mountPointText(path: string): string {
  const octal = (character: string) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`;
  return platform.files.realPath(path).replace(/[ \t\n\\]/g, octal);
}

function mounts(): readonly Mount[] {
  let text: string;
  try {
    text = readFileSync(MOUNT_INFO, "utf8");
  } catch {
    // A system without that list has no mounts of ours either: nothing is mounted there.
    return [];
  }
  return text.split("\n").flatMap((line): readonly Mount[] => {
    const words = line.split(" ");
    // Optional fields end with a dash of their own; then come the type and the device.
    const dash = words.indexOf("-", 6);
    const [point, device] = [words[4], words[dash + 2]];
    return dash < 0 || point === undefined || device === undefined ? [] : [{ point, device }];
  });
}
