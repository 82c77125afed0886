// Texts in the page's language, as the gateway put them into the page.

// form returns which plural form a whole number takes: one, few, many in
// Russian; one, other in Kazakh and English.
export function form(lang, n) {
  n = Math.abs(n);
  if (lang !== "ru") return n === 1 ? 0 : 1;
  const ones = n % 10, tens = n % 100;
  if (ones === 1 && tens !== 11) return 0;
  return ones >= 2 && ones <= 4 && (tens < 12 || tens > 14) ? 1 : 2;
}

export class Texts {
  constructor() {
    const root = document.documentElement;
    this.lang = root.lang;
    this.words = JSON.parse(root.dataset.words);
  }

  get(key) { return this.words[key] ?? key; }

  or(key, other) { return this.words[key] ?? other; }

  fill(key, values) {
    return this.get(key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  count(key, n) {
    const forms = this.get(key).split("|");
    return forms[Math.min(form(this.lang, n), forms.length - 1)].replace("{n}", n);
  }

  ago(ms) {
    const s = Math.floor(Math.max(ms, 0) / 1000);
    if (s < 3) return this.get("ago.now");
    if (s < 60) return this.count("n.seconds.ago", s);
    if (s < 3600) return this.count("n.minutes.ago", Math.floor(s / 60));
    if (s < 48 * 3600) return this.count("n.hours.ago", Math.floor(s / 3600));
    return this.count("n.days.ago", Math.floor(s / 86400));
  }
}

// clock says how long ago in figures only, "02:15", which needs no plural.
export function clock(ms) {
  const s = Math.floor(Math.max(ms, 0) / 1000), two = (n) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return (h ? h + ":" : "") + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
}
