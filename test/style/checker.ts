import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** What one room may import, as the table in src/README.md says. */
export interface Room {
  readonly rooms: ReadonlySet<string>;
  readonly packages: ReadonlySet<string>;
}

const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/, "take the time from an injected Clock"],
  [/\b(setTimeout|setInterval|setImmediate|clearTimeout|clearInterval)\b/, "use the injected Timers"],
  [/\bMath\.random\b|\brandomUUID\b|\bgetRandomValues\b|\brandomBytes\b/, "use the injected Random"],
  [/["'](node:)?fs(\/promises)?["']/, "use the injected Files"],
  [
    /["'](node:)?(child_process|net|http|https|dgram|sqlite)["']|["']bun:sqlite["']/,
    "only src/role starts processes, listens or opens databases",
  ],
  [
    /\b(await|return)\s+fetch\(|[=(]\s*fetch\(|\bnew WebSocket\(|\bnew EventSource\(/,
    "use the injected HttpGet or OpenSocket",
  ],
  [/(?<![.\w"'#:-])(Bun|Deno)\.\w/, "a runtime's own API belongs behind #platform or #zmq-backend"],
  [/(?<![.\w"'])process\.\w/, "take what you need from the composition root in src/role"],
];

/** Files whose purpose is the banned thing itself. */
const EXEMPT: readonly RegExp[] = [
  /^src\/role\//,
  /^src\/zmq\/(backend-bun|backend-deno|libzmq-bun|libzmq-deno|receive-worker|native-library|native-socket|native-sub-socket)\.ts$/,
  /^src\/bridge\/dashboard\//,
];

/** Reads the room table of src/README.md. */
export function readRooms(markdown: string): ReadonlyMap<string, Room> {
  const rooms = new Map<string, Room>();
  for (const line of markdown.split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    if (cells.length < 6 || cells[1] === "room" || cells[1]?.startsWith("---")) continue;
    const list = (text: string | undefined) =>
      new Set(
        (text ?? "")
          .split(",")
          .map((part) => part.trim())
          .filter(Boolean),
      );
    rooms.set(cells[1] ?? "", { rooms: list(cells[2]), packages: list(cells[3]) });
  }
  return rooms;
}

/** Every way `text`, standing at `path` (from the project's top), breaks the house's rules. */
export function faultsOf(path: string, text: string, rooms: ReadonlyMap<string, Room>): readonly string[] {
  const code = withoutComments(text);
  return [
    ...edgeFaults(path, code, rooms),
    ...bannedFaults(path, code),
    ...sizeFaults(path, text),
    ...grantFaults(path, code),
  ];
}

/** Source files below `folder`, as paths from `top`. */
export function sourceFiles(top: string, folder: string): readonly string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(top, folder), { withFileTypes: true, recursive: true })) {
    const path = relative(top, join(entry.parentPath, entry.name));
    if (entry.isFile() && /\.tsx?$/.test(entry.name)) found.push(path);
  }
  return found.sort();
}

export function readSource(top: string, path: string): string {
  return readFileSync(join(top, path), "utf8");
}

/** The room of a path: its folder below src, or cmd. */
export function roomOf(path: string): string {
  const [first, second] = path.split("/");
  return first === "src" ? (second ?? "") : (first ?? "");
}

function edgeFaults(path: string, code: string, rooms: ReadonlyMap<string, Room>): string[] {
  const room = roomOf(path);
  const allowed = rooms.get(room);
  if (!allowed)
    return [
      `${path}: "${room}" is not a room of src/README.md; put the file into one of ${[...rooms.keys()].join(", ")}`,
    ];
  const faults: string[] = [];
  for (const target of importsOf(code)) {
    if (/\/(package\.json|LICENSE)$/.test(target)) continue;
    if (target.startsWith(".")) {
      const to = roomOf(join(dirname(path), target));
      if (to !== room && !allowed.rooms.has(to)) {
        faults.push(
          `${path}: imports ${target}: ${room} may import ${[...allowed.rooms].join(", ") || "no room"}, not ${to}; move what both need to core, or wire it in role`,
        );
      }
      if (!/\.(ts|tsx|json|html|css)$/.test(target))
        faults.push(`${path}: imports ${target}: write the file's ending (.ts)`);
    } else if (target.startsWith("#")) {
      if (target === "#zmq-backend" && room !== "role")
        faults.push(`${path}: only role chooses the backend (#zmq-backend); take a ZmqBackend`);
      if (target === "#platform" && room !== "role")
        faults.push(`${path}: only role knows the platform (#platform); take what you need`);
    } else if (!allowed.packages.has("*") && !allowed.packages.has(packageOf(target)) && !isPathHelper(target)) {
      faults.push(`${path}: imports ${target}: ${room} may use ${[...allowed.packages].join(", ") || "no package"}`);
    }
  }
  return faults;
}

function bannedFaults(path: string, code: string): string[] {
  if (!path.startsWith("src/") || EXEMPT.some((exempt) => exempt.test(path))) return [];
  return BANNED.flatMap(([pattern, remedy]) => {
    const found = pattern.exec(code);
    return found ? [`${path}: uses ${found[0].trim()}: ${remedy}`] : [];
  });
}

const MOST_LINES = 350;

function sizeFaults(path: string, text: string): string[] {
  const lines = text.split("\n").length;
  return lines > MOST_LINES ? [`${path}: ${lines} lines; at most ${MOST_LINES}: split it by what it says`] : [];
}

function grantFaults(path: string, code: string): string[] {
  const takesGrant =
    [...importsOf(code)].some((target) => /(^|\/)grant\.ts$/.test(target)) && /\bgrantWriter\b/.test(code);
  if (!takesGrant || path.startsWith("src/role/market-data")) return [];
  return [`${path}: only src/role/market-data may make a WriterGrant; take a StoreReader instead`];
}

function* importsOf(code: string): Generator<string> {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']/g;
  for (const match of code.matchAll(pattern)) if (match[1] !== undefined) yield match[1];
}

function packageOf(target: string): string {
  const parts = target.split("/");
  return target.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? target);
}

/** Pure text work on paths: no effect, no state. */
function isPathHelper(target: string): boolean {
  return target === "node:path";
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
}
