// The first alarm after quiet weeks must not be slower than the second. A
// browser looks for the letters of a size when it first needs them, and throws
// away code and fonts that it has not used for long: that makes the first
// emergency several times as slow, and on a small computer visibly so.
import { make } from "./dom.js";
import { drawAlarm, fitAlarm } from "./lobby-alarm.js";

// rehearse draws an alarm and a drill where nobody sees or hears them, with
// words in the languages of lines, and leaves nothing behind. All of it happens
// between two frames.
export function rehearse(screen, lines) {
  const cards = make("section"), stage = make("div", { class: "rehearsal", inert: true, "aria-hidden": "true" }, cards);
  screen.append(stage);
  for (const status of ["Actual", "Exercise"]) {
    drawAlarm(cards, { cards: [{ key: status, status, icon: "other", response: "Evacuate", texts: [...lines].map(said(status)) }] });
    fitAlarm(cards);
  }
  stage.remove();
}

const said = (status) => ({ lang, textContent: words }) => ({
  lang, status: words, key: words, title: words + status, places: [{ room: words, where: [words, words] }], more: words, do: words, team: words,
});
