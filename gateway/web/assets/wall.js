import { connect } from "./stream.js";
import { make, icon, update } from "./dom.js";
import { Texts } from "./text.js";

const root = document.documentElement;
const byID = (id) => document.getElementById(id);
const texts = new Texts();
const shortest = 120; // ms; a hand cannot press for less, a mouse can

// Each point's actions go out one after the other: a release that overtook
// its press would leave the button held down.
const queues = new Map();
function act(point, action) {
  const send = () => fetch(`/api/v1/wall/${encodeURIComponent(point)}/${action}`, { method: "POST", keepalive: true }).catch(() => {});
  const next = (queues.get(point) ?? Promise.resolve()).then(send);
  queues.set(point, next);
}

const held = new Map(); // point -> when it was pressed
function press(point) {
  if (held.has(point)) return;
  held.set(point, performance.now());
  show(point);
  act(point, "press");
}
function release(point) {
  if (!held.has(point)) return;
  const wait = shortest - (performance.now() - held.get(point));
  held.delete(point);
  show(point);
  if (wait > 0) setTimeout(() => act(point, "release"), wait); else act(point, "release");
}
function show(point) {
  document.querySelector(`[data-button="${CSS.escape(point)}"]`)?.classList.toggle("held", held.has(point));
}
addEventListener("pagehide", () => { for (const point of [...held.keys()]) { held.delete(point); act(point, "release"); } });
addEventListener("blur", () => { for (const point of [...held.keys()]) release(point); });

function button(b) {
  const knob = make("button", {
    type: "button", class: "knob" + (b.on ? " pressed" : "") + (held.has(b.id) ? " held" : ""), "data-button": b.id,
    "aria-label": texts.fill("wall.press", { id: b.id }),
    onpointerdown: (event) => { event.preventDefault(); knob.focus(); knob.setPointerCapture(event.pointerId); press(b.id); },
    onpointerup: () => release(b.id), onpointercancel: () => release(b.id), onlostpointercapture: () => release(b.id),
    onkeydown: (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); press(b.id); } },
    onkeyup: (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); release(b.id); } },
    onblur: () => release(b.id), oncontextmenu: (event) => event.preventDefault(),
  }, make("span", { class: "knob-cap" }, icon(b.icon, "knob-icon")));
  return make("div", { class: "button" + (b.quiet ? " quiet-kind" : "") + (b.tampered ? " tampered" : "") + (b.unplugged ? " unplugged" : "") },
    knob,
    make("div", { class: "button-words" }, make("code", {}, b.id),
      make("p", {}, make("b", {}, texts.get("wall.tap")), b.tap),
      make("p", {}, make("b", {}, texts.get("wall.hold")), b.hold),
      make("div", { class: "toggles" }, toggle(b, "tampered", "wall.tamper", "tamper", "untamper"), toggle(b, "unplugged", "wall.unplug", "unplug", "plug"))));
}

function toggle(point, field, word, on, off) {
  return make("label", { class: "toggle" },
    make("input", { type: "checkbox", checked: point[field], onchange: (event) => act(point.id, event.target.checked ? on : off) }),
    make("span", {}, texts.get(word)));
}

// A pressed button must stay the same element: the pointer is captured by it.
function buttonKept(b, kept) {
  const knob = kept?.querySelector(".knob");
  if (!knob || !held.has(b.id)) return button(b);
  knob.classList.toggle("pressed", b.on);
  return kept;
}

function lamp(l) {
  const word = l.unplugged ? "wall.lamp.cut" : l.on ? "wall.lamp.on" : "wall.lamp.off";
  return make("div", { class: "lamp" + (l.on && !l.unplugged ? " on" : "") + (l.unplugged ? " unplugged" : ""), "data-lamp": l.id },
    make("span", { class: "bulb", role: "img", "aria-label": texts.get("wall.lamp") + " " + l.id + ": " + texts.get(word) }),
    make("code", {}, l.id), toggle(l, "unplugged", "wall.unplug", "unplug", "plug"));
}

function placeCard(p, kept) {
  const card = kept ?? make("section", { class: "place-card" },
    make("header", {}, make("h2", {}, p.path.at(-1)), make("p", { class: "dim" }, p.path.slice(0, -1).join(" · "))),
    make("div", { class: "lamps" }), make("div", { class: "buttons-list" }));
  update(card.querySelector(".lamps"), p.lamps, (l) => l.id, lamp);
  update(card.querySelector(".buttons-list"), p.buttons, (b) => b.id, buttonKept);
  return card;
}

// zone shows what a zone's loudspeakers say, or would say if it had any.
function zone(z) {
  const says = z.says, sounds = says && says.speakers > 0;
  return make("li", { class: "zone-card " + (says ? says.priority + (sounds ? " sounds" : " mute") : "silent"), "data-zone": z.id },
    icon(says && !sounds ? "speaker-off" : "speaker", "zone-icon"),
    make("div", {}, make("strong", {}, z.name),
      says ? make("p", { class: "zone-text" }, says.status === "Actual" ? null : make("b", {}, texts.get("status." + says.status) + ". "), says.text) : null,
      make("p", { class: "dim" }, texts.get(!says ? "pa.silent" : sounds ? "pa.says" : "pa.would"))));
}

const address = new URL("/api/v1/events", location.href);
address.searchParams.set("audience", "wall");
address.searchParams.set("lang", root.lang);
connect(address, {
  state(state) {
    update(byID("places"), state.places, (p) => p.id, placeCard);
    update(byID("zones"), state.zones, (z) => z.id, zone);
    byID("pa").hidden = state.zones.length === 0;
  },
  stale() { byID("stale").hidden = false; },
  live() { byID("stale").hidden = true; },
});

// The hallway displays of a simulated board, dot by dot. They change by themselves
// and often, so the page asks what there is instead of being told.
const wide = 384; // CSS pixels, about
function display(d, kept) {
  const source = `/api/v1/wall/displays/${encodeURIComponent(d.id)}.png?v=${d.version}`, scale = Math.max(1, Math.floor(wide / d.width));
  if (kept) { kept.querySelector("img").src = source; return kept; }
  return make("figure", { "data-display": d.id },
    make("img", { src: source, alt: texts.fill("wall.display", { id: d.id }), width: d.width * scale, height: d.height * scale }),
    make("figcaption", {}, d.id));
}
async function look() {
  try {
    const answer = await fetch("/api/v1/wall/displays");
    if (answer.ok) update(byID("displays"), (await answer.json()).displays, (d) => d.id, display);
  } catch { /* the stream says that the gateway is away */ }
  setTimeout(look, document.hidden ? 2000 : 250);
}
if (byID("displays")) look();
