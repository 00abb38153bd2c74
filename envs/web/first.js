// Runs before every page's own scripts: `Math.random` draws from a seeded generator (mulberry32),
// and neither scripts nor links open windows.
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
})()
