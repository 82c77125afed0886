// What a screen shows while nothing is wrong: the time, bells, slides, and
// where one is listened to; and the page of care after an alarm.
import { make, icon } from "./dom.js";
import { clock as span } from "./text.js";
import { shrink } from "./lobby-alarm.js";

const soon = 6 * 3600 * 1000; // within which a bell is counted down to
const two = (n) => String(n).padStart(2, "0");
// What a slide may be made of; the gateway sends nothing else.
const tags = new Set(["h1", "h2", "h3", "p", "ul", "ol", "li", "blockquote", "hr", "br", "strong", "em", "img", "table", "tr", "th", "td"]);

export class Day {
  constructor(section, now) {
    this.section = section;
    this.now = now; // the gateway's monotonic clock
    this.data = {};
    this.steps = [];
    this.at = -1;
    this.running = null; // of this turn of slides; null while stopped
  }

  get(id) { return this.section.querySelector("#" + id); }

  set(data) {
    const before = JSON.stringify(this.steps);
    this.data = data;
    this.steps = [...(data.slides ?? []), ...(data.help ?? []).map((help) => ({ help }))];
    if (!data.slides && this.steps.length) this.steps.unshift({ site: true });
    this.section.classList.toggle("alone", !data.clock && !data.bells && !data.help);
    fill(this.section.querySelectorAll("#date span"), data.days ?? []);
    this.drawHelp(0);
    this.tick();
    if (JSON.stringify(this.steps) !== before && this.running) { this.stop(); this.start(); }
  }

  // wall is the time of day here, as a Date whose UTC parts are meant.
  wall(ms) { return new Date(ms + this.data.clock.zone); }

  hhmm(ms) {
    const at = this.wall(ms);
    return two(at.getUTCHours()) + ":" + two(at.getUTCMinutes());
  }

  tick() {
    this.beat = !this.beat;
    this.section.querySelector(".live-dot").classList.toggle("dim", this.beat);
    const known = Boolean(this.data.clock);
    this.get("time").hidden = !known;
    if (!known) {
      this.get("bell").hidden = this.get("bells").hidden = true;
      return;
    }
    const now = this.data.clock.zero + this.now();
    text(this.get("clock"), this.hhmm(now));
    this.drawBells(now);
  }

  drawBells(now) {
    const bells = this.data.bells ?? [], next = bells.find((bell) => bell.at > now);
    this.get("bell").hidden = !next;
    if (next) {
      fill(this.section.querySelectorAll(".bell-name span"), next.names.map((name, i) => (next.days ? next.days[i] + " · " : "") + name));
      text(this.get("bell-at"), this.hhmm(next.at));
      text(this.get("bell-in"), next.at - now < soon ? span(next.at - now + 999) : "");
    }
    const today = bells.filter((bell) => !bell.days), list = this.get("bells");
    list.hidden = today.length < 2;
    const print = JSON.stringify(today.map((bell) => [bell.at, bell.at <= now, bell === next]));
    if (list.dataset.print === print) return;
    list.dataset.print = print;
    list.replaceChildren(...today.map((bell) => make("li", { class: bell === next ? "next" : bell.at <= now ? "past" : "" }, this.hhmm(bell.at))));
  }

  drawHelp(turn) {
    const all = this.data.help ?? [], box = this.get("help"), help = all[turn % all.length];
    box.hidden = !help;
    const print = JSON.stringify(help ?? null);
    if (box.dataset.print === print) return;
    box.dataset.print = print;
    box.replaceChildren(...(help ? contact(help, this.section.querySelector("#help-words")) : []));
  }

  start() {
    if (this.running) return;
    this.running = new AbortController();
    this.rotate(this.running.signal);
  }

  stop() {
    this.running?.abort();
    this.running = null;
  }

  // rotate shows one step after another until it is stopped. A step that does
  // not come is left out.
  async rotate(stopped) {
    let failed = 0;
    this.stage(null);
    while (!stopped.aborted && this.steps.length && failed < this.steps.length) {
      this.at = (this.at + 1) % this.steps.length;
      const step = this.steps[this.at];
      let shown;
      try {
        shown = step.site ? null : await this.slide(step, stopped);
      } catch {
        failed++;
        continue;
      }
      if (stopped.aborted) return;
      failed = 0;
      this.stage(shown);
      this.drawHelp(this.at);
      this.fit();
      await wait(this.data.for, stopped);
    }
    // None came: ask again later, for the gateway may be busy.
    if (this.steps.length && !stopped.aborted) {
      await wait(30000, stopped);
      if (!stopped.aborted) this.rotate(stopped);
    }
  }

  stage(shown) {
    this.get("site").hidden = shown !== null;
    this.get("slide").hidden = shown === null;
    this.get("slide").replaceChildren(...(shown ? [shown] : []));
  }

  async slide(step, stopped) {
    if (step.help) return make("div", { class: "slide contact" }, ...contact(step.help, this.section.querySelector("#help-words")));
    if (step.picture) {
      const picture = make("img", { class: "picture", src: step.url, alt: "" });
      await picture.decode();
      return picture;
    }
    const answer = await fetch(step.url, { signal: stopped });
    if (!answer.ok) throw new Error("slide " + answer.status);
    const page = make("div", { class: "slide page", lang: step.lang }, ...(await answer.json()).map(build));
    await Promise.all([...page.querySelectorAll("img")].map((img) => img.decode().catch(() => img.remove())));
    return page;
  }

  fit() {
    const page = this.get("slide").firstElementChild;
    if (page && !page.matches("img")) shrink(page, "--fit", () => page.scrollHeight > page.clientHeight + 1 || page.scrollWidth > page.clientWidth + 1);
    const side = this.section.querySelector(".side");
    shrink(side, "--fit", () => side.scrollHeight > side.clientHeight + 1 || side.scrollWidth > side.clientWidth + 1, 0.6);
  }
}

// drawCare is the page after an alarm: it is over, and one may talk about it.
export function drawCare({ over, help }) {
  return make("div", { class: "care-page" },
    icon("care", "care-icon"),
    make("div", { class: "care-words" }, ...over.texts.map((said, i) => make("div", { class: i ? "care-other" : "care-own", lang: said.lang },
      ...(said.care ?? []).slice(0, i ? 2 : 3).map((line, n) => make("p", { class: n ? "" : "care-title" }, line))))),
    help.length ? make("div", { class: "care-help" }, ...help.slice(0, 2).map((one) => make("div", { class: "help" }, ...contact(one)))) : null);
}

function contact(help, words) {
  return [
    help.qr ? code(help.qr) : null,
    make("div", { class: "help-words" },
      words ? turning(words.content.cloneNode(true), "help-title") : null,
      make("p", { class: "help-name" + (new Set(help.names).size > 1 ? " turning" : "") }, ...[...new Set(help.names)].map((name, i) => make("span", { class: i ? "" : "on" }, name))),
      help.phone ? make("p", { class: "help-phone" }, help.phone) : null),
  ].filter(Boolean);
}

function turning(lines, className) {
  const line = make("p", { class: "turning " + className }, lines);
  line.firstElementChild?.classList.add("on");
  return line;
}

// code draws a QR code, black on white whatever is around it.
function code(qr) {
  const svg = icon("other", "qr"), path = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", `0 0 ${qr.size} ${qr.size}`);
  svg.setAttribute("shape-rendering", "crispEdges");
  path.setAttribute("d", qr.path);
  svg.replaceChildren(path);
  return svg;
}

function build(node) {
  if (!tags.has(node.t)) return document.createTextNode(node.x ?? "");
  if (node.t === "img") return make("img", { src: node.src, alt: node.alt });
  return make(node.t, {}, ...(node.n ?? []).map(build));
}

function fill(elements, texts) { elements.forEach((element, i) => text(element, texts[i] ?? "")); }

// text writes only what differs, so that a page that ticks draws nothing twice.
function text(element, words) { if (element.textContent !== words) element.textContent = words; }

// wait leaves nothing behind: a screen stands for weeks.
function wait(ms, stopped) {
  return new Promise((done) => {
    const end = () => { clearTimeout(timer); stopped.removeEventListener("abort", end); done(); };
    const timer = setTimeout(end, ms);
    stopped.addEventListener("abort", end);
  });
}
