// Links marked data-dialog open their page's form in a <dialog>. Without scripts they are ordinary links to that page.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    open(link.href);
    return;
  }
  const dialog = event.target.closest("dialog");
  if (!dialog) return;
  const isBackdrop = event.target === dialog;
  const isCancel = event.target.closest("[data-cancel]");
  if (isCancel) event.preventDefault();
  if (isBackdrop || isCancel) dialog.close();
});

async function open(url) {
  const answer = await fetch(url, { headers: { "HX-Request": "true" } });
  if (!answer.ok || answer.redirected) {
    location.assign(url);
    return;
  }
  const dialog = document.createElement("dialog");
  dialog.className = "dialog";
  dialog.innerHTML = await answer.text();
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  window.htmx?.process(dialog);
  dialog.showModal();
  dialog.querySelector("[autofocus], input:not([type=hidden]), textarea, select")?.focus();
}
