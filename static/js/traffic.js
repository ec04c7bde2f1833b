// The split of an endpoint's traffic with sliders. Moving one share takes from the others in proportion, so that all add
// up to 100; a lock holds one. Without scripts the same form is its number fields alone.

// The shares after number `index` is set to `wanted`. shares: {percent, isHeld, isReady} as they were when the hand was
// laid on, so that going back brings everything back. Whole percents, left over ones to the largest remainders.
export function balance(shares, index, wanted) {
  const others = shares.map((_, at) => at).filter((at) => at !== index && !shares[at].isHeld);
  const held = shares.reduce((sum, one, at) => sum + (at !== index && one.isHeld ? one.percent : 0), 0);
  const free = 100 - held;
  const own = others.length ? Math.min(Math.max(Math.round(wanted) || 0, 0), free) : free;
  const weights = weighed(shares, others);
  const whole = others.reduce((sum, at) => sum + weights.get(at), 0);
  const exact = new Map(others.map((at) => [at, ((free - own) * weights.get(at)) / whole]));
  const percents = shares.map((one, at) => (at === index ? own : exact.has(at) ? Math.floor(exact.get(at)) : one.percent));
  let left = 100 - percents.reduce((sum, one) => sum + one, 0);
  const byRemainder = [...others].sort((a, b) => (exact.get(b) % 1) - (exact.get(a) % 1));
  for (const at of byRemainder) if (left-- > 0) percents[at] += 1;
  return percents;
}

// What the others take and give by: their shares; where all of these are 0, those that could answer are alike.
function weighed(shares, others) {
  if (others.some((at) => shares[at].percent)) return new Map(others.map((at) => [at, shares[at].percent]));
  const isAnyReady = others.some((at) => shares[at].isReady);
  return new Map(others.map((at) => [at, !isAnyReady || shares[at].isReady ? 1 : 0]));
}

function wire(form) {
  const rows = [...form.querySelectorAll("[data-share]")].map((row) => ({
    row,
    name: row.dataset.share,
    before: Number(row.dataset.before),
    number: row.querySelector("input[type=number]"),
    range: row.querySelector("input[type=range]"),
    lock: row.querySelector("[data-lock]"),
  }));
  if (!rows.length) return;
  const target = form.elements["mirror"];
  const mirrorPercent = form.elements["mirror-percent"];
  let start = [];

  const percentOf = (one) => Number(one.number.value) || 0;
  const isShadow = (one) => target.value === one.name;
  const isHeld = (one) => isShadow(one) || one.lock.getAttribute("aria-pressed") === "true";
  const layHandOn = () => {
    start = rows.map((one) => ({
      percent: percentOf(one), isHeld: isHeld(one), isReady: one.row.dataset.ready !== undefined,
    }));
  };

  function show(percents) {
    for (const [at, one] of rows.entries()) one.number.value = one.range.value = percents[at];
    draw();
  }

  function draw() {
    for (const one of rows) {
      const isStill = isHeld(one);
      one.range.value = percentOf(one);
      one.range.disabled = isStill;
      one.number.readOnly = isStill;
      one.lock.disabled = isShadow(one);
    }
    drawBar(form.querySelector("[data-bar]"), rows, percentOf);
    mirrorPercent.disabled = !target.value;
    const changes = said();
    const summary = form.querySelector("[data-summary]");
    const sum = rows.reduce((total, one) => total + percentOf(one), 0);
    const tail = sum === 0 ? " Nothing will be answered but calls that name a deployment." : "";
    summary.textContent = changes.length ? `Will change: ${changes.join(", ")}.${tail}` : "Nothing is changed yet.";
    for (const button of form.querySelectorAll("[data-needs-change]")) button.disabled = !changes.length;
  }

  // What Apply would do, against what is set now.
  function said() {
    const changes = rows
      .filter((one) => percentOf(one) !== one.before)
      .map((one) => `${one.name} ${one.before} → ${percentOf(one)} %`);
    const now = target.value ? `${target.value} ${mirrorPercent.value} %` : "none";
    const before = form.dataset.mirror || "none";
    if (now !== before) changes.push(`mirror ${before} → ${now}`);
    return changes;
  }

  form.addEventListener("focusin", layHandOn);
  form.addEventListener("pointerdown", layHandOn);
  form.addEventListener("input", (event) => {
    const at = rows.findIndex((one) => one.range === event.target || one.number === event.target);
    if (at >= 0 && event.target.value !== "") {
      show(balance(start, at, Number(event.target.value)));
    } else if (at < 0) draw();
  });
  form.addEventListener("change", (event) => {
    const shadow = rows.findIndex((one) => event.target === target && isShadow(one));
    if (shadow >= 0 && percentOf(rows[shadow])) {
      layHandOn();
      show(balance(start, shadow, 0));
    } else draw();
  });
  form.addEventListener("click", (event) => {
    const lock = event.target.closest("[data-lock]");
    if (lock) lock.setAttribute("aria-pressed", String(lock.getAttribute("aria-pressed") !== "true"));
    if (event.target.closest("[data-all-off]")) show(rows.map(() => 0));
    if (lock) draw();
    layHandOn();
  });
  form.addEventListener("reset", () => setTimeout(() => {
    for (const one of rows) one.lock.setAttribute("aria-pressed", "false");
    draw();
    layHandOn();
  }));

  for (const part of form.querySelectorAll("[data-scripted]")) part.hidden = false;
  for (const one of rows) one.row.classList.replace("share", "slider");
  layHandOn();
  draw();
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function drawBar(bar, rows, percentOf) {
  const parts = rows.filter((one) => percentOf(one) > 0).map((one) => {
    const percent = percentOf(one);
    const part = document.createElement("span");
    part.style.setProperty("--share", `${percent}%`);
    part.style.setProperty("--c", one.row.dataset.colour);
    if (percent >= 20) part.append(element("b", `${one.name} `));
    if (percent >= 5) part.append(element("i", `${percent} %`));
    return part;
  });
  const split = bar.firstElementChild;
  split.replaceChildren(...parts);
  const words = rows.filter(percentOf).map((one) => `${one.name} ${percentOf(one)} %`);
  split.setAttribute("aria-label", `Traffic: ${words.join(" ") || "none"}`);
}

function wireAll(root) {
  for (const form of root.querySelectorAll?.("form[data-traffic]") ?? []) {
    if (form.dataset.traffic) continue;
    form.dataset.traffic = "wired";
    wire(form);
  }
}
if (globalThis.document) {
  wireAll(document);
  document.addEventListener("htmx:load", (event) => wireAll(event.detail.elt.parentNode ?? document));
}
