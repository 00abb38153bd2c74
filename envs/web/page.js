// The browser's side of the widgets that envs/web/widgets.py describes.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December"];
  const clickHandlers = new Map(), followers = [], drops = [];
  let leaving = false, held = null, popup = null, opener = null;

  const show = (element, shown) => { element.style.display = shown ? "" : "none"; };
  const onClick = (id, handler) => {
    const element = byId(id);
    if (!clickHandlers.has(element)) {
      clickHandlers.set(element, []);
      element.addEventListener("click", () => {
        for (const each of clickHandlers.get(element)) each();
        follow();
      });
    }
    clickHandlers.get(element).push(handler);
  };
  const follow = () => { for (const each of followers) each(); };
  const valueOf = (element) => element.value ?? element.dataset.value ?? "";
  const nodeValue = (element) =>
    element.tagName === "BUTTON" ? element.value : element.dataset.value ?? "";
  const setNodeValue = (element, value) => {
    if (element.tagName === "BUTTON") element.value = value; else element.dataset.value = value;
  };

  // Asked without letting go: page time stands still between steps, and with it a page that waits.
  const ask = (path) => {
    const request = new XMLHttpRequest();
    request.open("GET", new URL(path, document.baseURI), false);
    request.send();
    return JSON.parse(request.responseText);
  };

  const closePopup = () => {
    if (popup) show(popup, false);
    opener?.classList.remove("open");
    popup = opener = null;
  };
  const openPopup = (element, by, below) => {
    if (popup && popup !== element) closePopup();
    opener?.classList.remove("open");
    popup = element;
    opener = by;
    opener.classList.add("open");
    show(element, true);
    if (below) {
      const box = below.getBoundingClientRect();
      const origin = element.offsetParent.getBoundingClientRect();
      element.style.left = `${Math.round(box.left - origin.left)}px`;
      element.style.top = `${Math.round(box.bottom - origin.top)}px`;
    }
  };
  const isOutside = (target) => popup && target !== opener && !popup.contains(target);
  document.addEventListener("mousedown", (event) => {
    if (isOutside(event.target)) closePopup();
    held = event.target.closest(".drag");
  }, true);
  document.addEventListener("mouseup", (event) => {
    const item = held;
    held = null;
    if (item) for (const drop of drops) drop(item, event.target.closest("[data-ref]"));
  }, true);
  document.addEventListener("focusin", (event) => {
    if (isOutside(event.target)) closePopup();
  });
  // A range's thumb moves by theme-dependent pixels: ranges are set with the keyboard.
  document.addEventListener("mousedown", (event) => {
    if (event.target.type !== "range") return;
    event.preventDefault();
    event.target.focus();
  });
  // What the browser itself lets one drag, links and selected text, would take the pointer away.
  document.addEventListener("dragstart", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") closePopup();
  });
  for (const kind of ["input", "change"]) document.addEventListener(kind, follow);
  document.addEventListener("submit", () => { leaving = true; });
  document.addEventListener("click", (event) => {
    if (event.target.closest("a[href]")) leaving = true;
  });

  const widgets = {
    autocomplete(w) {
      const control = byId(w.control), code = byId(w.code), list = byId(w.popup);
      const items = w.items.map(byId);
      let found = [];
      const fill = (answer) => {
        found = answer.slice(0, items.length);
        if (!found.length) {
          if (popup === list) closePopup();
          return;
        }
        items.forEach((item, place) => {
          show(item, place < found.length);
          if (place < found.length) item.textContent = found[place][1];
        });
        openPopup(list, control, control);
      };
      const take = (place) => {
        if (opener !== control) return;
        [code.value, control.value] = found[place];
        closePopup();
      };
      control.addEventListener("input", () => {
        code.value = "";
        const query = control.value.trim();
        fill(query ? ask(`${w.url}?${new URLSearchParams({ q: query })}`) : []);
      });
      control.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || opener !== control) return;
        event.preventDefault();
        take(0);
      });
      items.forEach((item, place) => onClick(item.id, () => take(place)));
    },
    calendar(w) {
      const list = byId(w.popup), cells = w.cells.map(byId);
      const codes = new Map(w.controls.map(([control, code]) => [byId(control), byId(code)]));
      const two = (number) => String(number).padStart(2, "0");
      const iso = (day) => `${year}-${two(month + 1)}-${two(day)}`;
      let year, month, offset;
      const draw = () => {
        const length = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
        const weekday = (new Date(Date.UTC(year, month, 1)).getUTCDay() + 6) % 7;
        offset = (weekday - w.week_start + 7) % 7;
        byId(w.title).textContent = `${MONTHS[month]} ${year}`;
        byId(w.previous).disabled = iso(1) <= w.first;
        byId(w.following).disabled = iso(length) >= w.last;
        cells.forEach((cell, place) => {
          const day = place - offset + 1, inside = day >= 1 && day <= length;
          show(cell, inside);
          if (!inside) return;
          cell.textContent = day;
          cell.disabled = iso(day) < w.first || iso(day) > w.last;
        });
      };
      const turn = (months) => {
        const count = year * 12 + month + months;
        [year, month] = [Math.floor(count / 12), count % 12];
        draw();
      };
      for (const [control, code] of codes) {
        onClick(control.id, () => {
          const start = code.value || w.first;
          [year, month] = [Number(start.slice(0, 4)), Number(start.slice(5, 7)) - 1];
          openPopup(list, control);
          draw();
        });
      }
      onClick(w.previous, () => turn(-1));
      onClick(w.following, () => turn(1));
      cells.forEach((cell, place) => onClick(cell.id, () => {
        const day = place - offset + 1;
        const parts = { d: day, dd: two(day), m: month + 1, mm: two(month + 1),
          mon: MONTHS[month].slice(0, 3), month: MONTHS[month], yyyy: year };
        opener.value = w.format.replace(/{(\w+)}/g, (_, name) => parts[name]);
        codes.get(opener).value = iso(day);
        closePopup();
      }));
    },
    stepper(w) {
      const control = byId(w.control);
      const change = (by) => {
        control.value = Math.min(w.most, Math.max(w.least, Number(control.value) + by));
      };
      onClick(w.minus, () => change(-1));
      onClick(w.plus, () => change(1));
    },
    listbox(w) {
      const button = byId(w.opener), code = byId(w.code), list = byId(w.popup);
      onClick(w.opener, () => {
        if (opener === button) closePopup(); else openPopup(list, button, button);
      });
      for (const id of w.items) onClick(id, () => {
        button.textContent = byId(id).textContent;
        code.value = nodeValue(byId(id));
        closePopup();
      });
    },
    depends(w) {
      const named = [...document.querySelectorAll(`[name="${CSS.escape(w.name)}"]`)];
      followers.push(() => {
        const values = named
          .filter((each) => !["checkbox", "radio"].includes(each.type) || each.checked)
          .map(valueOf);
        for (const id of w.ids) show(byId(id), values.includes(w.value));
      });
    },
    tabs(w) {
      const choose = (chosen) => w.openers.forEach((id, place) => {
        byId(id).classList.remove("selected");
        if (place === chosen) byId(id).classList.add("selected");
        for (const each of w.panels[place]) show(byId(each), place === chosen);
      });
      w.openers.forEach((id, place) => onClick(id, () => choose(place)));
      choose(0);
    },
    toggle(w) {
      onClick(w.opener, () => {
        byId(w.opener).classList.toggle("open");
        for (const id of w.ids) show(byId(id), byId(id).style.display === "none");
      });
    },
    reveal(w) {
      onClick(w.opener, () => {
        for (const id of w.hide) show(byId(id), false);
        for (const id of w.show) show(byId(id), true);
      });
    },
    choice(w) {
      for (const id of w.items) onClick(id, () => {
        byId(w.code).value = nodeValue(byId(id));
        for (const each of w.items) byId(each).classList.remove("selected");
        byId(id).classList.add("selected");
      });
    },
    sortable(w) {
      const items = w.items.map(byId);
      const note = () => { byId(w.code).value = items.map(nodeValue).join(","); };
      drops.push((item, target) => {
        const from = items.indexOf(item), to = items.indexOf(target);
        if (from < 0 || to < 0) return;
        const order = items.map((each) => [each.textContent, nodeValue(each)]);
        order.splice(to, 0, ...order.splice(from, 1));
        items.forEach((each, place) => {
          each.textContent = order[place][0];
          setNodeValue(each, order[place][1]);
        });
        note();
      });
      note();
    },
    dropzones(w) {
      drops.push((item, target) => {
        if (!target || !w.items.includes(item.id) || !w.zones.includes(target.id)) return;
        show(item, false);
        const code = byId(w.code), pair = `${nodeValue(item)}:${nodeValue(target)}`;
        code.value = code.value ? `${code.value},${pair}` : pair;
      });
    },
    mirror(w) {
      followers.push(() => { byId(w.output).textContent = byId(w.control).value; });
    },
    filter(w) {
      byId(w.control).addEventListener("input", () => {
        const wanted = byId(w.control).value.toLowerCase();
        for (const id of w.items) {
          show(byId(id), byId(id).textContent.toLowerCase().includes(wanted));
        }
      });
    },
  };
  for (const widget of JSON.parse(byId("gymworks-widgets").textContent)) {
    widgets[widget.type](widget);
  }
  follow();

  const listed = [...document.querySelectorAll("[data-ref]")];
  const refOf = (element) => Number(element?.closest("[data-ref]")?.dataset.ref ?? -1);
  const ownText = (element) => {
    if (["INPUT", "SELECT", "TEXTAREA"].includes(element.tagName)) return "";
    const parts = [...element.childNodes].filter((each) => each.nodeType === Node.TEXT_NODE);
    return parts.map((each) => each.data).join(" ").replace(/\s+/g, " ").trim();
  };
  const shownValue = (element) => {
    if (element.tagName === "SELECT") return element.selectedOptions[0]?.text ?? "";
    return ["INPUT", "BUTTON", "TEXTAREA"].includes(element.tagName) ? element.value : "";
  };
  const row = (element) => {
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height) return null;
    const tag = element.dataset.tag ?? element.tagName.toLowerCase();
    const hit = document.elementFromPoint(
      Math.round(box.left) + Math.floor(box.width / 2),
      Math.round(box.top) + Math.floor(box.height / 2));
    return [
      tag,
      tag === "input" || tag === "button" ? element.type : "",
      ownText(element) || element.getAttribute("aria-label") || "",
      shownValue(element),
      Math.round(box.left), Math.round(box.top), Math.round(box.width), Math.round(box.height),
      Boolean(element.checked), Boolean(element.disabled), Boolean(element.readOnly),
      !element.contains(hit),
      element.classList.contains("drag"),
      tag === "select" ? [...element.options].map((each) => each.text) : [],
      element.className,
    ];
  };
  const root = new URL(document.baseURI).pathname;
  window.gymworks = {
    snapshot() {
      if (leaving) return { leaving };
      return {
        path: location.pathname.slice(root.length),
        title: document.title,
        rows: listed.map(row),
        focus: document.activeElement === document.body ? -1 : refOf(document.activeElement),
        held: refOf(held),
      };
    },
    select(ref) { listed[ref].select(); },
    // Arrow keys from here to the option or number that is wanted; a click would open a menu.
    distance(ref, text) {
      const control = listed[ref];
      control.focus();
      if (control.tagName === "SELECT") {
        const wanted = [...control.options].findIndex((each) => each.text === text);
        return wanted - control.selectedIndex;
      }
      const [least, most, step] = [control.min, control.max, control.step].map(Number);
      const number = Math.min(most, Math.max(least, Number(text)));
      return Math.round((Number(control.value) - least - Math.round((number - least) / step) * step) / step);
    },
  };
})();
