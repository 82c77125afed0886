// A page that the service has made: it says when its link is dead, and loads
// itself anew when something has changed and nobody is filling in a form.
import { connect, ring } from "./lib.js";

const live = ["alerts", "gateways"].includes(document.documentElement.dataset.page);
let before = null, open = null, dirty = false;
addEventListener("input", () => { dirty = true; });

function mine(state) {
  const here = decodeURI(location.pathname);
  // Without the sentences that only tell the time.
  const alerts = state.alerts.filter((a) => decodeURI(a.url) === here).map((a) => [a.number, a.level, a.taken, a.people, a.orders, a.reach.how]);
  const gateways = state.gateways.filter((g) => decodeURI(g.url) === here).map((g) => [g.online, g.conditions, g.waiting, g.open, g.forked, g.revoked]);
  return JSON.stringify([alerts, gateways]);
}

const idle = () => !dirty && !document.activeElement?.matches("input, select, textarea");

connect((state) => {
  const now = mine(state);
  if (live && before !== null && now !== before && idle()) location.reload();
  before = now;
  const numbers = new Map(state.alerts.map((a) => [a.url, a.number]));
  if (open && state.alerts.some((a) => (open.get(a.url) ?? 0) < a.number)) ring();
  open = numbers;
});

// A command without an answer is looked at again.
if (live && document.querySelector("td .line.wait")) setInterval(() => { if (idle() && !document.documentElement.classList.contains("is-stale")) location.reload(); }, 5000);
