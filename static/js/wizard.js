// The wizard's manners: parts that belong to another choice step aside, a list of packages may be read from a file, the
// tab key stays usable in the script editor, and going to another step keeps what stands on the page. Without scripts
// every part is shown and the server decides.
const form = document.querySelector("[data-wizard]");

// data-when="<field>=<value> <value>": shown while one of the values is chosen.
function update() {
  for (const part of form.querySelectorAll("[data-when]")) {
    const [name, values] = part.dataset.when.split("=");
    const chosen = form.querySelector(`input[name="${name}"]:checked`)?.value;
    part.hidden = !values.split(" ").includes(chosen);
  }
}

form.addEventListener("change", async (event) => {
  if (event.target.type === "radio") update();
  const filled = event.target.dataset.fills;
  if (filled && event.target.files.length) {
    document.getElementById(filled).value = await event.target.files[0].text();
    event.target.value = "";
  }
});

// Tab indents in the editor; after Escape it moves on, so that the keyboard is never caught.
let isLeaving = false;
form.addEventListener("keydown", (event) => {
  const area = event.target;
  if (!area.matches("textarea[data-editor]")) return;
  if (event.key === "Escape") isLeaving = true;
  else if (event.key !== "Tab" || isLeaving) isLeaving = false;
  else if (!event.shiftKey) {
    event.preventDefault();
    area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
  }
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  const go = Object.assign(document.createElement("input"), { type: "hidden", name: "go", value: link.dataset.go });
  form.append(go);
  form.submit();
});

update();

// On a phone the steps are a strip that scrolls sideways: bring the present one into view.
const strip = document.querySelector(".steps");
strip.scrollLeft = strip.querySelector("[aria-current]").offsetLeft - strip.offsetLeft - 16;
