// Reports every event of a person to the recorder, with the page as it was before the event.
(() => {
  "use strict";
  let known = "";
  // Sent synchronously: in order, and nothing is lost when the page leaves.
  const report = (step) => {
    const state = JSON.stringify(window.gymworks.snapshot());
    const request = new XMLHttpRequest();
    request.open("POST", new URL("~events", document.baseURI), false);
    request.send(JSON.stringify({ ...step, state: state === known ? null : JSON.parse(state) }));
    known = state;
  };
  const since = (moment) => performance.timeOrigin + moment;
  const modifiers = (event) => (event.altKey && 1) + 2 * (event.ctrlKey && 1)
    + 4 * (event.metaKey && 1) + 8 * (event.shiftKey && 1);
  const refOf = (element) => Number(element?.closest?.("[data-ref]")?.dataset.ref ?? -1);
  const about = (event) => ({
    type: event.type, time: since(event.timeStamp), trusted: event.isTrusted,
    target: refOf(event.target),
  });
  const pointer = (event) => ({
    ...about(event), x: Math.round(event.clientX), y: Math.round(event.clientY),
    button: event.button, clicks: event.type === "mousemove" ? 0 : event.detail,
    modifiers: modifiers(event),
  });
  const keyboard = (event) => ({
    ...about(event), key: event.key, code: event.code, modifiers: modifiers(event),
  });
  const inserted = (event) => ({
    ...about(event), type: "insert", key: event.clipboardData?.getData("text") ?? event.data ?? "",
  });
  const kinds = { mousemove: pointer, mousedown: pointer, mouseup: pointer, keydown: keyboard,
    keyup: keyboard, paste: inserted, compositionend: inserted };
  for (const [kind, read] of Object.entries(kinds)) {
    addEventListener(kind, (event) => {
      // A page that is leaving does nothing more, or the same event would fall on the next one.
      if (window.gymworks.snapshot().leaving) {
        event.preventDefault();
        event.stopImmediatePropagation();
      } else report(read(event));
    }, true);
  }
  report({ type: "load", time: since(performance.now()), trusted: true, target: -1,
    key: performance.getEntriesByType("navigation")[0].type });
})();
