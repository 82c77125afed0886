// Announcement is the dialog in which staff say something to the building. It
// says what became of it only when the gateway has written it down.
export class Announcement {
  constructor(dialog, texts) {
    Object.assign(this, { dialog, texts, busy: false });
    this.form = dialog.querySelector("form");
    const part = (id) => dialog.querySelector("#say-" + id);
    Object.assign(this, { words: part("texts"), problem: part("problem"), send: part("send") });
    part("cancel").addEventListener("click", () => dialog.close());
    this.form.elements.message.addEventListener("change", () => this.choose());
    this.form.addEventListener("change", (event) => { if (event.target.name === "zone") this.zones(event.target); });
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  start() {
    this.form.reset();
    this.say("");
    this.ready();
    this.choose();
    this.dialog.showModal();
    this.words.querySelector("textarea").focus();
  }

  choose() { this.words.hidden = this.form.elements.message.value !== ""; }

  // zones keeps "everywhere" and single zones apart.
  zones(changed) {
    if (!changed.checked) return;
    for (const box of this.dialog.querySelectorAll("[name=zone]")) {
      if (changed.value === "*" ? box !== changed : box.value === "*") box.checked = false;
    }
  }

  say(text) {
    this.problem.textContent = text;
    this.problem.hidden = text === "";
  }

  ready() {
    this.busy = false;
    this.send.disabled = false;
    this.send.textContent = this.texts.get("announce.say");
  }

  body() {
    const fields = new FormData(this.form), message = fields.get("message");
    const text = {};
    for (const lang of ["ru", "kk", "en"]) {
      const said = message ? "" : (fields.get(lang) ?? "").replace(/\s+/g, " ").trim();
      if (said) text[lang] = said;
    }
    return { message, text, zones: fields.getAll("zone"), minutes: Number(fields.get("minutes")), test: fields.has("test") };
  }

  async submit() {
    if (this.busy) return;
    const body = this.body();
    if (!body.message && Object.keys(body.text).length === 0) { this.say(this.texts.get("announce.empty")); return; }
    this.busy = true;
    this.send.disabled = true;
    this.send.textContent = this.texts.get("dialog.sending");
    this.say("");
    const problem = await post("/api/v1/announcements", body, this.texts);
    if (problem) this.say(problem); else this.dialog.close();
    this.ready();
  }
}

// end ends an announcement that stands, and says beside the button why not.
export async function end(id, button, problem, texts) {
  button.disabled = true;
  const text = await post(`/api/v1/announcements/${encodeURIComponent(id)}/end`, {}, texts);
  button.disabled = false;
  problem.textContent = text;
  problem.hidden = text === "";
}

// post returns what is to be told, empty where all is well.
async function post(address, body, texts) {
  try {
    const answer = await fetch(address, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: AbortSignal.timeout(10000),
    });
    const said = await answer.json();
    if (!answer.ok) return texts.get("error." + said.error);
    return said.memory ? texts.get("dialog.done.memory") : "";
  } catch (mistake) {
    // An answer that did not come in time may have been a yes.
    return texts.get(mistake.name === "TimeoutError" ? "error.announcement-unsure" : "error.no-connection");
  }
}
