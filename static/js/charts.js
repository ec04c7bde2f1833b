// Charts: fetches the figures a page's [data-charts] names, draws each in its [data-chart], and again every few seconds.
// Colours arrive as names of CSS variables; they are resolved here, anew whenever the theme changes.
const EVERY_S = 10;
const CONFIG = { displayModeBar: false, responsive: true, showTips: false };
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function resolved(value) {
  if (typeof value === "string") return value.startsWith("var(") ? colour(value) : value;
  if (Array.isArray(value)) return value.some((each) => typeof each === "string" || typeof each === "object") ? value.map(resolved) : value;
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, resolved(each)]));
  return value;
}

function colour(name) {
  const [token, opacity] = name.split(" / ");
  probe.style.color = token;
  const found = getComputedStyle(probe).color;
  return opacity ? found.replace(/^rgb\((.*)\)$/, `rgba($1, ${opacity})`) : found;
}

class Charts {
  constructor(root) {
    this.root = root;
    this.url = new URL(root.dataset.charts, location.href);
    this.figures = {};
    this.range = root.closest(".card")?.querySelector("[data-chart-range]");
    if (this.range) {
      this.range.hidden = false;
      this.range.addEventListener("change", () => {
        this.url.searchParams.set("range", this.range.value);
        this.load();
      });
    }
    this.load();
    this.timer = setInterval(() => this.tick(), (root.dataset.every ?? EVERY_S) * 1000);
  }

  tick() {
    if (!this.root.isConnected) clearInterval(this.timer);
    else if (!document.hidden) this.load();
  }

  async load() {
    const asked = this.url.href;
    try {
      const answer = await fetch(asked, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`the studio answered ${answer.status}`);
      const { figures } = await answer.json();
      if (asked !== this.url.href) return;
      this.figures = figures;
      this.draw();
    } catch (error) {
      this.note(`No new figures: ${error.message}. The next try follows.`);
    }
  }

  draw() {
    for (const [key, figure] of Object.entries(this.figures)) {
      const place = this.root.querySelector(`[data-chart="${key}"]`);
      if (!place) continue;
      place.querySelector("[data-note]")?.remove();
      if (figure.isEmpty) {
        window.Plotly.purge(place);
        place.replaceChildren(note("Nothing was measured in this range."));
        continue;
      }
      const { data, layout } = resolved(figure);
      window.Plotly.react(place, data, { ...layout, autosize: true, uirevision: key }, CONFIG);
    }
  }

  note(text) {
    for (const place of this.root.querySelectorAll("[data-chart] [data-note]")) place.textContent = text;
  }
}

function note(text) {
  const element = document.createElement("p");
  element.className = "hint";
  element.dataset.note = "";
  element.textContent = text;
  return element;
}

const all = new WeakMap();
const live = [];

function find(root) {
  for (const element of root.querySelectorAll("[data-charts]")) {
    if (all.has(element)) continue;
    const charts = new Charts(element);
    all.set(element, charts);
    live.push(new WeakRef(charts));
  }
}

function redraw() {
  for (const reference of live) reference.deref()?.draw();
}

find(document);
document.addEventListener("htmx:load", (event) => find(event.detail.elt));
document.addEventListener("themechange", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
