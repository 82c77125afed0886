// What a screen shows of an emergency, and of its end. Nothing here is asked
// from anywhere: every sign is in the page already.
import { make, icon, update } from "./dom.js";

const signs = { Evacuate: "evacuate", Shelter: "shelter", Avoid: "avoid", Monitor: "monitor", Prepare: "prepare", AllClear: "allclear" };

export function drawAlarm(cards, state) {
  const n = state.cards.length, uniform = n > 1 && state.cards.every((card) => card.status === state.cards[0].status);
  cards.className = "cards count-" + Math.min(n, 5) + (uniform ? " uniform" : "");
  const items = [...state.cards];
  if (uniform) items.unshift({ key: "band", band: state.cards[0] }); // one band for all leaves more room for words
  if (state.more) items.push({ key: "more", more: state.more });
  update(cards, items, (card) => card.key,
    (card) => (card.band ? band(card.band, "top") : card.more ? make("p", { class: "more" }, card.more.join(" · ")) : alertCard(card)));
}

function band(card, className = "") {
  return make("header", { class: `band ${card.status.toLowerCase()} ${className}` },
    ...card.texts.map((text) => make("span", { lang: text.lang }, text.status)));
}

function alertCard(card) {
  const [main, ...others] = card.texts, asks = signs[card.response];
  return make("article", { class: "card " + card.status.toLowerCase() },
    band(card),
    make("div", { class: "body" },
      asks ? sign(asks) : warning(card.icon, "sign"),
      keys(card.texts),
      make("div", { class: "details" },
        asks ? warning(card.icon, "kind") : null,
        words(main, "main"),
        make("div", { class: "others turning" }, ...others.map((text) => words(text, "other"))))),
    card.status === "Actual" ? null : band(card, "bottom"));
}

// keys are the words that a child reads first: in every language at once.
function keys(texts) {
  return make("div", { class: "keys" }, ...texts.map((text, i) =>
    make("p", { class: "key" + (i ? "" : " own") + (text.key.length > 14 ? " long" : ""), lang: text.lang }, make("b", {}, text.key))));
}

function sign(name) {
  const svg = icon("other", "sign");
  svg.firstChild.setAttribute("href", "#sign-" + name);
  return svg;
}

// warning is the triangle of a danger with what kind it is inside.
function warning(name, className) {
  const svg = icon(name, className + " warning"), ground = document.createElementNS(svg.namespaceURI, "use");
  ground.setAttribute("href", "#sign-warning");
  for (const [key, value] of Object.entries({ x: 29, y: 38, width: 42, height: 42 })) svg.firstChild.setAttribute(key, value);
  svg.prepend(ground);
  return svg;
}

function words(text, className) {
  const many = text.places?.length > 1 ? " many" : "";
  return make("div", { class: "words " + className + many, lang: text.lang },
    text.title === text.key ? null : make("h1", {}, text.title),
    text.places ? make("ul", {}, ...text.places.map((place) => make("li", {},
      make("strong", {}, place.room), place.where ? make("span", {}, place.where.join(" · ")) : null))) : null,
    text.more ? make("p", { class: "words-more" }, text.more) : null,
    text.do ? make("p", { class: "do" }, text.do) : null,
    text.team ? make("p", { class: "team" }, text.team) : null);
}

// drawOver is the sign that an emergency or a drill is over.
export function drawOver(over) {
  const [main, ...others] = over.texts;
  const say = (text, name) => make("p", { class: name, lang: text.lang }, text.do);
  return make("article", { class: "card ended " + over.status.toLowerCase() },
    make("div", { class: "body" },
      sign("allclear"),
      keys(over.texts),
      make("div", { class: "details" }, say(main, "main do"), make("div", { class: "others turning" }, ...others.map((text) => say(text, "other do"))))));
}

// fitAlarm sees to it that all words are on the glass: what to do gets narrower
// letters before it gets smaller ones.
export function fitAlarm(box) {
  for (const band of box.querySelectorAll(".band")) shrink(band, "--fit-band", () => band.scrollWidth > band.clientWidth + 1);
  for (const card of box.querySelectorAll(".card")) {
    const body = card.querySelector(".body"), keys = card.querySelector(".keys"), details = card.querySelector(".details");
    shrink(body, "--fit-key", () => { squeeze(keys); return cut(keys) || tall(body); }, 0.5, 0.97);
    shrink(details, "--fit", () => wide(details) || [...details.querySelectorAll(".words, .do")].some((e) => wide(e) || below(e, details)));
  }
}

const narrowest = 0.62;

function squeeze(keys) {
  const lines = [...keys.querySelectorAll(".key b")];
  for (const line of lines) { line.style.removeProperty("--narrow"); line.style.removeProperty("--small"); }
  const room = keys.clientWidth;
  for (const [line, width] of lines.map((line) => [line, line.offsetWidth])) {
    if (width <= room) continue;
    line.style.setProperty("--narrow", Math.max(room / width, narrowest).toFixed(4));
    if (room / width < narrowest) line.style.setProperty("--small", (room / width / narrowest * 0.99).toFixed(4));
  }
}

const wide = (box) => box.scrollWidth > box.clientWidth + 1;
// scrollHeight would count the empty part of the letters' boxes too.
function cut(box) {
  const last = [...box.children].findLast((line) => line.offsetParent);
  return Boolean(last) && last.offsetTop + last.offsetHeight > box.offsetTop + box.clientHeight + 2;
}
// By the page's own axes, because the page may lie on its side.
const below = (inner, box) => inner.offsetTop + inner.offsetHeight > box.offsetTop + box.clientHeight + 1;
const tall = (box) => box.scrollHeight > box.clientHeight * 1.03 + 2;

// shrink makes a property smaller, in steps, until nothing is over. Each look is
// a layout of the page, and the first alarm waits for all of them: a size that
// stands already is not written again, and the step is found by halving.
export function shrink(element, property, over, least = 0.3, step = 0.94) {
  const fits = (n) => {
    const size = (step ** n).toFixed(3);
    if ((element.style.getPropertyValue(property) || "1.000") !== size) element.style.setProperty(property, size);
    return !over();
  };
  if (fits(0)) return;
  let small = Math.ceil(Math.log(least) / Math.log(step)) - 1, big = 0, last = 0;
  while (small - big > 1) {
    last = (small + big) >> 1;
    if (fits(last)) small = last; else big = last;
  }
  if (last !== small) fits(small);
}
