// Decision is the dialog in which a person takes or closes an alert. It covers
// the presses that the person saw when the dialog opened, and says what became
// of the decision only when the gateway has written it down, or has not.
export class Decision {
  constructor(dialog, texts) {
    Object.assign(this, { dialog, texts, alert: null, clearing: false, busy: false });
    this.form = dialog.querySelector("form");
    const part = (id) => dialog.querySelector("#decide-" + id);
    Object.assign(this, { title: part("title"), what: part("what"), outcome: part("outcome"), problem: part("problem"), send: part("send") });
    part("cancel").addEventListener("click", () => dialog.close());
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  acknowledge(alert, what) { this.open(alert, what, false); }

  clear(alert, what) { this.open(alert, what, true); }

  open(alert, what, clearing) {
    Object.assign(this, { alert, clearing, done: false });
    this.form.reset();
    this.title.textContent = this.texts.get(clearing ? "dialog.clear.title" : "dialog.ack.title");
    this.what.textContent = what;
    this.outcome.hidden = !clearing;
    this.outcome.disabled = !clearing;
    this.say("");
    this.ready();
    this.dialog.showModal();
    (clearing ? this.outcome.querySelector("input") : this.send).focus();
  }

  // refresh closes the dialog of an acknowledgement that somebody else has
  // just given; a clear stays, so that the person reads what happened.
  refresh(alerts) {
    if (!this.dialog.open || this.busy) return;
    const now = alerts.find((a) => a.id === this.alert.id);
    if (!this.clearing && now?.accepted) this.dialog.close();
  }

  say(text, good = false) {
    this.problem.textContent = text;
    this.problem.hidden = text === "";
    this.problem.classList.toggle("good", good);
  }

  ready() {
    this.busy = false;
    this.send.disabled = false;
    this.send.textContent = this.texts.get(this.clearing ? "alert.clear" : "alert.ack");
  }

  async submit() {
    if (this.busy) return;
    const fields = new FormData(this.form), body = { number: this.alert.number, why: (fields.get("why") ?? "").replace(/\s+/g, " ").trim() };
    if (this.clearing) {
      body.outcome = fields.get("outcome");
      if (!body.outcome) { this.say(this.texts.get("error.outcome-required")); return; }
    }
    this.busy = true;
    this.send.disabled = true;
    this.send.textContent = this.texts.get("dialog.sending");
    this.say("");
    const address = `/api/v1/alerts/${encodeURIComponent(this.alert.id)}/${this.clearing ? "clear" : "acknowledge"}?lang=${this.texts.lang}`;
    try {
      const answer = await fetch(address, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: AbortSignal.timeout(10000),
      });
      const said = await answer.json();
      if (!answer.ok) this.say(this.texts.fill("error." + said.error, said));
      else if (said.memory) this.say(this.texts.get("dialog.done.memory"));
      else if (said.newer) this.say(this.texts.get("dialog.done.newer"));
      else this.dialog.close();
    } catch (mistake) {
      // An answer that did not come in time may have been a yes.
      this.say(this.texts.get(mistake.name === "TimeoutError" ? "error.unsure" : "error.no-connection"));
    }
    this.ready();
  }
}
