// The registry of gateways, those that need a look first.
import { connect, line, make, update } from "./lib.js";

const body = document.querySelector("#gateways tbody"), summary = document.getElementById("gateways-summary");

connect((state) => {
  summary.textContent = state.summary;
  update(body, state.gateways, (g) => g.url, (g) => make("tr", { class: g.online ? "" : "silent" },
    make("td", {}, make("a", { href: g.url }, g.name), make("div", { class: "dim" }, g.id)),
    make("td", {}, line(g.reach), g.revoked ? make("p", { class: "line bad" }, g.revoked) : null, g.forked ? make("p", { class: "line bad" }, g.forked) : null),
    make("td", {}, g.links),
    make("td", {}, ...g.conditions.map((c) => make("p", { class: "line bad" }, c))),
    make("td", {}, g.queue), make("td", {}, line(g.clock)), make("td", {}, String(g.open))));
});
