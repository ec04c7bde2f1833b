// What has come to rest is looked at again now and then, so that an instance that dies later is seen without a reload:
// [data-watch] gets the event "watch", on which htmx asks for it. Not while nobody looks, and not under a reader's hand.
const EVERY_MS = 10_000;

function isInUse(part) {
  const selection = document.getSelection();
  const isSelected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return isSelected || part.contains(document.activeElement);
}

function look() {
  if (document.visibilityState !== "visible") return;
  for (const part of document.querySelectorAll("[data-watch]")) {
    if (!isInUse(part)) window.htmx?.trigger(part, "watch");
  }
}

setInterval(look, EVERY_MS);
document.addEventListener("visibilitychange", look);
