// A screen proves that it draws: every 5 s it asks the browser for a few frames
// and tells the gateway how many it has drawn so far, and which state is on the
// glass. Frames are asked for only then, so that a screen that stands for years
// does not draw 60 times a second for nothing.
import { page } from "./stream.js";

const every = 5000;
const root = document.documentElement;
const burst = 3; // frames of one proof
let frames = 0, wanted = 0, sending = false, shown = "";

// drawn says which state is on the glass.
export function drawn(id) { shown = id; }

function frame() {
  frames++;
  if (--wanted > 0) requestAnimationFrame(frame);
}

// A burst that never ended, because nothing is drawn, is not asked for twice:
// such requests would pile up behind a hidden page.
function ask() {
  if (wanted > 0) return;
  wanted = burst;
  requestAnimationFrame(frame);
}

async function prove() {
  const secret = page();
  if (!secret || sending) return;
  sending = true;
  ask(); // for the next proof
  try {
    const answer = await fetch(`/api/v1/screens/${encodeURIComponent(root.dataset.screen)}/heartbeat`, {
      method: "POST", headers: { "Content-Type": "application/json" }, cache: "no-store", signal: AbortSignal.timeout(4000),
      body: JSON.stringify({
        page: secret, frames, painted: shown, hidden: document.visibilityState !== "visible",
        width: Math.round(innerWidth), height: Math.round(innerHeight),
      }),
    });
    await answer.arrayBuffer(); // an answer that is not read keeps its connection
  } catch { /* the stream notices, and says, that the gateway is away */ }
  sending = false;
}

if (root.dataset.screen) {
  ask();
  setInterval(prove, every);
}
