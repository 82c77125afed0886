// What the pages share: texts, elements, one stream that never pretends to be
// alive, the bell, and the session's end.

const root = document.documentElement;
export const words = JSON.parse(root.dataset.words);

// text returns a text with the names in braces filled in.
export function text(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// count returns a plural text: one, few, many in Russian; one, other elsewhere.
export function count(key, n) {
  const forms = (words[key] ?? key).split("|"), ones = n % 10, tens = n % 100;
  let i = n === 1 ? 0 : 1;
  if (root.lang === "ru") i = ones === 1 && tens !== 11 ? 0 : ones >= 2 && ones <= 4 && (tens < 12 || tens > 14) ? 1 : 2;
  return forms[Math.min(i, forms.length - 1)].replace("{n}", n);
}

// clock says a duration in figures only, "02:15", which needs no plural.
export function clock(ms) {
  const s = Math.floor(Math.max(ms, 0) / 1000), two = (n) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return (h ? h + ":" : "") + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
}

// make builds an element: make("p", {class: "x", onclick: f}, child, "text").
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export const line = (l) => l ? make("p", { class: "line " + l.how }, l.text) : null;

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#icon-" + name);
  svg.append(use);
  return svg;
}

// update makes parent's children match items, keeping every element whose item
// did not change, so that focus survives.
export function update(parent, items, key, build) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = document.activeElement?.dataset?.act, holder = document.activeElement?.closest?.("[data-key]")?.dataset.key;
  const wanted = items.map((item) => {
    const print = JSON.stringify(item), kept = old.get(key(item));
    if (kept && kept.fingerprint === print) return kept;
    const built = build(item);
    built.dataset.key = key(item);
    built.fingerprint = print;
    return built;
  });
  for (const child of [...parent.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, i) => { if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null); });
  if (focused && !parent.contains(document.activeElement)) wanted.find((c) => c.dataset.key === holder)?.querySelector(`[data-act="${focused}"]`)?.focus();
}

const staleAfter = 4000; // ms without a word; the service speaks every 2000
const lostAfter = 2000; // ms since the connection broke

// connect listens for ever. show(state) is called with each new state; now()
// of the result is the service's clock.
export function connect(show) {
  const live = document.getElementById("live"), liveText = document.getElementById("live-text");
  const bar = document.getElementById("stale"), barAge = document.getElementById("stale-age");
  let source = null, opened = 0, heard = performance.now(), lost = null, lastID = "", stale = false, over = false, offset = Date.now() - performance.now();
  const say = (how) => { live.dataset.live = how; liveText.textContent = text("live." + how); };

  function alive(message) {
    heard = performance.now();
    offset = message.now - heard;
    lost = null;
    if (stale || live.dataset.live !== "live") {
      stale = false;
      bar.hidden = true;
      root.classList.remove("is-stale");
      say("live");
    }
    if (message.assets !== root.dataset.assets) reload();
  }

  function open() {
    source?.close();
    opened = performance.now();
    const mine = source = new EventSource("/dispatch/events?lang=" + root.lang + (lastID ? "&last_event_id=" + encodeURIComponent(lastID) : ""));
    const listen = (name, act) => mine.addEventListener(name, (event) => {
      if (mine !== source) return;
      const message = JSON.parse(event.data);
      alive(message);
      act(message, event);
    });
    listen("state", (message, event) => { lastID = event.lastEventId; show(message.state); });
    listen("beat", (message) => ending(message.left));
    listen("end", () => { over = true; mine.close(); ended(); });
    mine.addEventListener("error", () => { lost ??= performance.now(); });
  }

  // A session that has ended is no broken link: the next answer says which.
  async function refused() {
    const answer = await fetch("/dispatch/events?lang=" + root.lang, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(3000) }).catch(() => null);
    if (answer?.status === 401) { over = true; ended(); }
    answer?.body?.cancel();
  }

  setInterval(() => {
    if (over) return;
    const now = performance.now();
    if (now - heard > staleAfter || (lost !== null && now - lost > lostAfter)) {
      if (!stale) { stale = true; bar.hidden = false; root.classList.add("is-stale"); say("stale"); }
      barAge.textContent = text("stale.age", { t: clock(now - heard) });
    }
    const since = now - opened;
    if (source.readyState === EventSource.CLOSED ? since > 3000 : stale && since > staleAfter + 1000) {
      if (source.readyState === EventSource.CLOSED) refused();
      if (!over) open();
    }
  }, 250);

  open();
  return { now: () => performance.now() + offset };
}

const ends = document.getElementById("ends");

// ending warns two minutes before the session ends.
function ending(left) {
  ends.hidden = !(left < 120);
  if (!ends.hidden) ends.textContent = text("ends.soon", { t: clock(left * 1000) });
}

// ended takes everything from the screen: nobody is logged in any more.
function ended() {
  document.getElementById("main").replaceChildren(make("p", { class: "problem", role: "alert" }, text("ends.over")),
    make("p", {}, make("a", { class: "button", href: "/dispatch/login?next=" + encodeURIComponent(location.pathname + location.search) }, text("ends.login"))));
  document.querySelectorAll("dialog[open]").forEach((d) => d.close());
  ends.hidden = true;
  document.getElementById("live").dataset.live = "stale";
  document.getElementById("live-text").textContent = text("ends.over");
}

// Somebody who moves is there: the session goes on.
let moved = performance.now();
for (const event of ["pointermove", "keydown", "pointerdown"]) {
  addEventListener(event, () => {
    if (performance.now() - moved < 30000 && ends.hidden) return;
    moved = performance.now();
    ends.hidden = true;
    fetch("/dispatch/alive", { method: "POST", headers: { "X-Nabat-Token": root.dataset.token } }).catch(() => {});
  }, { passive: true });
}

// A new version brings new pages; not more often than every 30 s.
function reload() {
  const last = Number(sessionStorage.getItem("reloaded") ?? -1e9), now = Date.now();
  if (Math.abs(now - last) < 30000) return;
  sessionStorage.setItem("reloaded", String(now));
  location.reload();
}

// Sound: off until a person switches it on, as browsers want it.
const button = document.getElementById("sound");
let audio = null;
button.addEventListener("click", () => {
  if (audio) { audio.close(); audio = null; } else { audio = new AudioContext(); ring(); }
  button.setAttribute("aria-pressed", String(audio !== null));
  button.textContent = text(audio ? "sound.off" : "sound.on");
});

// ring sounds three short tones.
export function ring() {
  if (!audio) return;
  [0, 0.35, 0.7].forEach((at, i) => {
    const tone = audio.createOscillator(), volume = audio.createGain(), start = audio.currentTime + at;
    tone.frequency.value = i % 2 ? 660 : 880;
    volume.gain.setValueAtTime(0.0001, start);
    volume.gain.exponentialRampToValueAtTime(0.4, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.3);
    tone.connect(volume).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.32);
  });
}

// send posts a form to the service and returns what it said: {ok, text}.
export async function send(address, fields) {
  const body = new URLSearchParams(fields);
  body.set("token", root.dataset.token);
  try {
    const answer = await fetch(address, { method: "POST", headers: { Accept: "application/json" }, body, signal: AbortSignal.timeout(15000) });
    const said = await answer.json();
    return { ok: answer.ok, text: said.text ?? "" };
  } catch {
    return { ok: false, text: text("error.unsure") }; // it may have been done
  }
}
