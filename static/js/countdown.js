// <time data-countdown datetime="…">: what is left until then, said anew every second.
function words(seconds) {
  if (seconds <= 0) return "its time is over";
  if (seconds < 60) return `${Math.floor(seconds)} s left`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s left`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

function count() {
  for (const time of document.querySelectorAll("[data-countdown]")) {
    time.textContent = words((Date.parse(time.dateTime) - Date.now()) / 1000);
  }
}

setInterval(count, 1000);
document.addEventListener("htmx:load", count);
