// The web chat with JavaScript: messages arrive by themselves, forms do not reload the page.
// Every message is HTML that the server rendered and escaped.

const messages = document.getElementById("messages");
const note = document.getElementById("note");
const composer = document.querySelector("#say textarea");
const thread = location.pathname;
const seenKey = `seen:${thread}`;
const NEAR_END_PX = 120;
const RETRY_MS = 5000;

let lastId = Number(messages.dataset.last);
let stream;

function isAtEnd() {
  return window.innerHeight + window.scrollY > document.documentElement.scrollHeight - NEAR_END_PX;
}

function remember(id) {
  lastId = Math.max(lastId, id);
  localStorage.setItem(seenKey, lastId);
}

function show(event) {
  const id = Number(event.lastEventId);
  if (document.getElementById(`m${id}`)) return;
  const follows = isAtEnd();
  messages.insertAdjacentHTML("beforeend", event.data);
  const added = messages.lastElementChild;
  // "nearest" shows a short message whole and a long one, such as a digest, from its top.
  if (added.classList.contains("person")) added.scrollIntoView({ block: "start" });
  else if (follows) added.scrollIntoView({ block: "nearest" });
  remember(id);
}

function connect() {
  stream?.close();
  if (document.hidden) return;
  stream = new EventSource(`${thread}/events?after=${lastId}`);
  stream.addEventListener("message", show);
  stream.addEventListener("open", () => say("reconnecting", false));
  stream.addEventListener("error", () => {
    say("reconnecting", true);
    // The browser tries again by itself after a lost connection, but not after an answer that is no stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  });
}

const states = new Set();

function say(state, isOn, text) {
  states[isOn ? "add" : "delete"](state);
  note.textContent = text ?? [...states].map((each) => note.dataset[each]).join(" ");
}

function turn(id, html) {
  document.getElementById(id).outerHTML = html;
  const turned = document.getElementById(id);
  // A new page is read from its top.
  if (turned.getBoundingClientRect().top < 0) turned.scrollIntoView({ block: "start" });
}

async function submit(form, submitter) {
  const body = new FormData(form, submitter);
  const message = submitter?.closest(".message");
  if (message) body.append("message", message.id.slice(1));
  const typed = form.id === "say" ? composer.value : "";
  if (typed) composer.value = "";
  if (submitter) submitter.disabled = true;
  say("working", true);
  let failure, aside;
  try {
    // Not form.action: that is the button of this name.
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
    if (!answer.ok) failure = await answer.text();
    else if (answer.headers.get("Content-Type")?.startsWith("text/plain")) aside = await answer.text();
    // The message that the button stood under has become another.
    else if (answer.status === 200) turn(message.id, await answer.text());
  } catch {
    failure = note.dataset.failed;
  }
  if (submitter) submitter.disabled = false;
  if (failure && !composer.value) composer.value = typed;
  say("working", false, failure ?? aside);
}

document.addEventListener("submit", (event) => {
  if (!("quiet" in event.target.dataset)) return;
  event.preventDefault();
  const command = event.submitter?.value ?? "";
  if (event.target.classList.contains("chips") && command.includes(" ")) {
    // A command with an argument is there to be changed first.
    composer.value = command;
    composer.focus();
  } else submit(event.target, event.submitter);
});

composer.addEventListener("keydown", (event) => {
  // While a Chinese word is being composed, Enter chooses it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  composer.form.requestSubmit();
});

// A browser has few connections to a host: pages that nobody looks at give theirs back.
document.addEventListener("visibilitychange", connect);

const seen = Number(localStorage.getItem(seenKey));
if (seen && !location.hash && messages.lastElementChild) {
  const all = [...messages.children];
  const firstUnread = all.find((each) => Number(each.id.slice(1)) > seen) ?? all.at(-1);
  firstUnread.scrollIntoView({ block: "start" });
}
remember(lastId);
connect();
