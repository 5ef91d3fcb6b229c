// Makes elements. Text is only ever text: nothing from the daemon is read as markup.

const SVG = "http://www.w3.org/2000/svg";

/** Returns an element with these attributes, `on...` listeners and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((it) => it !== undefined && it !== null && it !== ""));
  return element;
}

/** Returns a picture of the sprite; what it means is always said in words beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export const find = (id) => document.getElementById(id);

/** Sets the text of an element if it is another one: what stays is not read out again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Returns a text of which what stands in backticks is to be typed as it is. */
export function prose(text) {
  return text.split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));
}

/** Runs a function at most once per frame, however often it is asked for; also in hidden pages. */
export function once_per_frame(run) {
  let waits = false;
  return () => {
    if (waits) return;
    waits = true;
    const go = () => {
      if (!waits) return;
      waits = false;
      run();
    };
    if (document.hidden) setTimeout(go, 250);
    else requestAnimationFrame(go);
  };
}

/** Replaces the children by others, and leaves the focus with whoever has the same `data-key`. */
export function replace(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.dataset.key;
  parent.replaceChildren(...children);
  if (key === undefined) return;
  const heir = [...parent.querySelectorAll("[data-key]")].find((it) => it.dataset.key === key);
  (heir ?? parent.closest("[tabindex]"))?.focus({ preventScroll: true });
}

/** Gives the focus back to an element, or to who took its place; returns whether there is one. */
export function give_back(element) {
  const key = element?.dataset.key;
  const heir = () =>
    key !== undefined &&
    [...document.querySelectorAll("[data-key]")].find((it) => it.dataset.key === key);
  const there = element?.isConnected ? element : heir();
  if (there) there.focus();
  return Boolean(there);
}

/** Has Up, Down, Home and End move among the buttons of a list, which is one tab stop. */
export function rove(list) {
  const buttons = () => [...list.querySelectorAll("button")];
  const settle = (chosen) => {
    for (const it of list.querySelectorAll('button[tabindex="0"]')) it.tabIndex = -1;
    if (chosen) chosen.tabIndex = 0;
  };
  list.addEventListener("focusin", (event) => {
    if (event.target.matches("button")) settle(event.target);
  });
  list.addEventListener("keydown", (event) => {
    const all = buttons();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, to))].focus();
  });
  return () => {
    if (!list.querySelector('button[tabindex="0"]')) settle(buttons()[0]);
  };
}
