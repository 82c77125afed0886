import { connect, reloadWhenBroken } from "./stream.js";
import { drawn } from "./proof.js";
import { make, update } from "./dom.js";
import { clock } from "./text.js";
import { drawAlarm, fitAlarm, drawOver, shrink } from "./lobby-alarm.js";
import { Day, drawCare } from "./lobby-day.js";
import { rehearse } from "./lobby-rehearsal.js";

const root = document.documentElement;
const byID = (id) => document.getElementById(id);
const sections = ["connecting", "idle", "unknown", "cards", "over", "care"];
// How long the sign that something is over stands, in ms; what it was about
// decides. Care for those whom it has shaken comes after a real alarm only.
const signFor = { Actual: 120000, Exercise: 60000, Test: 20000 };
let state = null; // the last that the gateway said; null before it has said anything
let stale = false;
let turn = 0; // which of the languages is on that take turns
let section = "connecting";
let drawing = ""; // the state that is on its way to the glass

reloadWhenBroken();

// The gateway's clock, by the one of the browser that runs evenly: whether
// somebody set the time of day here does not matter.
let ahead = null;
function heard(now) {
  const sample = now - performance.now();
  ahead = ahead === null || Math.abs(sample - ahead) > 1000 ? sample : Math.max(ahead, sample);
}
const now = () => performance.now() + ahead;

const day = new Day(byID("idle"), now);

// Calm may be shown only while the gateway is heard to say so.
function choose() {
  if (state === null) return stale ? "unknown" : "connecting";
  if (state.cards.length) return "cards";
  if (stale) return "unknown";
  if (over()) return "over";
  if (state.over?.some((o) => o.status === "Actual")) return "care";
  return state.notices ? "" : "idle";
}

// over is what has ended so lately that its sign stands.
const over = () => state.over?.find((o) => now() - o.at < signFor[o.status]);

function show() {
  section = choose();
  const notices = state?.notices && !stale; // an announcement ends by the gateway's word only
  for (const id of sections) byID(id).hidden = id !== section;
  byID("notices").hidden = !notices;
  byID("notices").classList.toggle("strip", ["cards", "over", "care"].includes(section));
  byID("stale").hidden = !stale;
  document.body.classList.toggle("is-stale", stale);
  if (section !== "cards") document.body.classList.remove("moving");
  if (section === "idle") day.start(); else day.stop();
}

function render() {
  if (state.cards.length) {
    drawAlarm(byID("cards"), state);
  } else {
    byID("cards").replaceChildren();
    if (state.everyday) day.set(state.everyday);
    update(byID("over"), over() ? [over()] : [], (o) => o.status + o.at, drawOver);
    const shaken = state.over?.find((o) => o.status === "Actual");
    update(byID("care"), shaken ? [{ over: shaken, help: state.everyday?.help ?? [] }] : [], () => "care", drawCare);
  }
  update(byID("notices"), state.notices ?? [], (notice) => notice.key, noticeCard);
  takeTurn();
  show();
  fit();
}

function noticeCard(notice) {
  return make("article", { class: "notice " + notice.status.toLowerCase() },
    ...notice.texts.map((text) => make("p", { lang: text.lang }, text.status ? make("strong", {}, text.status) : null, text.text)));
}

// takeTurn chooses the language of what has room for one only. What to do in an
// alarm is never among it.
function takeTurn() {
  for (const group of document.querySelectorAll(".turning, #notices > *")) {
    [...group.children].forEach((line, i, all) => line.classList.toggle("on", i === turn % all.length));
  }
}

// fit makes long words smaller until all of them are on the screen.
function fit() {
  turnPage();
  const notices = byID("notices");
  if (!notices.hidden) shrink(notices, "--fit", () => notices.scrollHeight > notices.clientHeight + 1 || notices.scrollWidth > notices.clientWidth + 1);
  if (section === "cards") fitAlarm(byID("cards"));
  if (section === "over") fitAlarm(byID("over"));
  if (section === "care") shrink(byID("care"), "--fit", () => byID("care").scrollHeight > byID("care").clientHeight + 1);
  if (section === "idle") day.fit();
}

// turnPage turns the page on its side where the screen hangs otherwise than the
// browser believes.
function turnPage() {
  const lies = innerWidth >= innerHeight ? "landscape" : "portrait", hangs = root.dataset.hung || lies;
  root.dataset.shape = hangs;
  root.classList.toggle("turned", hangs !== lies);
}

// painted leaves a mark two frames later, when the alert is on the glass; the
// benchmark reads it. Nothing is changed in the page then: that would ask for
// another frame.
function painted(id) {
  drawing = id;
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (performance.getEntriesByName("nabat-painted").length >= 100) performance.clearMarks("nabat-painted");
    performance.mark("nabat-painted", { detail: { id } });
    drawn(id);
    if (drawing === id) drawing = "";
  }));
}

const address = new URL("/api/v1/events", location.href);
address.searchParams.set("audience", "lobby");
address.searchParams.set("lang", root.lang);
if (root.dataset.screen) address.searchParams.set("screen", root.dataset.screen);

connect(address, {
  state(next, at, id) {
    const first = state === null;
    heard(at); state = next; render(); painted(id);
    if (first) setTimeout(practise, 0);
  },
  beat(message) { heard(message.now); },
  stale(ms) {
    for (const line of document.querySelectorAll("[data-age]")) line.textContent = line.dataset.age.replace("{t}", clock(ms));
    if (!stale) { stale = true; show(); fit(); }
  },
  live() { stale = false; show(); fit(); },
  calm: () => !state?.cards.length,
});

// practise keeps the page ready for an alarm while none is shown.
function practise() {
  if (!state?.cards.length) rehearse(byID("screen"));
}

turnPage();
addEventListener("resize", fit);
setInterval(practise, 600000);
setInterval(() => { turn++; takeTurn(); fit(); }, 8000);
setInterval(() => {
  if (state === null) return;
  if (choose() !== section) render();
  if (section === "idle") day.tick();
  if (section === "cards" && !drawing) document.body.classList.add("moving");
}, 1000);

// Screens that stand for years: nothing stays on the same pixels for long.
let minutes = 0;
setInterval(() => {
  minutes++;
  document.body.dataset.drift = String(minutes % 8);
  document.body.dataset.side = String(Math.floor(minutes / 30) % 2);
}, 60000);
