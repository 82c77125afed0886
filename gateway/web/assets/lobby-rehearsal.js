// The first alarm after quiet weeks must not be slower than the second. A
// browser looks for the letters of a size when it first needs them, and throws
// away code and fonts that it has not used for long: that makes the first
// emergency several times as slow, and on a small computer visibly so.
import { make } from "./dom.js";
import { drawAlarm, fitAlarm } from "./lobby-alarm.js";

// rehearse draws what the screen may have to show where nobody sees or hears it,
// and leaves nothing behind. All of it happens between two frames.
export function rehearse(screen) {
  const cards = make("section"), stage = make("div", { class: "rehearsal", inert: true, "aria-hidden": "true" }, cards);
  screen.append(stage);
  try {
    for (const card of JSON.parse(screen.dataset.rehearsal || "[]")) {
      drawAlarm(cards, { cards: [{ ...card, texts: card.texts.map(somewhere) }] });
      for (const line of cards.querySelectorAll(".turning > *")) line.classList.add("on");
      fitAlarm(cards);
    }
  } catch (failed) {
    console.error(failed); // a page that cannot rehearse is as good as it was
  } finally {
    stage.remove();
  }
}

const somewhere = (text) => ({ ...text, places: [{ room: text.title, where: [text.title, text.title] }], team: text.title });
