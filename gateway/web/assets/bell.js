// Bell rings when an alert comes in, after a person has switched it on:
// browsers let a page make sounds only then.
export class Bell {
  constructor(button, texts) {
    this.button = button;
    this.texts = texts;
    this.context = null;
    button.addEventListener("click", () => this.toggle());
  }

  toggle() {
    if (this.context) {
      this.context.close();
      this.context = null;
    } else {
      this.context = new AudioContext();
      this.ring();
    }
    const on = this.context !== null;
    this.button.setAttribute("aria-pressed", String(on));
    this.button.textContent = this.texts.get(on ? "console.sound.off" : "console.sound.on");
  }

  ring() {
    if (!this.context) return;
    [0, 0.35, 0.7].forEach((at, i) => {
      const tone = this.context.createOscillator(), volume = this.context.createGain();
      const start = this.context.currentTime + at;
      tone.frequency.value = i % 2 ? 660 : 880;
      volume.gain.setValueAtTime(0.0001, start);
      volume.gain.exponentialRampToValueAtTime(0.4, start + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.3);
      tone.connect(volume).connect(this.context.destination);
      tone.start(start);
      tone.stop(start + 0.32);
    });
  }
}
