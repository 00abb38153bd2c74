// Reads a task's page and starts its episodes; envs/web/miniwob/client.py puts it in.
(() => {
  "use strict";
  const MOST = 96, LONGEST = 256, FIRST_MOMENT = 1488326400000;
  // The scaffolding around a task, which is no part of it.
  const OUTSIDE = new Set(["reward-display", "sync-task-cover", "click-canvas", "query"]);
  const SKIPPED = new Set(["SCRIPT", "STYLE", "BR", "HR", "OPTION", "OPTGROUP", "defs"]);
  const CONTROLS = new Set(["A", "BUTTON", "INPUT", "SELECT", "TEXTAREA"]);
  const KEPT_TYPES = new Set(["checkbox", "password", "radio", "submit"]);
  const GRABBED = /\bui-(draggable|sortable-handle|slider-handle|resizable-handle)\b/;
  let listed = [], pressed = null;

  // Every episode begins at the same moment, however long the page has been open.
  const RealDate = Date;
  let shift = 0;
  const now = () => RealDate.now() - shift;
  window.Date = new Proxy(RealDate, {
    construct: (target, given, self) => Reflect.construct(target, given.length ? given : [now()], self),
    apply: () => new RealDate(now()).toString(),
    get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
  });
  // The cover would hide how an episode ended; the caret blinks.
  document.head.append(Object.assign(document.createElement("style"),
    { textContent: "#sync-task-cover { display: none !important } * { caret-color: transparent !important }" }));
  window.addEventListener("mousedown", (event) => { pressed = event.target; }, true);
  window.addEventListener("mouseup", () => { pressed = null; }, true);
  // The menu of a select would open outside the page, where nobody can see or reach it.
  window.addEventListener("mousedown", (event) => {
    if (event.target.tagName !== "SELECT") return;
    event.preventDefault();
    event.target.focus();
  });
  // A blank would open the menu of a date or time, which is a window of its own.
  window.addEventListener("keydown", (event) => {
    if (event.key === " " && ["date", "time"].includes(event.target.type)) event.preventDefault();
  }, true);
  // A form that reloads the page would end the task without a reward.
  window.addEventListener("submit", (event) => event.preventDefault());

  const tidy = (text) => text.replace(/\s+/g, " ").trim().slice(0, LONGEST);
  const classesOf = (element) => element.getAttribute("class") ?? "";
  const ownText = (element) => {
    let text = "";
    for (let node = element.firstChild; node; node = node.nextSibling) {
      if (node.nodeType === Node.TEXT_NODE) text += ` ${node.data}`;
    }
    return text ? tidy(text) : "";
  };
  const isGrabbed = (element) =>
    GRABBED.test(classesOf(element)) || element.getAttribute("draggable") === "true"
    || "__onmousedown.drag" in element  // d3 3
    || Boolean(element.__on?.some((on) => on.type === "mousedown" && on.name === "drag"));  // d3 4
  const isEditor = (element) => element.contentEditable === "true";
  // What a control or an element without text is called: by its label or by its looks.
  const spoken = (element) => {
    const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent
      ?? element.getAttribute("alt") ?? element.getAttribute("placeholder")
      ?? element.getAttribute("title");
    if (label) return tidy(label);
    const colour = element.getAttribute("fill") ?? element.style.fill ?? "";
    return tidy(`${colour || element.style.backgroundColor} ${element instanceof SVGElement ? element.tagName : ""}`);
  };
  const shownValue = (element) => {
    if (element.tagName === "SELECT") return element.selectedOptions[0]?.text ?? "";
    if (isEditor(element)) return tidy(element.textContent);
    return typeof element.value === "string" && element.tagName !== "LI"
      ? element.value.slice(0, LONGEST) : "";
  };
  const typeOf = (element, tag) => {
    if (tag === "button") return element.type === "submit" ? "submit" : "button";
    if (tag !== "input") return "";
    if (["button", "image", "reset"].includes(element.type)) return "submit";
    return KEPT_TYPES.has(element.type) ? element.type : "text";
  };

  // 0 for what can be handled, 1 for texts, 2 for other leaves, null for mere containers.
  const rank = (element, text) => {
    if (CONTROLS.has(element.tagName) || isEditor(element) || isGrabbed(element)) return 0;
    if (text) return 1;
    return element.childElementCount ? null : 2;
  };
  const collect = (parent, found) => {
    for (let element = parent.firstElementChild; element; element = element.nextElementSibling) {
      if (OUTSIDE.has(element.id) || SKIPPED.has(element.tagName)) continue;
      const text = CONTROLS.has(element.tagName) && element.tagName !== "A" && element.tagName !== "BUTTON"
        ? "" : ownText(element);
      const importance = rank(element, text);
      if (importance !== null) {
        const box = element.getBoundingClientRect();
        if (box.width && box.height) found.push({ element, text, importance, box });
      }
      if (element.tagName !== "SELECT" && !isEditor(element)) collect(element, found);
    }
    return found;
  };
  // Where an element around others lets them show, and whether it could be scrolled.
  const windowOf = (outer) => {
    const isPage = outer === document.documentElement;
    const { left, top, right, bottom } = isPage
      ? { left: 0, top: 0, right: innerWidth, bottom: innerHeight } : outer.getBoundingClientRect();
    const overflows = outer.scrollHeight > outer.clientHeight || outer.scrollWidth > outer.clientWidth;
    const scrolls = overflows && (isPage || getComputedStyle(outer).overflow !== "visible");
    return { left, top, right, bottom, scrolls };
  };
  // Whether scrolling could bring the middle of a box into view.
  const isScrolledAway = (element, x, y, windows) => {
    if (x + scrollX < 0 || y + scrollY < 0) return false;  // left of the page or above it
    for (let outer = element.parentElement; outer; outer = outer.parentElement) {
      let box = windows.get(outer);
      if (!box) windows.set(outer, box = windowOf(outer));
      const inside = x >= box.left && x < box.right && y >= box.top && y < box.bottom;
      if (!inside && box.scrolls) return true;
    }
    return false;
  };
  const middle = (box) => [
    Math.round(box.left) + Math.floor(Math.round(box.width) / 2),
    Math.round(box.top) + Math.floor(Math.round(box.height) / 2),
  ];
  const row = ({ element, text, box }, ref, away, windows) => {
    const [x, y] = middle(box);
    let covered = !element.contains(document.elementFromPoint(x, y));
    if (covered) {
      if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return null;
      if (isScrolledAway(element, x, y, windows)) {
        covered = false;
        away.push(ref);
      }
    }
    const tag = isEditor(element) ? "textarea" : element.tagName.toLowerCase();
    return [
      tag, typeOf(element, tag), text || spoken(element), shownValue(element),
      Math.round(box.left), Math.round(box.top), Math.round(box.width), Math.round(box.height),
      Boolean(element.checked), Boolean(element.disabled), Boolean(element.readOnly),
      covered, isGrabbed(element),
      tag === "select" ? [...element.options].map((each) => each.text) : [],
      classesOf(element),
    ];
  };
  const refOf = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const ref = listed.indexOf(each);
      if (ref >= 0) return ref;
    }
    return -1;
  };

  const look = () => {
    let found = collect(document.body, []);
    if (found.length > MOST) {
      const ranked = [...found.keys()].sort((a, b) => found[a].importance - found[b].importance || a - b);
      found = ranked.slice(0, MOST).sort((a, b) => a - b).map((place) => found[place]);
    }
    const away = [], windows = new Map();
    listed = found.map(({ element }) => element);
    return {
      rows: found.map((each, ref) => row(each, ref, away, windows)),
      away,
      focus: document.activeElement === document.body ? -1 : listed.indexOf(document.activeElement),
      held: pressed ? refOf(pressed) : -1,
      done: WOB_DONE_GLOBAL,
      raw: WOB_RAW_REWARD_GLOBAL,
      scaled: WOB_REWARD_GLOBAL,
      title: document.title,
    };
  };
  // What an episode leaves behind in its page: timers, animations, and where Tab goes on from.
  let firstTimer = setTimeout(() => {});
  const forget = () => {
    const last = setTimeout(() => {});
    for (let timer = last; timer >= firstTimer; timer--) clearTimeout(timer);
    firstTimer = last;
    window.jQuery?.(":animated").finish();
    document.activeElement?.blur();
    pressed = null;
  };
  // Tab starts at the top of a page; later than the task's own start, so that it is laid out once.
  const startTabAtTop = () => {
    if (document.activeElement !== document.body) return;
    const top = document.documentElement;
    top.tabIndex = -1;
    top.focus();
    top.blur();
    top.removeAttribute("tabindex");
  };
  window.gymworks = {
    look,
    start(seed, split) {
      core.endEpisode(0);
      forget();
      shift = RealDate.now() - FIRST_MOMENT;
      Math.seedrandom(seed);
      core.setDataMode(split);
      core.startEpisodeReal();
      startTabAtTop();
      const given = core.getUtterance();
      const problem = typeof given === "string" ? { utterance: given } : given;
      const marked = [...document.querySelectorAll("#query b, #query .bold")];
      return {
        utterance: problem.utterance,
        fields: Object.entries(problem.fields ?? {}).map(([name, text]) => [name, String(text)]),
        marked: marked.map((each) => tidy(each.textContent)),
      };
    },
    // Scrolls as little as brings an element into view; returns its middle.
    reach(ref) {
      listed[ref].scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
      return middle(listed[ref].getBoundingClientRect());
    },
    select(ref) {
      const control = listed[ref];
      if (isEditor(control)) {
        getSelection().selectAllChildren(control);
      } else if (["date", "time"].includes(control.type)) {
        control.blur();
        control.focus();  // on its first part
      } else {
        control.select?.();
      }
    },
    // Arrow keys from here to the option that is wanted; a click would open a menu.
    distance(ref, text) {
      const control = listed[ref];
      control.focus();
      return [...control.options].findIndex((each) => each.text === text) - control.selectedIndex;
    },
  };
})();
