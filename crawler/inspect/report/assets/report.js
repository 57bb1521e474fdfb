"use strict";
// Theme, copying, tips of plots, and the tree. sheet.js follows in the same script.

const root = document.documentElement;
const byId = (id) => document.getElementById(id);

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const count = (number) => number.toLocaleString("en");

// ---------------------------------------------------------------- the theme

const THEME = "orbweb-report-theme";
const isDark = () =>
  root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
try {
  const kept = localStorage.getItem(THEME);
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
} catch {
  // A page that was opened from a file may have no storage.
}

function switchTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem(THEME, root.dataset.theme);
  } catch {
    // As above: the choice holds until the page is closed.
  }
}

// ------------------------------------------------------- buttons of the page

function copy(button) {
  const text = button.dataset.copy;
  const done = () => {
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  const select = () => {
    const range = document.createRange();
    range.selectNodeContents(button.previousElementSibling);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    if (document.execCommand("copy")) done();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, select);
  else select();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "theme") switchTheme();
  else if (button.dataset.copy !== undefined) copy(button);
});

// ------------------------------------------------------------ tips of plots

document.addEventListener("pointermove", (event) => {
  const tip = byId("tip");
  if (!tip) return;
  const of = event.target.closest && event.target.closest("[data-tip]");
  tip.hidden = !of;
  if (!of) return;
  tip.textContent = of.dataset.tip;
  const { width, height } = tip.getBoundingClientRect();
  const right = event.clientX + 14 + width > innerWidth;
  const x = right ? event.clientX - 14 - width : event.clientX + 14;
  tip.style.left = `${Math.max(4, x)}px`;
  tip.style.top = `${Math.max(4, event.clientY - height - 10)}px`;
});

// ----------------------------------------------------------------- the tree

const KINDS = [["page", "pages and files"], ["image", "pictures"], ["error", "failed"]];
const MOST_OPEN = 12; // entries of a folder that is open at first
const MOST_OPEN_ALONE = 60; // and of a host that is the only one

// Escapes are decoded where a person can read that; see `readable` in markup.py.
function readable(text) {
  try {
    const decoded = decodeURIComponent(text);
    return /[\p{C}\p{Z}]/u.test(decoded) ? text : decoded;
  } catch {
    return text;
  }
}

function shorter(text) {
  return text.length > 160 ? `${text.slice(0, 110)}…${text.slice(-45)}` : text;
}

class Tree {
  constructor(box, top) {
    this.box = box;
    const hosts = top[5].sort((a, b) => b[1] - a[1]);
    const most = hosts.length > 1 ? MOST_OPEN : MOST_OPEN_ALONE;
    for (const host of hosts) box.append(this.folder(host, "", most, 0));
    box.parentElement.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-tree]");
      if (button) this.openAll(button.dataset.tree === "open", box);
    });
  }

  openAll(open, list) {
    for (const one of list.querySelectorAll(":scope > li > details")) {
      if (open) one.fill();
      one.open = open;
      this.openAll(open, one.lastElementChild);
    }
  }

  folder(folder, before, most, level) {
    let name = `${folder[0]}/`;
    let [, pages, pictures, failed, unnamed, folders, leaves] = folder;
    while (folders.length === 1 && !leaves.length && !unnamed) {
      name += `${folders[0][0]}/`;
      [, pages, pictures, failed, unnamed, folders, leaves] = folders[0];
    }
    const path = before + name;
    const item = element("li");
    const hasEntries = folders.length || leaves.length || unnamed;
    const summary = element(hasEntries ? "summary" : "div", "folder");
    const shown = element("bdi", "", shorter(readable(name.replace(/^https:\/\//, ""))));
    shown.title = path;
    summary.append(shown);
    [pages, pictures, failed].forEach((number, at) => {
      if (!number) return;
      const [kind, title] = KINDS[at];
      const counter = element("span", `count ${kind}`, count(number));
      counter.title = title;
      summary.append(counter);
    });
    if (!hasEntries) {
      item.append(summary);
      return item;
    }
    const details = element("details");
    const list = element("ul");
    details.append(summary, list);
    details.fill = () => {
      details.fill = () => {};
      for (const one of folders) list.append(this.folder(one, path, MOST_OPEN, level + 1));
      for (const one of leaves) list.append(this.leaf(one, path));
      if (unnamed > 0) list.append(element("li", "more", `and ${count(unnamed)} more`));
    };
    details.addEventListener("toggle", () => details.open && details.fill());
    if (level < 2 && folders.length + leaves.length <= most) {
      details.fill();
      details.open = true;
    }
    item.append(details);
    return item;
  }

  leaf([name, title, failed], path) {
    const item = element("li");
    item.append(webLink(path + name, shorter(readable(name)) || "/"));
    if (failed) item.append(element("b", "bad", failed));
    if (title) {
      const text = element("bdi", "", title);
      text.dir = "auto";
      item.append(text);
    }
    return item;
  }
}

function webLink(url, text) {
  if (!/^https?:\/\//.test(url) || url.endsWith("…")) return element("bdi", "", text);
  const link = element("a");
  link.append(element("bdi", "", text));
  link.href = url;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  return link;
}
