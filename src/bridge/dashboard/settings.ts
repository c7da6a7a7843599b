import { signal } from "@preact/signals";

export type Theme = "dark" | "light";
export type Zone = "utc" | "local";

const systemLight = matchMedia("(prefers-color-scheme: light)");
let chosenTheme: Theme | null = stored("theme", ["dark", "light"]);

/** What the page is painted in: what was chosen, else the system's. */
export const theme = signal<Theme>("dark");
/** In which zone times are written. */
export const zone = signal<Zone>(stored("zone", ["utc", "local"]) ?? "utc");

/** Paints, and follows the system while nothing is chosen. Called once. */
export function startSettings(): void {
  paint();
  systemLight.addEventListener("change", paint);
}

export function toggleTheme(): void {
  chosenTheme = theme.value === "dark" ? "light" : "dark";
  store("theme", chosenTheme);
  paint();
}

export function toggleZone(): void {
  zone.value = zone.value === "utc" ? "local" : "utc";
  store("zone", zone.value);
}

function paint(): void {
  const next = chosenTheme ?? (systemLight.matches ? "light" : "dark");
  document.documentElement.dataset.theme = next;
  theme.value = next;
}

/** Storage may be switched off or full: then a choice holds for this page alone. */
function stored<T extends string>(name: string, known: readonly T[]): T | null {
  try {
    const text = localStorage.getItem(`fabric.${name}`);
    return known.find((value) => value === text) ?? null;
  } catch {
    return null;
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(`fabric.${name}`, value);
  } catch {
    // The choice holds for this page.
  }
}
