import { connect, reloadWhenBroken } from "./stream.js";
import "./proof.js";
import { make, icon, update } from "./dom.js";
import { clock } from "./text.js";

const root = document.documentElement;
const byID = (id) => document.getElementById(id);
const sections = ["connecting", "idle", "unknown", "cards"];
let state = null; // the last that the gateway said; null before it has said anything
let stale = false;
let turn = 0; // which language of an announcement is on, beside an alert

reloadWhenBroken();

// Calm may be shown only while the gateway is heard to say so.
function show() {
  let section = "cards";
  const notices = state?.notices && !stale; // an announcement ends by the gateway's word only
  if (state === null) section = stale ? "unknown" : "connecting";
  else if (state.cards.length === 0) section = stale ? "unknown" : notices ? "" : "idle";
  for (const id of sections) byID(id).hidden = id !== section;
  byID("notices").hidden = !notices;
  byID("notices").classList.toggle("strip", section === "cards");
  byID("stale").hidden = !stale;
  document.body.classList.toggle("is-stale", stale);
}

function render() {
  const cards = byID("cards");
  const n = state.cards.length, uniform = n > 1 && state.cards.every((card) => card.status === state.cards[0].status);
  cards.className = "cards count-" + Math.min(n, 5) + (uniform ? " uniform" : "");
  const items = [...state.cards];
  if (uniform) items.unshift({ key: "band", band: state.cards[0] }); // one band for all leaves more room for words
  if (state.more) items.push({ key: "more", more: state.more });
  update(cards, items, (card) => card.key,
    (card) => (card.band ? band(card.band, "top") : card.more ? moreCard(card) : alertCard(card)));
  update(byID("notices"), state.notices ?? [], (notice) => notice.key, noticeCard);
  takeTurn();
  show();
  fit();
}

function noticeCard(notice) {
  return make("article", { class: "notice " + notice.status.toLowerCase() },
    ...notice.texts.map((text) => make("p", { lang: text.lang }, text.status ? make("strong", {}, text.status) : null, text.text)));
}

// takeTurn chooses the language of announcements that share the screen with an
// alert; on their own they show all.
function takeTurn() {
  for (const notice of byID("notices").children) {
    const lines = [...notice.children];
    lines.forEach((line, i) => line.classList.toggle("on", i === turn % lines.length));
  }
}

function moreCard(card) {
  return make("p", { class: "more" }, card.more.join(" · "));
}

function band(card, className = "") {
  return make("header", { class: `band ${card.status.toLowerCase()} ${className}` },
    ...card.texts.map((text) => make("span", { lang: text.lang }, text.status)));
}

function alertCard(card) {
  const [main, ...others] = card.texts;
  return make("article", { class: "card " + card.status.toLowerCase() },
    band(card),
    make("div", { class: "body" },
      icon(card.icon, "pictogram"),
      words(main, "main"),
      make("div", { class: "others" }, ...others.map((text) => words(text, "other")))));
}

function words(text, className) {
  const many = text.places?.length > 1 ? " many" : "";
  return make("div", { class: "words " + className + many, lang: text.lang },
    make("h1", {}, text.title),
    text.places ? make("ul", {}, ...text.places.map((place) => make("li", {},
      make("strong", {}, place.room), place.where ? make("span", {}, place.where.join(" · ")) : null))) : null,
    text.more ? make("p", { class: "words-more" }, text.more) : null,
    text.team ? make("p", { class: "team" }, text.team) : null);
}

// fit makes long words smaller until all of them are on the screen.
function fit() {
  const notices = byID("notices");
  if (!notices.hidden) shrink(notices, "--fit", () => notices.scrollHeight > notices.clientHeight + 1 || notices.scrollWidth > notices.clientWidth + 1);
  for (const band of byID("cards").querySelectorAll(".band")) {
    shrink(band, "--fit-band", () => band.scrollWidth > band.clientWidth + 1);
  }
  for (const card of byID("cards").querySelectorAll(".card")) {
    const body = card.querySelector(".body"), columns = card.querySelectorAll(".words");
    shrink(card, "--fit", () => body.scrollHeight > body.clientHeight + 1 || wide(body) || [...columns].some((c) => wide(c) || tall(c)));
  }
}

const wide = (box) => box.scrollWidth > box.clientWidth + 1;
// scrollHeight would count the empty part of the letters' boxes too, which may
// stick out by a few per cent.
function tall(column) {
  const first = column.firstElementChild, last = column.lastElementChild;
  return last.offsetTop + last.offsetHeight - first.offsetTop > column.clientHeight * 1.04 + 1;
}

function shrink(element, property, over) {
  for (let size = 1; size > 0.3; size *= 0.94) {
    element.style.setProperty(property, size.toFixed(3));
    if (!over()) return;
  }
}

// painted leaves a mark two frames later, when the alert is on the glass; the
// benchmark and nobody else reads it.
function painted(id) {
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (performance.getEntriesByName("nabat-painted").length >= 100) performance.clearMarks("nabat-painted");
    performance.mark("nabat-painted", { detail: { id } });
    root.dataset.painted = id;
  }));
}

const address = new URL("/api/v1/events", location.href);
address.searchParams.set("audience", "lobby");
address.searchParams.set("lang", root.lang);
if (root.dataset.screen) address.searchParams.set("screen", root.dataset.screen);

connect(address, {
  state(next, now, id) { state = next; render(); painted(id); },
  stale(ms) {
    for (const line of document.querySelectorAll("[data-age]")) line.textContent = line.dataset.age.replace("{t}", clock(ms));
    if (!stale) { stale = true; show(); fit(); }
  },
  live() { stale = false; show(); fit(); },
  calm: () => !state?.cards.length,
});

addEventListener("resize", fit);
setInterval(() => { turn++; takeTurn(); fit(); }, 8000);

// Screens that stand for years: nothing stays on the same pixels for long.
let drift = 0;
setInterval(() => { document.body.dataset.drift = String(drift = (drift + 1) % 8); }, 60000);
