// Small manners of every page: "/" goes to the search, menus close, copy buttons copy.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.querySelector("[data-search]");
    if (!search || search.offsetParent === null) return;
    event.preventDefault();
    search.focus();
    search.select();
  }
  if (event.key === "Escape") closeMenus(null);
});

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("[data-menu]"));
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

function closeMenus(kept) {
  for (const menu of document.querySelectorAll("[data-menu][open]")) {
    if (menu !== kept) menu.open = false;
  }
}

async function copy(button) {
  const word = button.querySelector("span") ?? button;
  const before = word.textContent;
  try {
    await writeText(button.dataset.copy);
    word.textContent = "Copied";
  } catch {
    word.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (word.textContent = before), 1500);
}

// The clipboard API is there only on https and localhost; elsewhere a selection is copied the old way.
async function writeText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("The browser refused to copy.");
}

function reveal(root) {
  for (const element of root.querySelectorAll("[data-copy][hidden]")) element.hidden = false;
}
reveal(document);
document.addEventListener("htmx:load", (event) => reveal(event.detail.elt));

// Filters apply themselves when a choice changes; the button beside them is for those without scripts.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-autosubmit]");
  if (form && event.target.matches("select, input[type=checkbox]")) form.requestSubmit();
});

// On a phone the side bar and the tabs are strips; the current area and tab must be in sight.
document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
const tab = document.querySelector(".tabs [aria-current]");
if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 16;
