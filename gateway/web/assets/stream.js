// One event stream that never gives up, and never pretends to be alive.

const staleAfter = 4000; // ms without a word; the gateway speaks every 2000
const lostAfter = 2000; // ms since the connection broke, which the browser retries after 1000
const checkEvery = 250;
const retryAfter = 3000;

// connect listens to an event stream for ever.
//   on.state(state, now, id)  the audience's state changed
//   on.beat(message)          the gateway lives; message.figures may be there
//   on.stale(ms)              nothing heard for so long; called again and again
//   on.live()                 heard again after on.stale
//   on.end()                  the gateway does not speak to us any longer
export function connect(address, on) {
  let source = null, opened = 0, lost = null, lastID = "", stale = false;
  let heard = performance.now();

  function alive(message) {
    heard = performance.now();
    lost = null;
    if (stale) { stale = false; on.live?.(); }
    reloadIfOutdated(message.assets);
  }

  function open() {
    source?.close();
    opened = performance.now();
    const url = new URL(address, location.href);
    if (lastID) url.searchParams.set("last_event_id", lastID);
    const mine = source = new EventSource(url);
    const listen = (name, act) => mine.addEventListener(name, (event) => {
      if (mine !== source) return;
      const message = JSON.parse(event.data);
      alive(message);
      act(message, event);
    });
    listen("state", (message, event) => {
      lastID = event.lastEventId;
      on.state(message.state, message.now, lastID);
    });
    listen("beat", (message) => on.beat?.(message));
    mine.addEventListener("error", () => { lost ??= performance.now(); });
    listen("end", () => { mine.close(); on.end?.(); });
  }

  setInterval(() => {
    const now = performance.now();
    if (now - heard > staleAfter || (lost !== null && now - lost > lostAfter)) { stale = true; on.stale?.(now - heard); }
    const since = now - opened;
    // Closed: the gateway answered with an error. Silent: the link is half
    // open, and the browser would wait for minutes.
    if (source.readyState === EventSource.CLOSED ? since > retryAfter : stale && since > staleAfter + 1000) {
      if (source.readyState === EventSource.CLOSED) on.refused?.();
      open();
    }
  }, checkEvery);

  open();
}

// A new version of the gateway brings new pages. The page is fetched first, so
// that a gateway that has just died again does not leave an error page behind.
function reloadIfOutdated(assets) {
  const mine = document.documentElement.dataset.assets;
  if (!assets || !mine || assets === mine) return;
  const last = Number(sessionStorage.getItem("reloaded") ?? -1e9);
  const now = performance.timeOrigin + performance.now();
  if (Math.abs(now - last) < 30000) return;
  sessionStorage.setItem("reloaded", String(now));
  fetch(location.href, { cache: "no-store" }).then((answer) => { if (answer.ok) location.reload(); }).catch(() => {});
}

// reloadWhenBroken starts the page anew after a mistake of its own: a screen
// that nobody can reach must not stay broken.
export function reloadWhenBroken() {
  const again = () => setTimeout(() => {
    fetch(location.href, { cache: "no-store" }).then((answer) => { if (answer.ok) location.reload(); else again(); }).catch(again);
  }, 10000);
  addEventListener("error", again, { once: true });
  addEventListener("unhandledrejection", again, { once: true });
}
