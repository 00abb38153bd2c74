// Menus and pickers would open outside the page, where nobody sees or reaches them, and the browser
// draws no frame while one is open: selects are set with the arrow keys and letters, dates and the
// like by typing.
(() => {
  const picked = ["color", "date", "datetime-local", "month", "time", "week"];
  const isSelect = (event) => event.target.tagName === "SELECT";
  const hasPicker = (event) => isSelect(event) || picked.includes(event.target.type);
  HTMLInputElement.prototype.showPicker = HTMLSelectElement.prototype.showPicker = () => {};
  window.addEventListener("contextmenu", (event) => event.preventDefault(), true);
  window.addEventListener("mousedown", (event) => {
    if (isSelect(event)) event.preventDefault();
  }, true);
  window.addEventListener("mousedown", (event) => {  // after those who look at the page before it
    if (isSelect(event)) event.target.focus();
  });
  window.addEventListener("click", (event) => {
    if (hasPicker(event)) event.preventDefault();
  }, true);
  window.addEventListener("keydown", (event) => {
    const opens = [" ", "F4"].includes(event.key) || (event.key === "Enter" && isSelect(event))
      || (event.altKey && /^Arrow(Up|Down)$/.test(event.key));
    if (opens && hasPicker(event)) event.preventDefault();
  }, true);
})();
