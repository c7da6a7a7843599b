import { useState } from "preact/hooks";
import { isSymbol } from "../../core/symbol.ts";
import { formatPrice } from "./format.ts";
import { chooseSymbol, model, revision, route } from "./live.ts";
import { precisionOf } from "./precision.ts";
import { searchSymbols } from "./symbol-search.ts";

const MAX_FOUND = 12;

/** Finds a symbol by any venue's spelling; arrows, Enter and Escape as in every such box. */
export function SymbolBox() {
  void revision.value;
  const [typed, setTyped] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const found = open ? choices(typed) : [];
  const active = found[Math.min(at, found.length - 1)];
  const choose = (symbol: string | undefined) => {
    if (symbol === undefined) return;
    chooseSymbol(symbol);
    setTyped("");
    setOpen(false);
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(at + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (event.key === "Enter") choose(active);
    else if (event.key === "Escape") {
      setTyped("");
      setOpen(false);
    } else return;
    if (event.key.startsWith("Arrow")) event.preventDefault();
  };
  return (
    <div class="symbol-box">
      <input
        data-search
        type="search"
        // biome-ignore lint/a11y/noRedundantRoles: a field without a list of its own is none by itself
        role="combobox"
        list={undefined}
        aria-label="Find a symbol"
        aria-expanded={open && found.length > 0}
        aria-controls="symbols-found"
        aria-activedescendant={open && active ? `found-${active}` : undefined}
        aria-autocomplete="list"
        autocomplete="off"
        spellcheck={false}
        placeholder="Symbol  /"
        value={typed}
        onInput={(event) => {
          setTyped(event.currentTarget.value);
          setOpen(true);
          setAt(0);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      <div
        id="symbols-found"
        role="listbox"
        aria-label="Symbols"
        class={`found ${found.length > 0 ? "" : "found-none"}`}
      >
        {found.map((symbol) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the active one
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys
          <div
            key={symbol}
            id={`found-${symbol}`}
            role="option"
            aria-selected={symbol === active}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => choose(symbol)}
          >
            <span>{symbol}</span>
            <Price symbol={symbol} />
          </div>
        ))}
      </div>
    </div>
  );
}

function Price({ symbol }: { readonly symbol: string }) {
  const close = model.markets.get(symbol)?.candle.close;
  return (
    <span class="num dim">
      {close === undefined ? "from the store" : formatPrice(close, precisionOf(model, symbol).price)}
    </span>
  );
}

/** Symbols heard, and what was typed itself: the store may hold what is not live. */
function choices(typed: string): readonly string[] {
  const exact = typed.trim().toUpperCase();
  const found = searchSymbols(model.symbols(), typed, MAX_FOUND);
  if (exact === "" || !isSymbol(exact) || found.includes(exact)) {
    return exact === "" ? found.filter((symbol) => symbol !== route.value.symbol) : found;
  }
  return [...found, exact];
}
