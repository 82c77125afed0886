// Draws the desk's state once a second; says so when the gateway is silent.
const say = document.body.dataset;
const kinds = new Map([...document.getElementById("kinds").content.querySelectorAll("data")].map((d) => [d.value, d.textContent]));

function row(cells, className) {
  const tr = document.createElement("tr");
  if (className) tr.className = className;
  for (const text of cells) tr.insertCell().textContent = text;
  return tr;
}

function age(ns) {
  const s = Math.max(0, Math.round(ns / 1e9));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

function draw(state) {
  const open = document.getElementById("open");
  open.tBodies[0].replaceChildren(...state.open.map((a) => row([
    kinds.get(a.kind) ?? a.kind,
    (a.path ?? []).join(" · "),
    a.level === "emergency" ? say.emergency : say.quiet,
    (a.status === "Actual" ? "" : say.drill + ", ") + (a.accepted ? say.accepted : say.waiting),
    age(a.age_ns),
  ], a.status === "Actual" ? a.level : "drill")));
  open.hidden = state.open.length === 0;
  document.getElementById("none").hidden = state.open.length !== 0;
  document.getElementById("total").textContent = state.total;
  document.getElementById("again").textContent = state.again;
  document.getElementById("log").tBodies[0].replaceChildren(...state.events.map((e) => row([
    e.type, e.kind ? kinds.get(e.kind) ?? e.kind : "", e.place ?? e.point ?? "", e.delay_ms, e.id,
  ])));
}

async function tick() {
  const lost = document.getElementById("lost");
  try {
    const answer = await fetch("/dispatch/state", { signal: AbortSignal.timeout(3000) });
    if (!answer.ok) throw new Error(answer.statusText);
    draw(await answer.json());
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  setTimeout(tick, 1000);
}
tick();
