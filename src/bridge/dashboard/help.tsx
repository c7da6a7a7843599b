import { useEffect, useRef } from "preact/hooks";
import { helpOpen, KEYS } from "./keyboard.ts";

/** The keys, in a dialog that the browser itself keeps the focus in and closes on Escape. */
export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const close = () => {
    helpOpen.value = false;
  };
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={close}>
      <h2 id="help-title">Keys</h2>
      <dl>
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p class="dim">
        The chart moves by dragging and zooms by wheel or pinch; once it is reached by Tab, also by arrows, + and −, and
        End. Everything here is also at <a href="/api">/api</a>, for programs; figures for Prometheus are at{" "}
        <a href="/metrics">/metrics</a>.
      </p>
      <button type="button" class="button" onClick={close}>
        Close
      </button>
    </dialog>
  );
}
