// The operator's page: every open alert of every school.
import { clock, connect, count, icon, line, make, ring, send, text, update } from "./lib.js";

const list = document.getElementById("alerts"), none = document.getElementById("alerts-none"), more = document.getElementById("alerts-more");
const total = document.getElementById("alerts-count"), announce = document.getElementById("announce");
const side = document.getElementById("gateways"), summary = document.getElementById("gateways-summary");
const problems = new Map(); // what went wrong with an alert, until its next change
let known = null, teams = [], last = null;

const where = (a) => [a.site, ...a.place].join(", ");
const id = (a) => a.url;

function card(a) {
  const chips = make("p", { class: "chips" }, make("span", { class: "chip level" }, text("level." + a.level)),
    a.status === "Actual" ? null : make("span", { class: "chip status" }, text("status." + a.status)));
  const problem = problems.get(id(a));
  return make("article", { class: `card ${a.level} ${a.status}` },
    make("div", { class: "sign" }, icon(a.icon)),
    make("div", { class: "body" },
      make("div", { class: "top" }, chips, make("span", { class: "age", "data-since": a.since, title: a.sure ? "" : text("js.since.stored") }, "")),
      a.late ? make("p", { class: "late" }, a.late) : null,
      make("div", { class: "halves" },
        make("div", {}, make("h2", {}, a.kind), make("p", { class: "site" }, a.site), make("p", { class: "place" }, a.place.join(" › ")),
          make("p", { class: "dim" }, [a.point ? text("detail.point") + " " + a.point : "", a.presses, a.gateway].filter(Boolean).join(" · "))),
        make("div", {}, make("dl", { class: "times" }, ...a.times.map((t) => make("div", {}, make("dt", {}, t.name), make("dd", {}, t.text)))),
          a.clock ? make("p", { class: "line bad" }, a.clock) : null,
          line(a.reach), line(a.taken ?? { how: "wait", text: text("js.nobody") }), ...(a.people ?? []).map(line), ...(a.orders ?? []).map(line))),
      problem ? make("p", { class: "problem", role: "alert" }, problem) : null,
      make("div", { class: "buttons" },
        a.can_take ? make("button", { class: "primary", type: "button", "data-act": "take", onclick: (e) => act(a, "take", {}, e.target) }, text("act.take")) : null,
        make("button", { class: "outline", type: "button", "data-act": "team", onclick: () => ask("team", a) }, text("act.team")),
        a.team ? make("button", { class: "outline", type: "button", "data-act": "arrived", onclick: (e) => act(a, "arrived", { team: a.team }, e.target) }, text("act.arrived")) : null,
        make("button", { class: "outline", type: "button", "data-act": "clear", onclick: () => ask("clear", a) }, text("act.clear")),
        make("a", { class: "button", href: a.url, "data-act": "open" }, text("js.open")))));
}

async function act(a, what, fields, button) {
  button.disabled = true;
  button.textContent = text("js.sending");
  const said = await send(a.url + "/" + what, { number: a.number, ...fields });
  if (said.ok) problems.delete(id(a)); else problems.set(id(a), said.text);
  draw(true);
}

// ask opens a dialog about the presses that the person sees at this moment.
function ask(name, a) {
  const dialog = document.getElementById(name), form = dialog.querySelector("form"), problem = dialog.querySelector(".problem"), go = dialog.querySelector(".primary");
  const reason = (words) => { problem.textContent = words; problem.hidden = words === ""; };
  form.reset();
  reason("");
  dialog.querySelector(".what").textContent = a.kind + " · " + where(a);
  if (name === "team") form.elements.team.replaceChildren(...teams.map((t) => make("option", { value: t.id }, t.name)));
  form.onsubmit = async (event) => {
    event.preventDefault();
    go.disabled = true;
    const said = await send(a.url + "/" + name, { number: a.number, ...Object.fromEntries(new FormData(form)) });
    go.disabled = false;
    if (said.ok) { problems.delete(id(a)); dialog.close(); draw(true); } else reason(said.text);
  };
  dialog.querySelector("[value=cancel]").onclick = () => dialog.close();
  dialog.showModal();
}

// While a finger is down nothing moves under it: a card that is built anew
// between press and release would swallow the click.
let held = false;
list.addEventListener("pointerdown", () => { held = true; });
for (const event of ["pointerup", "pointercancel"]) addEventListener(event, () => { held = false; setTimeout(() => draw(), 0); });

function draw(anew = false) {
  if (!last || held) return;
  if (anew) for (const child of list.children) child.fingerprint = "";
  update(list, last.alerts, id, card);
  none.hidden = last.alerts.length > 0;
  more.hidden = !last.more;
  more.textContent = last.more ?? "";
  total.textContent = last.alerts.length ? count("n.js.open", last.alerts.length) : "";
  tick();
}

function show(state) {
  for (const a of state.alerts) {
    const before = last?.alerts.find((b) => id(b) === id(a));
    if (before && JSON.stringify(before) !== JSON.stringify(a)) problems.delete(id(a));
  }
  last = state;
  teams = state.teams;
  const now = new Map(state.alerts.map((a) => [id(a), a.number]));
  if (known) {
    const fresh = state.alerts.filter((a) => (known.get(id(a)) ?? 0) < a.number);
    if (fresh.length) { ring(); announce.textContent = text("js.new", { what: fresh[0].kind, where: where(fresh[0]) }); }
  }
  known = now;
  draw();
  summary.textContent = state.summary;
  const look = state.gateways.filter((g) => !g.online || g.conditions.length || g.forked);
  update(side, look.slice(0, 20), (g) => g.url, (g) => make("div", { class: "gw" }, make("a", { href: g.url }, g.name), line(g.reach), ...g.conditions.slice(0, 3).map((c) => make("p", { class: "line bad" }, c))));
  document.title = (state.alerts.length ? "(" + state.alerts.length + ") " : "") + title;
}

const title = document.title;
const stream = connect(show);
function tick() { for (const e of document.querySelectorAll("[data-since]")) e.textContent = clock(stream.now() - Number(e.dataset.since)); }
setInterval(tick, 500);
