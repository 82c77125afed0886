// One event stream that never gives up, and never pretends to be alive.

const staleAfter = 4000; // ms without a word; the gateway speaks every 2000
const lostAfter = 2000; // ms since the connection broke
const checkEvery = 250;
const openWithin = staleAfter + 1000; // a link that is half open would be waited for for minutes
const firstRetry = 500, lastRetry = 5000; // ms, doubled with each failure
const firstReload = 30000, lastReload = 3600000; // ms between reloads for one reason, doubled with each

let secret = "";

// page returns what the gateway told this page to prove itself with; empty
// while it is not connected, or where nothing is to be proven.
export function page() { return secret; }

// connect listens to an event stream for ever.
//   on.state(state, now, id)  the audience's state changed
//   on.beat(message)          the gateway lives; message.figures may be there
//   on.stale(ms)              nothing heard for so long; called again and again
//   on.live()                 heard again after on.stale
//   on.end()                  the gateway does not speak to us any longer
//   on.calm()                 whether the page may be loaded anew; yes if missing
export function connect(address, on) {
  let source = null, opened = 0, lost = null, lastID = "", stale = false, failures = 0, retryAt = null, ended = false;
  let heard = performance.now();

  function alive(message) {
    heard = performance.now();
    lost = null;
    failures = 0;
    secret = message.page ?? "";
    if (stale) { stale = false; on.live?.(); }
    reloadIfOutdated(message.assets, on.calm);
  }

  function open() {
    source?.close();
    opened = performance.now();
    retryAt = null;
    secret = "";
    const url = new URL(address, location.href);
    if (lastID) url.searchParams.set("last_event_id", lastID);
    const mine = source = new EventSource(url);
    const listen = (name, act) => mine.addEventListener(name, (event) => {
      if (mine !== source) return;
      const message = JSON.parse(event.data);
      act(message, event);
      // After the page has taken it: one that throws is as good as silent.
      alive(message);
    });
    listen("state", (message, event) => {
      on.state(message.state, message.now, event.lastEventId);
      lastID = event.lastEventId;
    });
    listen("beat", (message) => on.beat?.(message));
    listen("end", () => { ended = true; mine.close(); on.end?.(); });
    mine.addEventListener("error", () => {
      if (mine !== source || ended) return;
      if (mine.readyState === EventSource.CLOSED) on.refused?.(); // the gateway answered, with an error
      fail();
    });
  }

  // fail waits before it tries again, longer each time and never for the same
  // time as the other screens, which lost the gateway at the same moment.
  function fail() {
    const now = performance.now();
    source.close();
    secret = "";
    lost ??= now;
    const most = Math.min(firstRetry * 2 ** failures, lastRetry);
    failures = Math.min(failures + 1, 10);
    retryAt = now + most * (0.5 + Math.random() / 2);
  }

  setInterval(() => {
    const now = performance.now();
    if (now - heard > staleAfter || (lost !== null && now - lost > lostAfter)) { stale = true; on.stale?.(now - heard); }
    if (ended) return;
    if (retryAt !== null) { if (now >= retryAt) open(); } else if (now - Math.max(heard, opened) > openWithin) fail();
  }, checkEvery);

  open();
}

// A new version of the gateway brings new pages. It is loaded once nothing is
// shown that must not disappear, not even for a second.
function reloadIfOutdated(assets, calm) {
  const mine = document.documentElement.dataset.assets;
  if (!assets || !mine) return;
  if (assets === mine) { forget("outdated"); return; }
  if (!(calm?.() ?? true) || !due("outdated")) return;
  reload();
}

// reload fetches the page first, so that a gateway that has just died again
// does not leave an error page behind.
function reload() {
  return fetch(location.href, { cache: "no-store" }).then((answer) => { if (answer.ok) location.reload(); }).catch(() => {});
}

// due reports whether the page may be loaded anew for a reason now. It doubles
// the wait each time, so that a page that does not get better by it, as behind
// a proxy that keeps old pages, never becomes a loop.
function due(reason) {
  const now = performance.timeOrigin + performance.now();
  const [last, wait] = (sessionStorage.getItem(reason) ?? "").split(" ").map(Number);
  if (last && Math.abs(now - last) < wait) return false;
  sessionStorage.setItem(reason, `${now} ${last ? Math.min(wait * 2, lastReload) : firstReload}`);
  return true;
}

let forgotten = false;

function forget(reason) {
  if (!forgotten) { sessionStorage.removeItem(reason); forgotten = true; }
}

// reloadWhenBroken starts the page anew after a mistake of its own: a screen
// that nobody can reach must not stay broken.
export function reloadWhenBroken() {
  let broken = false;
  const again = () => setTimeout(() => (due("broken") ? reload().then(again) : again()), 10000);
  const begin = () => { if (!broken) { broken = true; again(); } };
  addEventListener("error", begin);
  addEventListener("unhandledrejection", begin);
}
