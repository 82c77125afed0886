// Drill is the dialog in which staff start or end an exercise. Starting takes
// two steps: what and where, then a question that says in words what will be
// seen. It says what became of it only when the gateway has written it down.
export class Drill {
  constructor(dialog, texts) {
    Object.assign(this, { dialog, texts, ending: null, asked: false, busy: false });
    this.form = dialog.querySelector("form");
    const part = (id) => dialog.querySelector("#drill-" + id);
    Object.assign(this, { heading: part("heading"), choose: part("choose"), question: part("confirm"), problem: part("problem"), send: part("send"), back: part("back") });
    this.back.addEventListener("click", () => (this.asked && !this.ending ? this.step(false) : dialog.close()));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  start() {
    this.form.reset();
    this.ending = null;
    this.heading.textContent = this.texts.get("drill.start.title");
    this.step(false);
    this.dialog.showModal();
    this.form.elements.kind.focus();
  }

  end(alert, what) {
    this.ending = { kind: alert.kind, place: alert.place_id };
    this.heading.textContent = this.texts.get("drill.end.title");
    this.step(true);
    this.question.textContent = what + ". " + this.texts.get("drill.end.about");
    this.dialog.showModal();
    this.send.focus();
  }

  // step shows the choice, or the question about it.
  step(asked) {
    this.asked = asked;
    this.say("");
    this.choose.hidden = asked;
    this.question.hidden = !asked;
    if (asked && !this.ending) {
      const { kind, place, level } = this.form.elements;
      const name = (list) => list.selectedOptions[0].textContent;
      this.question.textContent = this.texts.fill(level.value === "help" ? "drill.confirm.quiet" : "drill.confirm", { what: name(kind), where: name(place) });
    }
    this.ready();
  }

  say(text) {
    this.problem.textContent = text;
    this.problem.hidden = text === "";
  }

  ready() {
    this.busy = false;
    this.send.disabled = false;
    this.send.textContent = this.texts.get(this.ending ? "drill.end" : this.asked ? "drill.begin" : "drill.next");
    this.back.textContent = this.texts.get(this.asked && !this.ending ? "drill.back" : "dialog.cancel");
  }

  async submit() {
    if (this.busy) return;
    if (!this.asked) { this.step(true); return; }
    const { kind, place, level } = this.form.elements;
    const body = this.ending ?? { kind: kind.value, place: place.value, level: level.value };
    this.busy = true;
    this.send.disabled = true;
    this.send.textContent = this.texts.get("dialog.sending");
    this.say("");
    try {
      const answer = await fetch("/api/v1/drills/" + (this.ending ? "end" : "start"), {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: AbortSignal.timeout(10000),
      });
      const said = await answer.json();
      if (!answer.ok) this.say(this.texts.get("error." + said.error));
      else if (said.memory) this.say(this.texts.get("dialog.done.memory"));
      else this.dialog.close();
    } catch (mistake) {
      // An answer that did not come in time may have been a yes.
      this.say(this.texts.get(mistake.name === "TimeoutError" ? "error.drill-unsure" : "error.no-connection"));
    }
    this.ready();
  }
}
