// The console's keys, its selection and its live changes. Every page works without this file.

const inside = (target) => target.closest("input, textarea, select, dialog[open]") !== null;
const ROW = "[data-rows] tbody tr, [data-rows] > li";
const rows = () => [...document.querySelectorAll(ROW)];
const text = (template, n) => template.replace("{n}", n.toLocaleString());

// a page that answers a form has the address of the page with that form
if (document.body.dataset.address) history.replaceState(null, "", document.body.dataset.address);

document.querySelector("#signout")?.addEventListener("submit", () => sessionStorage.clear());

// -- what is typed, which survives a sign-in, a restart and a reload until the act is written ---------------

const typed = document.querySelector("#act");
const boxes = ["reason", "evidence"].map((name) => typed?.elements[name]).filter(Boolean);
const draft = `draft ${location.pathname} ${typed?.elements.filter?.value ?? ""}`;
const written = new URLSearchParams(location.search).get("after")?.split(".").pop();
const over = document.querySelector("#progress") ? "draft /bulk " : written ? `draft /items/${written} ` : null;

for (const key of Object.keys(sessionStorage)) if (over && key.startsWith(over)) sessionStorage.removeItem(key);
const drafted = JSON.parse(sessionStorage.getItem(draft) ?? "{}");
for (const box of boxes) box.value ||= drafted[box.name] ?? "";
const keepDraft = () =>
  sessionStorage.setItem(draft, JSON.stringify(Object.fromEntries(boxes.map((box) => [box.name, box.value]))));
if (boxes.some((box) => box.value)) keepDraft(); // typed before this file was here
typed?.addEventListener("input", keepDraft);

// reasons written before in this session for the same act are offered first; what lets a letter out takes new words
const FRESH = ["release", "approve"];
const reasons = document.querySelector("#reasons");
const field = document.querySelector("#reason");
const given = (kind) => JSON.parse(sessionStorage.getItem(`reasons ${kind}`) ?? "[]");
const same = (kind) => (FRESH.includes(kind) ? undefined : given(kind)[0]);
let repeated = null; // the reason that Enter wrote, and the act for which it did

function offer(kind) {
  reasons.querySelectorAll("[data-given]").forEach((option) => option.remove());
  for (const reason of given(kind).reverse()) {
    const option = new Option("", reason);
    option.dataset.given = "";
    reasons.prepend(option);
  }
}

function writeSame(kind) {
  repeated = { kind, reason: same(kind) };
  field.value = repeated.reason;
}

function forget(kind) {
  if (repeated && repeated.kind !== kind && field.value === repeated.reason) field.value = "";
}

if (reasons && typed) {
  if (typed.elements.kind?.type === "hidden") offer(typed.elements.kind.value);
  typed.addEventListener("submit", (event) => {
    const kind = event.submitter?.name === "kind" ? event.submitter.value : typed.elements.kind.value;
    forget(kind);
    const reason = field.value.trim();
    const kept = [...new Set([reason, ...given(kind)])].slice(0, 5);
    if (reason) sessionStorage.setItem(`reasons ${kind}`, JSON.stringify(kept));
  });
}

// -- the row that the keys mean ---------------------------------------------------------------------------

let here = -1;
let anchor = null;

function move(to) {
  const all = rows();
  if (all.length === 0) return;
  here = Math.max(0, Math.min(to, all.length - 1));
  all.forEach((row, place) => row.classList.toggle("here", place === here));
  all[here].querySelector("[data-open]")?.focus({ preventScroll: true });
  all[here].scrollIntoView({ block: "nearest" });
}

document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.(ROW);
  if (!row) return;
  here = rows().indexOf(row);
  rows().forEach((one, place) => one.classList.toggle("here", place === here));
});

// -- the selection, which survives other pages, and an act for those of it with which that did not succeed ----

const form = document.querySelector("#selection");
const shelf = `selection ${document.body.dataset.filter ?? ""}`;
const selected = new Set(JSON.parse(sessionStorage.getItem(shelf) ?? "[]"));

function keep() {
  sessionStorage.setItem(shelf, JSON.stringify([...selected]));
  const count = document.querySelector("#count");
  if (count) count.textContent = selected.size ? text(form.dataset.selected, selected.size) : "";
  const acts = [...selected].map((id) => document.querySelector(`[data-item="${CSS.escape(id)}"]`)?.dataset.acts?.split(" "));
  for (const button of form?.querySelectorAll("#selected button") ?? [])
    button.hidden = acts.length > 0 && !acts.some((some) => !some || some.includes(button.value));
}

function choose(box, on) {
  box.checked = on;
  if (on) selected.add(box.value);
  else selected.delete(box.value);
}

if (form) {
  for (const box of form.querySelectorAll("input[name=id]")) box.checked = selected.has(box.value);
  form.addEventListener("change", (event) => {
    if (event.target.name === "id") choose(event.target, event.target.checked);
    keep();
  });
  form.addEventListener("formdata", (event) => {
    const shown = new Set(event.formData.getAll("id"));
    for (const id of selected) if (!shown.has(id)) event.formData.append("id", id);
  });
  form.addEventListener("submit", () => sessionStorage.setItem("shelf", shelf));
  keep();
}

function unselect() {
  const acted = sessionStorage.getItem("shelf");
  if (!acted || !document.querySelector("#progress")) return;
  const done = new Set([...document.querySelectorAll("[data-done]")].map((row) => row.dataset.done));
  const left = JSON.parse(sessionStorage.getItem(acted) ?? "[]").filter((id) => !done.has(id));
  sessionStorage.setItem(acted, JSON.stringify(left));
}
unselect();

function toggle(range) {
  const boxes = rows().map((row) => row.querySelector("input[name=id]"));
  const box = boxes[here];
  if (!box) return;
  if (range && anchor !== null) {
    const [from, to] = [Math.min(anchor, here), Math.max(anchor, here)];
    boxes.slice(from, to + 1).forEach((one) => choose(one, true));
  } else {
    choose(box, !box.checked);
    anchor = here;
  }
  keep();
}

// -- acts ------------------------------------------------------------------------------------------------

let wanted = null;

// a held key does nothing that one press did not say
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.repeat || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

function act(key) {
  const button = document.querySelector(`#offers [data-key="${key}"]`);
  if (button) {
    wanted = button;
    forget(wanted.value);
    offer(wanted.value);
    const last = button.hasAttribute("data-reason") ? same(wanted.value) : undefined;
    field.placeholder = last ? field.dataset.same.replace("{reason}", () => last) : "";
    // what needs words is sent by Enter in them; the rest by Enter on its button: one slip does nothing
    if (button.hasAttribute("data-reason")) field.focus();
    else button.focus();
    return true;
  }
  if (form && selected.size) {
    form.querySelector(`button[data-key="${key}"]`)?.click();
    return true;
  }
  if (key === "z" && document.querySelector("#undo-before")) {
    document.querySelector("#undo-before").click();
    return true;
  }
  const open = rows()[here]?.querySelector("[data-open]");
  if (open && form) {
    sessionStorage.setItem("act", key);
    open.click();
    return true;
  }
  return false;
}

for (const box of document.querySelectorAll("#reason, #evidence")) {
  box.addEventListener("keydown", (event) => {
    // 229: a browser ends the composition of Japanese before it tells of the key that ended it
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229 || !document.querySelector("#offers")) return;
    event.preventDefault();
    const button = wanted && document.querySelector(`#offers [value="${wanted.value}"]`);
    const evidence = document.querySelector("#evidence");
    // without a key pressed before, nobody has said which act is meant
    if (!button) return;
    // an empty reason becomes the last one of this act, which is seen before it is sent
    if (box.id === "reason" && !box.value.trim() && same(wanted.value) && button.hasAttribute("data-reason")) writeSame(wanted.value);
    else if (button.hasAttribute("data-evidence") && !evidence.value.trim()) evidence.focus();
    else button.form.requestSubmit(button);
  });
}

const begun = sessionStorage.getItem("act");
if (begun && document.querySelector("#offers")) {
  sessionStorage.removeItem("act");
  act(begun);
}

// -- keys ------------------------------------------------------------------------------------------------

const keys = {
  j: () => move(here + 1),
  k: () => move(here - 1),
  x: () => toggle(false),
  X: () => toggle(true),
  Enter: () => rows()[here]?.querySelector("[data-open]")?.click(),
  "/": () => {
    const filter = document.querySelector("details.filter");
    if (!filter) return;
    filter.open = true;
    filter.querySelector("select, input:not([type=hidden])").focus();
  },
  "?": () => document.querySelector("#keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.keyCode === 229) return;
  if (event.key === "Escape" && event.target.matches?.("#reason, #evidence, .filter input, .filter select")) event.target.blur();
  if (inside(event.target)) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const key = event.key.normalize("NFKC"); // a Japanese keyboard may send full-width letters
  if (keys[key]) {
    keys[key]();
    event.preventDefault();
  } else if (/^[a-z]$/.test(key) && act(key)) {
    event.preventDefault();
  }
});

// -- live: parts of the page that say what has changed; rows never move ----------------------------------

let fresh = 0;
let fetching = null;

// takes over what a page says now, and returns the ids of the parts that it does not have
async function take(address) {
  const answer = await fetch(address, { headers: { "X-Live": "1" } });
  if (answer.status >= 500) throw new Error(answer.status);
  if (!answer.ok) return [];
  const found = new DOMParser().parseFromString(await answer.text(), "text/html");
  const missing = [];
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const news = found.getElementById(part.id);
    if (!news) missing.push(part.id);
    else if (news.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
      part.innerHTML = news.innerHTML;
    }
  }
  mask();
  return missing;
}

let masking = null;

// what was revealed is taken off the page when its time is over, whether or not the console answers then
function mask() {
  const left = Number(document.querySelector("#masked-in")?.textContent);
  clearTimeout(masking);
  if (!left) return;
  masking = setTimeout(() => {
    document.querySelector("#contact dl")?.remove();
    refresh();
  }, left * 1000);
}
mask();

async function refresh() {
  if (fetching) {
    fetching = "again";
    return;
  }
  fetching = "once";
  let failed = false;
  try {
    const missing = await take(location.href);
    // a row that no longer fits the filter stays where it is, and says why
    const ids = missing.filter((id) => id.startsWith("state-")).map((id) => ["id", id.slice("state-".length)]);
    if (ids.length) await take(`/items?${new URLSearchParams(ids)}`);
    unselect();
  } catch {
    failed = true; // what has changed is told but once
  }
  const more = fetching === "again";
  fetching = null;
  if (more) refresh();
  else if (failed) setTimeout(refresh, 1000);
}

// -- a page that is not done asks how far it is, and is shown anew when it is -------------------------------

const seconds = Number(document.body.dataset.refresh);

async function again() {
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" } });
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!found.body.dataset.refresh) {
      location.reload();
      return;
    }
    const main = document.querySelector("main");
    if (!main.contains(document.activeElement)) main.innerHTML = found.querySelector("main").innerHTML;
  } catch {
    // it is asked again
  }
  setTimeout(again, seconds * 1000);
}

if (seconds) setTimeout(again, seconds * 1000);

let heard = document.body.dataset.cursor;
let stream = null;
let opened = false;

function deaf() {
  stream?.close();
  stream = null;
}

// only a page that is seen listens: a browser has six connections to a console, and a stream holds one
function listen() {
  if (!heard || stream || document.hidden) return;
  const query = document.body.dataset.filter;
  stream = new EventSource(`/events?since=${encodeURIComponent(heard)}${query ? `&${query}` : ""}`);
  stream.addEventListener("open", () => {
    if (opened) refresh(); // what was said meanwhile about Kafka is not said again
    opened = true;
  });
  stream.addEventListener("items", (event) => {
    heard = event.lastEventId;
    const { new: arrived, changed } = JSON.parse(event.data);
    fresh += arrived;
    const pill = document.querySelector("#pill");
    if (fresh && pill) {
      const link = document.createElement("a");
      link.href = location.href;
      link.textContent = text(pill.dataset.one, fresh);
      pill.replaceChildren(link);
    }
    const mine = document.querySelector("#progress, #before p, #contact, #doings");
    if (changed.length && (mine || changed.some((id) => document.getElementById(`row-${id}`)))) refresh();
  });
  stream.addEventListener("broker", refresh);
  for (const kind of ["reload", "signin"]) {
    stream.addEventListener(kind, () => {
      deaf();
      heard = null;
      location.reload();
    });
  }
}

listen();
document.addEventListener("visibilitychange", () => (document.hidden ? deaf() : listen()));
addEventListener("pagehide", deaf);
