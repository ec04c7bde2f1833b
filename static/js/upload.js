// Uploads in parts through the REST API: dropped or chosen files are sent at once, and the form gets the finished
// upload's id. A part that fails is sent again; what has arrived is never sent twice.
const PART_BYTES = 8 * 1024 * 1024;
const ATTEMPTS = 4;
const ARCHIVE = /\.(zip|tar|tgz|tar\.gz|tar\.bz2|tar\.xz)$/i;

class Uploader {
  constructor(root) {
    this.root = root;
    this.form = root.closest("form");
    this.id = root.querySelector("[data-upload-id]");
    this.files = root.querySelector("input[type=file]:not([webkitdirectory])");
    this.folder = root.querySelector("input[webkitdirectory]");
    this.unpack = root.querySelector("[data-upload-unpack]");
    this.progress = root.querySelector("progress");
    this.status = root.querySelector("[data-upload-status]");
    this.turn = 0;
    root.querySelector("[data-upload-drop]").hidden = false;
    this.folder.closest("[data-upload-folder]").hidden = false;
    this.files.addEventListener("change", () => this.choose(listed(this.files.files)));
    this.folder.addEventListener("change", () => this.choose(listed(this.folder.files)));
    this.unpack?.addEventListener("change", () => this.chosen?.length && this.choose(this.chosen));
    root.addEventListener("dragover", (event) => { event.preventDefault(); root.dataset.state = "over"; });
    root.addEventListener("dragleave", () => delete root.dataset.state);
    root.addEventListener("drop", async (event) => {
      event.preventDefault();
      delete root.dataset.state;
      this.choose(await dropped(event.dataTransfer));
    });
  }

  // entries: [{path, file}]; a path with a folder in it means that a folder was chosen.
  async choose(entries) {
    if (!entries.length) return;
    const turn = ++this.turn; // a newer choice makes an older one stop
    this.chosen = entries;
    this.id.value = "";
    this.busy(true);
    try {
      const id = await this.send(entries, () => turn !== this.turn);
      if (id === null) return;
      this.id.value = id;
      this.files.value = ""; // the files have arrived; the form must not carry them again
      this.folder.value = "";
      this.suggestName(entries);
    } catch (error) {
      if (turn === this.turn) this.say(error.message, true);
    } finally {
      if (turn === this.turn) this.busy(false);
    }
  }

  async send(entries, isStale) {
    const { rootName, isFolder, files } = shaped(entries);
    const total = files.reduce((sum, { file }) => sum + file.size, 0);
    const { id } = await this.call("POST", "/api/v1/uploads", {
      json: { purpose: this.root.dataset.purpose, root_name: rootName, is_folder: isFolder },
    });
    let sent = 0;
    for (const { path, file } of files) {
      let offset = 0;
      do {
        if (isStale()) return null;
        const part = file.slice(offset, offset + PART_BYTES);
        const query = new URLSearchParams({ path, offset });
        await this.call("PUT", `/api/v1/uploads/${id}/files?${query}`, { body: part });
        offset += part.size;
        sent += part.size;
        this.report(sent, total, files.length);
      } while (offset < file.size);
    }
    const unpack = Boolean(this.unpack?.checked) && files.length === 1 && ARCHIVE.test(rootName);
    this.say("Checking …");
    const done = await this.call("POST", `/api/v1/uploads/${id}/complete`, { json: { unpack } });
    this.say(`Received ${files.length === 1 ? rootName : `${files.length} files`}, ${size(total)}${unpack ? ", unpacked" : ""}. ${done.tree_digest ? `Digest ${done.tree_digest.slice(0, 12)}` : ""}`);
    return id;
  }

  async call(method, url, { json, body }) {
    const headers = { "X-CSRFToken": this.form.querySelector("[name=csrfmiddlewaretoken]").value };
    if (json) headers["Content-Type"] = "application/json";
    else if (body) headers["Content-Type"] = "application/octet-stream";
    for (let attempt = 1; ; attempt++) {
      let answer;
      try {
        answer = await fetch(url, { method, headers, body: json ? JSON.stringify(json) : body });
      } catch (error) {
        if (attempt >= ATTEMPTS) throw new Error("The studio cannot be reached. Choose the files again when it is back.");
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
        continue;
      }
      if (answer.ok) return answer.status === 204 ? {} : answer.json();
      if (answer.status >= 502 && attempt < ATTEMPTS) {
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
        continue;
      }
      throw new Error(await reason(answer));
    }
  }

  report(sent, total, count) {
    const percent = total ? Math.floor((100 * sent) / total) : 100;
    this.progress.value = percent;
    this.say(`${percent} %, ${size(sent)} of ${size(total)}${count > 1 ? ` in ${count} files` : ""}`);
  }

  busy(isBusy) {
    this.progress.hidden = !isBusy;
    if (isBusy) this.progress.value = 0;
    for (const button of this.form.querySelectorAll("[data-upload-submit]")) button.disabled = isBusy;
  }

  say(text, isBad = false) {
    this.status.textContent = text;
    this.status.className = isBad ? "error" : "hint";
  }

  suggestName(entries) {
    const field = this.form.querySelector("input[data-name]");
    if (!field || field.value) return;
    const base = shaped(entries).rootName.replace(ARCHIVE, "").replace(/\.[^.]+$/, "");
    field.value = base.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 255);
  }
}

// One chosen folder keeps its name as root; several loose files become a folder "model"; one file stays a file.
function shaped(entries) {
  const roots = new Set(entries.map(({ path }) => path.split("/")[0]));
  const isNested = entries.some(({ path }) => path.includes("/"));
  if (roots.size === 1 && isNested) {
    const [rootName] = roots;
    const files = entries.map(({ path, file }) => ({ path: path.slice(rootName.length + 1), file }));
    return { rootName, isFolder: true, files };
  }
  if (entries.length === 1) return { rootName: entries[0].path, isFolder: false, files: entries };
  return { rootName: "model", isFolder: true, files: entries };
}

function listed(files) {
  return Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, file }));
}

async function dropped(transfer) {
  const roots = Array.from(transfer.items, (item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!roots.length) return listed(transfer.files);
  const found = [];
  for (const root of roots) await walk(root, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!batch.length) return;
    for (const child of batch) await walk(child, found);
  }
}

async function reason(answer) {
  try {
    const { error } = await answer.json();
    return [error.message, ...(error.details ?? []).map((detail) => detail.message)].join(" ");
  } catch {
    return `The studio refused the upload (${answer.status}).`;
  }
}

function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let step = 0;
  while (bytes >= 1024 && step < units.length - 1) { bytes /= 1024; step++; }
  return `${step ? bytes.toFixed(1) : bytes} ${units[step]}`;
}

function start(root) {
  for (const element of root.querySelectorAll("[data-upload]:not([data-ready])")) {
    element.dataset.ready = "";
    new Uploader(element);
  }
}
start(document);
document.addEventListener("htmx:load", (event) => start(event.detail.elt.parentElement ?? document));
