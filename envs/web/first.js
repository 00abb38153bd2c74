// Runs before every page's own scripts: `Math.random` draws from a seeded generator (mulberry32),
// and no window opens beside the page, neither for a link nor for a menu or a picker.
(() => {
  let state = SEED;
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  window.open = () => null;
  const opensWindow = (name) => name && !/^_(self|parent|top)$/i.test(name)
    && !document.querySelector(`iframe[name="${CSS.escape(name)}"]`);
  const stay = (event) => {
    const from = event.composedPath().find((each) => "target" in each) ?? {};
    const named = event.submitter?.formTarget || from.target;
    if (opensWindow(named || document.querySelector("base")?.target)) event.preventDefault();
  };
  for (const kind of ["click", "submit"]) window.addEventListener(kind, stay, true);
  // The browser draws no frame while a picker is open: selects are set with the arrow keys and
  // letters, dates and the like by typing.
  const picked = ["color", "date", "datetime-local", "month", "time", "week"];
  const isSelect = (event) => event.target.tagName === "SELECT";
  const hasPicker = (event) => isSelect(event) || picked.includes(event.target.type);
  HTMLInputElement.prototype.showPicker = HTMLSelectElement.prototype.showPicker = () => {};
  window.addEventListener("contextmenu", (event) => event.preventDefault(), true);
  window.addEventListener("mousedown", (event) => {
    if (!isSelect(event)) return;
    event.preventDefault();
    event.target.focus();
  }, true);
  window.addEventListener("click", (event) => {
    if (hasPicker(event)) event.preventDefault();
  }, true);
  window.addEventListener("keydown", (event) => {
    const opens = [" ", "F4"].includes(event.key) || (event.key === "Enter" && isSelect(event))
      || (event.altKey && /^Arrow(Up|Down)$/.test(event.key));
    if (opens && hasPicker(event)) event.preventDefault();
  }, true);
})()
