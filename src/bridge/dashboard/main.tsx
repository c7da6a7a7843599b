import { render } from "preact";
import { App } from "./app.tsx";
import { startKeyboard } from "./keyboard.ts";
import { startLive } from "./live.ts";
import { startSettings } from "./settings.ts";

const root = document.getElementById("app");
if (root) {
  startSettings();
  startKeyboard();
  startLive();
  // What the page was painted with before this script was there.
  root.replaceChildren();
  render(<App />, root);
}
