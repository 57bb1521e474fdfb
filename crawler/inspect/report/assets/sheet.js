// -------------------------------------------------------- the contact sheet

const GAP = 12;
const HEAD = 40;
const TEXT = 44;
const AHEAD = 600; // pixels above and below the window that are filled

function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let at = 0;
  while (bytes >= 999.5 && at < units.length - 1) {
    bytes /= 1000;
    at += 1;
  }
  return `${at ? Number(bytes.toPrecision(3)) : bytes} ${units[at]}`;
}

class Sheet {
  constructor(data, chunks) {
    this.pictures = data.pictures;
    this.chunk = data.chunk;
    this.chunks = chunks;
    this.lines = [];
    this.box = byId("sheet");
    this.form = byId("filters");
    this.shown = []; // numbers of pictures, in their order
    this.rows = []; // {top, height, head} or {top, height, from, to}
    this.drawn = new Map();
    this.groups = new Map(); // URL of the first picture: numbers of all that are the same
    this.byUrl = new Map(this.pictures.map((one) => [one.url, one]));
    this.pictures.forEach((one, number) => {
      one.first = this.first(one);
      if (!this.groups.has(one.first)) this.groups.set(one.first, []);
      this.groups.get(one.first).push(number);
    });
    this.form.addEventListener("input", () => this.choose());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.box.addEventListener("click", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) this.lightbox.open(Number(tile.dataset.at));
    });
    addEventListener("scroll", () => this.plan(), { passive: true });
    new ResizeObserver(() => this.layout()).observe(this.box.parentElement);
    this.lightbox = new Lightbox(this);
    this.choose();
  }

  thumbnail(one) {
    const number = one["#"];
    if (number === undefined) return "";
    const chunk = Math.floor(number / this.chunk);
    this.lines[chunk] ??= this.chunks[chunk].textContent.split("\n");
    return this.lines[chunk][number % this.chunk];
  }

  file(one) {
    if (!one.path) return "";
    return root.dataset.base + one.path.split("/").map(encodeURIComponent).join("/");
  }

  // One that was not kept, as it looks like another, is shown by that.
  source(one) {
    const all = [one, ...(one.path ? [] : this.same(one).map((number) => this.pictures[number]))];
    for (const each of all) {
      const source = this.thumbnail(each) || this.file(each);
      if (source) return source;
    }
    return "";
  }

  // The URL of the picture that it is the same as, over any number of others.
  first(one) {
    const seen = new Set();
    let url = one.url;
    while (!seen.has(url)) {
      seen.add(url);
      url = this.byUrl.get(url)?.dup_of ?? url;
    }
    return url;
  }

  same(one) {
    return this.groups.get(one.first);
  }

  // Which pictures are shown

  choose() {
    const of = (name) => this.form.elements[name]?.value ?? "";
    const words = of("text").toLowerCase().split(/\s+/).filter(Boolean);
    const page = of("page").toLowerCase();
    const side = Number(of("size"));
    const fits = (one) =>
      (!of("host") || one.host === of("host")) &&
      (!of("format") || one.format === of("format")) &&
      (!side || Math.max(one.width ?? 0, one.height ?? 0) >= side) &&
      (!page || (one.page_url ?? "").toLowerCase().includes(page)) &&
      words.every((word) => this.words(one).includes(word));
    const found = [];
    this.pictures.forEach((one, number) => fits(one) && found.push(number));
    this.sort(found, of("order"));
    this.show = of("show");
    this.arrange(found);
    this.form.elements.found.value = `${count(this.shown.length)} shown`;
    this.layout(true);
  }

  words(one) {
    one.words ??= [one.url, one.alt, one.title, one.caption, one.link_text]
      .join(" ")
      .toLowerCase();
    return one.words;
  }

  sort(found, order) {
    const pixels = (one) => (one.width ?? 0) * (one.height ?? 0);
    const by = order === "1" ? pixels : order === "2" ? (one) => one.body_bytes ?? 0 : null;
    if (by) found.sort((a, b) => by(this.pictures[b]) - by(this.pictures[a]) || a - b);
  }

  arrange(found) {
    this.sections = [[null, found]];
    const groups = new Map();
    for (const number of found) {
      const group = this.same(this.pictures[number]);
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(number);
    }
    if (this.show === "1") {
      this.sections = [[null, [...groups.values()].map((group) => group[0])]];
    } else if (this.show === "2") {
      this.sections = [...groups.keys()]
        .filter((group) => group.length > 1)
        .map((group) => [this.head(group), group]);
    }
    this.shown = this.sections.flatMap(([, numbers]) => numbers);
  }

  head(group) {
    const near = group.some((number) => this.pictures[number].dup_kind === "near");
    return `${count(group.length)} pictures ${near ? "that look the same" : "with the same bytes"}`;
  }

  // Where they are

  layout(again) {
    const width = this.box.clientWidth;
    if (!width || (width === this.width && !again)) return;
    this.width = width;
    const least = width < 500 ? 100 : 168;
    const columns = Math.max(2, Math.floor((width + GAP) / (least + GAP)));
    this.side = (width - GAP * (columns - 1)) / columns;
    const tall = this.side * 0.78 + TEXT;
    let top = 0;
    let at = 0;
    this.rows = [];
    for (const [head, numbers] of this.sections) {
      if (head !== null) {
        this.rows.push({ top, height: HEAD, head });
        top += HEAD;
      }
      for (let from = 0; from < numbers.length; from += columns) {
        const to = Math.min(from + columns, numbers.length);
        this.rows.push({ top, height: tall, from: at + from, to: at + to });
        top += tall + GAP;
      }
      at += numbers.length;
    }
    this.box.replaceChildren();
    this.drawn.clear();
    this.box.style.height = `${Math.max(top, 60)}px`;
    if (!this.rows.length) {
      this.box.append(element("p", "empty", "No picture fits these filters."));
    }
    this.plan();
  }

  plan() {
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      this.draw();
    });
  }

  draw() {
    const offset = -this.box.getBoundingClientRect().top;
    const from = offset - AHEAD;
    const to = offset + innerHeight + AHEAD;
    for (const [row, drawn] of this.drawn) {
      if (row.top + row.height < from || row.top > to) {
        drawn.remove();
        this.drawn.delete(row);
      }
    }
    for (let at = this.firstFrom(from); at < this.rows.length; at += 1) {
      const row = this.rows[at];
      if (row.top > to) break;
      if (this.drawn.has(row)) continue;
      const drawn = this.row(row);
      this.drawn.set(row, drawn);
      this.box.append(drawn);
    }
  }

  firstFrom(top) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].top + this.rows[middle].height < top) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  row(row) {
    const drawn = element("div", row.head === undefined ? "tiles" : "head", row.head);
    drawn.style.top = `${row.top}px`;
    drawn.style.height = `${row.height}px`;
    for (let at = row.from ?? 0; at < (row.to ?? 0); at += 1) drawn.append(this.tile(at));
    return drawn;
  }

  tile(at) {
    const one = this.pictures[this.shown[at]];
    const tile = element("button", "tile");
    tile.type = "button";
    tile.dataset.at = at;
    tile.style.width = `${this.side}px`;
    const frame = element("span", "frame");
    frame.append(this.image(one));
    const others = this.same(one).length;
    if (others > 1 && this.show !== "2") frame.append(element("span", "badge", `×${others}`));
    const name = element("bdi", "name", name_of(one));
    name.title = one.url;
    const facts = [sides(one), one.format.toUpperCase(), size(one.body_bytes ?? 0)];
    if (!one.path) facts.push("not kept");
    if (one.damage) facts.push("damaged");
    tile.append(frame, name, element("span", "facts", facts.filter(Boolean).join(" · ")));
    return tile;
  }

  image(one) {
    const image = element("img");
    image.alt = one.alt ?? "";
    image.decoding = "async";
    image.addEventListener("error", () =>
      image.replaceWith(element("span", "none", one.format.toUpperCase())),
    );
    const source = this.source(one);
    if (!source) return element("span", "none", one.format.toUpperCase());
    if (one.width && Math.max(one.width, one.height) <= this.side * 0.7) {
      image.width = one.width; // an icon is not blown up
      image.height = one.height;
    } else image.className = "fill";
    image.src = source;
    return image;
  }
}

function name_of(one) {
  const path = one.url.split(/[?#]/)[0];
  const name = path.slice(path.lastIndexOf("/") + 1) || one.url;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function sides(one) {
  return one.width ? `${one.width}×${one.height}` : "";
}

class Lightbox {
  constructor(sheet) {
    this.sheet = sheet;
    this.dialog = byId("lightbox");
    this.large = byId("large");
    this.large.addEventListener("error", () => this.fall());
    this.dialog.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (event.target === this.dialog || button?.id === "close") this.dialog.close();
      else if (button?.dataset.step) this.step(Number(button.dataset.step));
      else if (button?.dataset.number) this.fill(Number(button.dataset.number));
    });
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") this.step(1);
      if (event.key === "ArrowLeft") this.step(-1);
    });
    this.dialog.addEventListener("close", () => this.large.removeAttribute("src"));
  }

  open(at) {
    this.at = at;
    this.fill(this.sheet.shown[at]);
    this.dialog.showModal();
  }

  step(by) {
    const length = this.sheet.shown.length;
    this.at = (this.at + by + length) % length;
    this.fill(this.sheet.shown[this.at]);
  }

  fill(number) {
    const one = this.sheet.pictures[number];
    this.one = one;
    byId("hint").textContent = "";
    byId("position").textContent = `${count(this.at + 1)} of ${count(this.sheet.shown.length)}`;
    this.large.alt = one.alt ?? "";
    this.large.hidden = false;
    this.large.classList.toggle("thumb", false);
    this.large.src = this.sheet.file(one) || this.sheet.source(one);
    this.record(one);
    this.others(number);
  }

  fall() {
    const thumbnail = this.sheet.thumbnail(this.one);
    const isThumbnail = this.large.getAttribute("src") === thumbnail;
    this.large.hidden = !thumbnail || isThumbnail;
    byId("hint").textContent = this.large.hidden
      ? "The file is not beside this page, or no browser shows its format."
      : "This is the thumbnail: the file is not beside this page.";
    if (this.large.hidden) return;
    this.large.classList.toggle("thumb", true);
    this.large.src = thumbnail;
  }

  record(one) {
    const list = byId("record");
    list.replaceChildren();
    for (const [name, value] of Object.entries(one)) {
      if (["#", "words", "first"].includes(name)) continue;
      const entry = element("dd");
      for (const part of Array.isArray(value) ? value : [value]) entry.append(this.value(name, part));
      list.append(element("dt", "", name), entry);
    }
  }

  value(name, value) {
    const line = element("div");
    if (typeof value === "string" && /^https?:\/\//.test(value)) {
      line.append(webLink(value, value));
    } else if (name === "path") {
      const link = element("a", "", value);
      link.href = this.sheet.file(this.one);
      link.target = "_blank";
      line.append(link);
    } else {
      const isCount = typeof value === "number" && /bytes$/.test(name);
      const text = isCount ? count(value) : typeof value === "object" ? JSON.stringify(value) : value;
      line.append(element("bdi", "", String(text)));
    }
    return line;
  }

  others(number) {
    const box = byId("same");
    box.replaceChildren();
    const group = this.sheet.same(this.one);
    if (group.length < 2) return;
    box.append(element("p", "note", `${this.sheet.head(group)}:`));
    for (const other of group.slice(0, 24)) {
      const button = element("button", other === number ? "other here" : "other");
      button.type = "button";
      button.dataset.number = other;
      const picture = this.sheet.pictures[other];
      button.title = picture.url;
      button.append(this.sheet.image(picture), element("span", "", sides(picture)));
      box.append(button);
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const folders = byId("folders");
  if (folders) new Tree(folders, JSON.parse(byId("site").textContent));
  const data = byId("data");
  if (!byId("filters")) return;
  // After the first picture of the page itself.
  requestAnimationFrame(() =>
    setTimeout(() => new Sheet(JSON.parse(data.textContent), document.getElementsByClassName("thumbnails"))),
  );
});
