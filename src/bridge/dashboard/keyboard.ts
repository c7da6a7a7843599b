import { signal } from "@preact/signals";
import { goTo, route } from "./live.ts";
import { VIEWS } from "./route.ts";
import { takesKeys } from "./typing.ts";

export const helpOpen = signal(false);

/** What the keys do, as the help tells it. */
export const KEYS: readonly (readonly [string, string])[] = [
  ...VIEWS.map((view, i) => [`${i + 1}`, `${view[0]?.toUpperCase()}${view.slice(1)}`] as const),
  ["/", "Search or filter"],
  ["Esc", "Leave the search, close this"],
  ["?", "This help"],
];

/** Listens to single keys outside of fields. Called once. */
export function startKeyboard(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      if (document.activeElement instanceof HTMLInputElement) document.activeElement.blur();
      return;
    }
    if (isTyping(event.target) || helpOpen.value) return;
    const view = VIEWS[Number(event.key) - 1];
    if (view) goTo(view);
    else if (event.key === "/") search();
    else if (event.key === "?") helpOpen.value = true;
    else return;
    event.preventDefault();
  });
}

/** The view's own search; where it has none, the market's. */
function search(): void {
  const field = () => document.querySelector<HTMLInputElement>("[data-search]");
  const found = field();
  if (found) {
    found.focus();
    found.select();
    return;
  }
  if (route.value.view === "market") return;
  goTo("market");
  requestAnimationFrame(() => requestAnimationFrame(() => field()?.focus()));
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return takesKeys({ tagName: target.tagName, type: target instanceof HTMLInputElement ? target.type : undefined });
}
