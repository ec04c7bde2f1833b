// Follows a log by server-sent events into every [data-log]. Lines are text, never markup.
const KEPT_LINES = 5000;

function follow(box) {
  const card = box.closest(".card") ?? document;
  const state = card.querySelector("[data-log-state]");
  const say = (text, kind) => {
    if (!state) return;
    state.textContent = text;
    state.className = "state";
    state.dataset.state = kind;
  };
  const stream = new EventSource(box.dataset.log);
  stream.addEventListener("open", () => {
    box.replaceChildren(); // after a break the history comes again
    say("following", "Following");
  });
  stream.addEventListener("message", (event) => {
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    box.append(drawn(JSON.parse(event.data), box.dataset));
    while (box.childElementCount > KEPT_LINES) box.firstElementChild.remove();
    if (isAtEnd) box.scrollTop = box.scrollHeight;
  });
  stream.addEventListener("end", () => {
    stream.close();
    say("complete", "ok");
    if (!box.childElementCount) note(box, "The log is empty.");
  });
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) say("not followed", "warn");
    else say("connecting again", "busy");
  });
  addEventListener("pagehide", () => stream.close());
  return stream;
}

// instances: present where lines of several may stand; requestUrl: where a request's own lines are, its id to be added.
function drawn(line, { instances, requestUrl }) {
  const row = document.createElement("p");
  row.dataset.level = line.level;
  const time = document.createElement("i");
  time.textContent = line.time;
  time.title = line.at;
  row.append(time, ` ${line.word} `);
  if (instances !== undefined && line.instance) {
    const instance = document.createElement("i");
    instance.textContent = `${line.instance.slice(-8)} `;
    instance.title = line.instance;
    row.append(instance);
  }
  if (line.request && requestUrl) {
    const request = document.createElement("a");
    request.href = requestUrl + encodeURIComponent(line.request);
    request.textContent = line.request.slice(0, 8);
    request.title = `Lines of request ${line.request}`;
    row.append(request, " ");
  }
  row.append(line.message);
  return row;
}

function note(box, text) {
  const row = document.createElement("p");
  const dim = document.createElement("i");
  dim.textContent = text;
  row.append(dim);
  box.append(row);
}

for (const box of document.querySelectorAll("[data-log]")) follow(box);
