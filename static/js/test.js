// The test panel's manners: Ctrl+Enter sends, Tab indents, an untouched body follows the chosen deployment's sample,
// and only the last calls stay.
const KEPT_CALLS = 10;
const form = document.querySelector("[data-invoke]");
const body = () => form.querySelector("textarea[data-editor]");
let isTouched = false;
let isLeaving = false;

form.addEventListener("input", (event) => { if (event.target === body()) isTouched = true; });

form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(form.querySelector("[data-send]"));
  }
  if (event.target !== body()) return;
  if (event.key === "Escape") isLeaving = true;
  else if (event.key !== "Tab" || isLeaving) isLeaving = false;
  else if (!event.shiftKey) {
    event.preventDefault();
    body().setRangeText("  ", body().selectionStart, body().selectionEnd, "end");
    isTouched = true;
  }
});

form.addEventListener("change", (event) => {
  if (event.target.name === "deployment" && !isTouched) {
    const url = `${form.action}?${new URLSearchParams({ deployment: event.target.value })}`;
    window.htmx.ajax("GET", url, { target: "#editor", swap: "outerHTML" });
  }
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id !== "calls") return;
  document.querySelector("[data-no-calls]").hidden = true;
  for (const old of [...document.querySelectorAll("[data-call]")].slice(KEPT_CALLS)) old.remove();
});
