import { connect } from "./stream.js";
import { make, icon, update } from "./dom.js";
import { Texts, clock } from "./text.js";
import { Decision } from "./decision.js";
import { Drill } from "./drill.js";
import { Announcement, end } from "./announcement.js";
import { Bell } from "./bell.js";

const root = document.documentElement;
const byID = (id) => document.getElementById(id);
const texts = new Texts();
const bell = new Bell(byID("sound"), texts);
const decision = new Decision(byID("decide"), texts);
const drill = byID("drill") ? new Drill(byID("drill"), texts) : null;
byID("drill-start")?.addEventListener("click", () => drill.start());
const announcement = byID("say") ? new Announcement(byID("say"), texts) : null;
byID("announce-start")?.addEventListener("click", () => announcement.start());

// Ages come from the gateway's clock: "now" as it was when the message came,
// and the browser's monotonic clock only for the time since.
let gatewayNow = 0, heardAt = performance.now();
let known = null; // ids of the alerts of the last state; null before the first
let proven = {};
let screensSeen = {}; // ms ago, as the last heartbeat said

const since = (moment) => gatewayNow + (performance.now() - heardAt) - moment;
const age = (moment) => texts.ago(since(moment));
// told marks a text that grows old; tick keeps it true.
const told = (key, moment, values = {}) => {
  const span = make("span", { class: "told" });
  span.tell = () => { span.textContent = texts.fill(key, { ...values, ago: age(moment) }); };
  span.tell();
  return span;
};
// upcoming marks a text about a moment that is still to come.
const upcoming = (key, moment, values = {}) => {
  const span = make("span", { class: "told" });
  span.tell = () => {
    const s = Math.max(Math.ceil(-since(moment) / 1000), 0);
    span.textContent = texts.fill(key, { ...values, in: s < 90 ? texts.count("n.seconds.in", s) : texts.count("n.minutes.in", Math.ceil(s / 60)) });
  };
  span.tell();
  return span;
};
function tick() { for (const span of document.querySelectorAll(".told")) span.tell(); }
setInterval(tick, 1000);

function place(path) { return [...path].reverse(); }

function alertCard(a) {
  const [room, ...where] = place(a.place);
  const chips = [make("span", { class: "chip level-" + a.level }, texts.get("level." + a.level))];
  if (a.status !== "Actual") chips.unshift(make("span", { class: "chip status-" + a.status.toLowerCase() }, texts.get("status." + a.status)));
  const facts = make("p", { class: "facts" }, told("alert.pressed", a.first), ", ",
    make("span", {}, texts.fill(a.sure ? "alert.clock" : "alert.clock.off", { time: a.clock })));
  if (a.last !== a.first) facts.append(" · ", told("alert.repeated", a.last));
  if (a.held) facts.append(" · ", texts.get("alert.held"));
  if (a.point) facts.append(" · ", texts.fill("alert.point", { id: a.point }));
  const people = make("div", { class: "people" });
  if (a.accepted) people.append(make("p", {}, told("alert.accepted", a.accepted.at, { who: a.accepted.who })));
  if (a.responding) people.append(make("p", {}, told(a.responding.eta ? "alert.responding.eta" : "alert.responding", a.responding.at, { who: a.responding.who, time: a.responding.eta })));
  if (a.arrived) people.append(make("p", {}, told("alert.arrived", a.arrived.at, { who: a.arrived.who })));
  const asked = make("p", { class: "asked dim" });
  if (a.asked) asked.append(texts.fill("alert.asked", { who: a.asked.join(", ") }));
  if (a.next) asked.append(a.asked ? " · " : "", upcoming("alert.next", a.next.at, { who: a.next.who }));
  else if (a.asked && !a.accepted && !a.responding && !a.arrived) asked.append(" · ", texts.get("alert.next.none"));
  const what = a.title + ", " + room;
  const buttons = root.dataset.readonly ? null : make("div", { class: "buttons" },
    a.accepted ? null : make("button", { type: "button", class: "primary", onclick: () => decision.acknowledge(a, what) }, texts.get("alert.ack")),
    a.status === "Exercise"
      ? make("button", { type: "button", class: "outline", onclick: () => drill.end(a, what) }, texts.get("drill.end"))
      : make("button", { type: "button", class: "outline", onclick: () => decision.clear(a, what) }, texts.get("alert.clear")));
  return make("article", { class: `alert ${a.level} ${a.status.toLowerCase()}`, "data-alert": a.id },
    make("div", { class: "alert-sign" }, icon(a.icon, "alert-icon")),
    make("div", { class: "alert-body" },
      make("div", { class: "alert-top" },
        make("div", { class: "alert-words" },
          make("div", { class: "chips" }, ...chips),
          make("h2", {}, a.title),
          make("p", { class: "place" }, make("strong", {}, room), where.length ? " · " + where.join(" · ") : ""),
          facts),
        buttons),
      chain(a), asked, people));
}

function chain(a) {
  return make("div", { class: "chain" },
    make("ol", { "aria-label": texts.get("chain.title") }, ...a.chain.map((step) => make("li", { class: step.state },
      make("span", { class: "chain-dot", "aria-hidden": "true" }),
      make("span", {}, texts.get("chain." + step.step)),
      make("span", { class: "unseen" }, ": " + texts.get("chain." + step.state))))),
    make("p", { class: "chain-means" }, a.means));
}

function conditionCard(c) {
  return make("article", { class: "condition" },
    make("h3", {}, c.title), make("p", {}, c.remedy),
    make("p", { class: "dim" }, told("condition.since", c.since)),
    c.detail ? make("details", {}, make("summary", {}, texts.get("condition.details")), make("p", { lang: "en" }, make("code", {}, c.name), " ", c.detail)) : null);
}

function noticeCard(n) {
  const ends = make("span", { class: "told" });
  ends.tell = () => {
    const minutes = Math.floor(-since(n.ends) / 60000);
    ends.textContent = minutes < 1 ? texts.get("notice.ending") : texts.count("n.notice.minutes", minutes);
  };
  ends.tell();
  const problem = make("p", { class: "problem", role: "alert", hidden: true });
  return make("article", { class: "notice" },
    n.status === "Actual" ? null : make("span", { class: "chip status-" + n.status.toLowerCase() }, texts.get("status." + n.status)),
    make("p", { class: "notice-text" }, n.text),
    make("p", { class: "dim" }, told("notice.by", n.began, { who: n.who }), " · ", ends),
    n.screens ? make("p", { class: "dim" }, texts.fill("notice.screens", { screens: n.screens.join(", ") })) : null,
    n.zones || n.all ? make("p", { class: "dim" }, texts.get("pa.title") + ": " + (n.all ? texts.get("announce.everywhere") : n.zones.join(", "))) : null,
    announcement ? make("div", { class: "buttons" }, problem, make("button", { type: "button", class: "outline", onclick: (event) => end(n.id, event.target, problem, texts) }, texts.get("announce.end"))) : null);
}

// zoneRow says what a zone's loudspeakers say, or would say.
function zoneRow(z) {
  const says = z.says, sounds = says && says.speakers > 0;
  const more = [];
  if (says?.times) more.push(texts.count("n.pa.times", says.times));
  if (says?.broken) more.push(texts.count("n.pa.broken", says.broken));
  return make("li", { class: "zone " + (says ? says.priority : "silent") + (says && !sounds ? " mute" : "") },
    icon(says && !sounds ? "speaker-off" : "speaker", "zone-icon"),
    make("div", {}, make("strong", {}, z.name),
      says ? make("p", { class: "zone-text" }, says.status === "Actual" ? null : make("span", { class: "chip status-" + says.status.toLowerCase() }, texts.get("status." + says.status)), " ", says.text) : null,
      says ? make("p", { class: "dim" }, texts.get(sounds ? "pa.says" : "pa.would") + ": " + texts.get("priority." + says.priority) + (more.length ? " · " + more.join(" · ") : "")) : null),
    says ? null : make("span", { class: "point-state" }, texts.get("pa.silent")));
}

function screenRow(c) {
  const look = { ok: "armed", dark: "fault", frozen: "fault", waiting: "unread" }[c.state];
  const seen = make("span", { class: "told" });
  seen.tell = () => {
    const ago = screensSeen[c.id];
    seen.textContent = ago === undefined ? texts.get("screen.never") : texts.fill("screen.seen", { ago: texts.ago(ago + performance.now() - heardAt) });
  };
  seen.tell();
  const size = c.width ? ` · ${c.width} × ${c.height}` : "";
  return make("li", { class: "point " + look, "data-screen-state": c.state },
    make("span", { class: "point-dot", "aria-hidden": "true" }),
    make("div", {}, make("strong", {}, c.id), make("p", { class: "dim" }, seen, size, c.watched ? "" : " · " + texts.get("screen.unwatched"))),
    make("span", { class: "point-state" }, texts.get("screen." + c.state)));
}

function pointRow(p) {
  let label = texts.get("point.unread"), look = "unread";
  if (p.fault) { label = texts.or("fault." + p.fault, texts.get("fault.other")); look = "fault"; }
  else if (p.active && p.armed) { label = texts.get("point.active"); look = "active"; }
  else if (p.armed) { label = texts.get("point.armed"); look = "armed"; }
  const [room, ...where] = place(p.place);
  const seen = make("span", { class: "told" });
  seen.tell = () => {
    if (proven[p.id] !== undefined) seen.textContent = " · " + texts.fill("point.proven", { ago: age(proven[p.id]) });
    else seen.textContent = p.type === "lamp" ? "" : " · " + texts.get("point.unproven");
  };
  seen.tell();
  return make("li", { class: "point " + look, title: p.detail || null },
    make("span", { class: "point-dot", "aria-hidden": "true" }),
    make("div", {}, make("strong", {}, room), make("span", { class: "dim" }, (where.length ? " " + where.join(", ") : "")),
      make("p", { class: "dim" }, texts.get("point." + p.type) + " " + p.id, seen)),
    make("span", { class: "point-state" }, label));
}

function pointsPanel(points) {
  const panel = byID("points");
  if (points.length === 0) { panel.replaceChildren(make("p", { class: "none" }, texts.get("points.none"))); return; }
  const bad = points.filter((p) => p.fault || !p.armed), good = points.filter((p) => !p.fault && p.armed);
  if (!panel.querySelector("details")) {
    panel.replaceChildren(make("ul", { class: "points bad" }),
      make("details", {}, make("summary", {}), make("ul", { class: "points good" })));
  }
  update(panel.querySelector(".bad"), bad, (p) => p.id, pointRow);
  update(panel.querySelector(".good"), good, (p) => p.id, pointRow);
  panel.querySelector("details").hidden = good.length === 0;
  panel.querySelector("summary").textContent = `${texts.get("points.all")} (${texts.count("n.points.armed", good.length)})`;
  byID("points-count").textContent = bad.length ? texts.count("n.points.faults", bad.length) : "";
}

function linkRow(l) {
  const waiting = l.waiting ? texts.count("n.link.waiting", l.waiting) : texts.get("link.empty");
  const more = [];
  if (l.alarms) more.push(texts.count("n.link.alarms", l.alarms));
  if (l.waiting) more.push(texts.fill("link.oldest", { ago: texts.ago(l.oldest) }));
  return make("li", { class: "link " + (l.up ? "up" : "down") },
    make("span", { class: "point-dot", "aria-hidden": "true" }),
    make("div", {}, make("strong", {}, l.name.toUpperCase()),
      make("p", { class: "dim" }, waiting + (more.length ? " · " + more.join(" · ") : "")),
      l.parked ? make("p", { class: "warn" }, texts.count("n.link.parked", l.parked)) : null),
    make("span", { class: "point-state", title: texts.fill("link.since", { ago: texts.ago(l.for) }) }, texts.get(l.up ? "link.up" : "link.down")));
}

function figures(f) {
  proven = f.proven;
  screensSeen = f.screens;
  const rows = f.links.length ? f.links.map(linkRow) : [make("li", { class: "none" }, texts.get("links.none"))];
  const state = (good, yes, no) => make("li", { class: "link " + (good ? "up" : "down") }, make("span", { class: "point-dot", "aria-hidden": "true" }), make("div", {}, texts.get(good ? yes : no)));
  byID("links").replaceChildren(make("ul", { class: "points" }, ...rows,
    state(f.durable, "journal.durable", "journal.memory"), state(f.clock_synced, "clock.synced", "clock.unsynced")));
  const minutes = Math.floor(f.session_left / 60000);
  byID("expires").hidden = minutes > 20;
  byID("expires-text").textContent = texts.fill("console.expires", { in: texts.count("n.minutes.in", minutes) });
}

function render(state) {
  update(byID("alerts"), state.alerts, (a) => a.id, alertCard);
  update(byID("notices"), state.notices, (n) => n.id, noticeCard);
  byID("notices-panel").hidden = state.notices.length === 0;
  update(byID("conditions"), state.conditions, (c) => c.name, conditionCard);
  byID("conditions-panel").classList.toggle("attention", state.conditions.length > 0);
  if (state.conditions.length === 0) byID("conditions").replaceChildren(make("p", { class: "none" }, texts.get("conditions.none")));
  if (byID("zones")) update(byID("zones"), state.zones, (z) => z.id, zoneRow);
  update(byID("screens"), state.screens, (c) => c.id, screenRow);
  byID("screens-panel").hidden = state.screens.length === 0;
  pointsPanel(state.points);
  byID("alerts-none").hidden = state.alerts.length > 0;
  byID("alerts-count").textContent = state.alerts.length ? texts.count("n.alerts.open", state.alerts.length) : "";
  document.title = (state.alerts.length ? `(${state.alerts.length}) ` : "") + document.title.replace(/^\(\d+\) /, "");
  const news = state.alerts.filter((a) => known?.get(a.id) !== a.number && a.truth !== "accepted");
  if (news.length) {
    byID("announce").textContent = news.map((a) => texts.fill("alerts.new", { what: a.title, where: place(a.place)[0] })).join(". ");
    bell.ring();
  }
  known = new Map(state.alerts.map((a) => [a.id, a.number]));
  decision.refresh(state.alerts);
}

function heard(now) { gatewayNow = now; heardAt = performance.now(); }
function live(word, text) { byID("live").dataset.live = word; byID("live-text").textContent = text; }

const address = new URL("/api/v1/events", location.href);
address.searchParams.set("audience", "console");
address.searchParams.set("lang", root.lang);

function toLogin() { location.assign("/console?lang=" + root.lang); }

connect(address, {
  state(state, now) { heard(now); render(state); live("live", texts.get("console.live")); },
  beat(message) { heard(message.now); if (message.figures) figures(message.figures); tick(); },
  stale(ms) {
    byID("stale").hidden = false;
    byID("stale-age").textContent = texts.fill("console.stale.age", { t: clock(ms) });
    byID("alerts-none").classList.add("doubtful");
    live("stale", texts.get("console.stale"));
  },
  live() {
    byID("stale").hidden = true;
    byID("alerts-none").classList.remove("doubtful");
    live("live", texts.get("console.live"));
  },
  // The stream was refused: the gateway is busy, or our session is over.
  refused() {
    fetch("/api/v1/state?audience=console", { cache: "no-store" }).then((answer) => { if (answer.status === 401) toLogin(); }).catch(() => {});
  },
  end: toLogin,
});
