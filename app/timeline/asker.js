/* Everything that is looked for goes through here, numbered, so that the last one asked wins. */
const fs = window.framescry;
const PAUSE_MS = 250; // typing has stopped
const field = () => document.querySelector("#query textarea, #query input");
const words = () => field()?.value.trim() ?? "";

let last = null;
let number = 0;
let waits = false; // the last one asked, for the video to be read
let pause = 0;
const ask = (what) => {
  clearTimeout(pause);
  waits = false;
  last = {...what, number: ++number};
  props.value = last;
  trigger("ask");
};

document.addEventListener("input", (event) => {
  if (event.target !== field()) return;
  clearTimeout(pause);
  ready();
  pause = setTimeout(() => ask({kind: "words", text: words(), typed: true}), PAUSE_MS);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target !== field() || event.isComposing) return;
  event.preventDefault();
  ask({kind: "words", text: words()});
});
document.addEventListener("click", (event) => {
  if (event.target.closest?.("#run-search")) ask({kind: "words", text: words()});
  if (event.target.closest?.("#like-shown")) ask({kind: "like", t: fs.now()});
});
fs.on("like", (t) => {
  fs.openTab("search");
  ask({kind: "like", t});
});
fs.on("again", (name) => ask({kind: "kept", text: name}));
fs.on("picture", () => ask({kind: "picture"}));
const enter = (tries = 60) => { // the tab is shown some frames after it was opened
  if (field()?.offsetParent) field().select();
  else if (tries) requestAnimationFrame(() => enter(tries - 1));
};
fs.on("find", () => {
  fs.openTab("search");
  enter();
});

/* -- what came of it --------------------------------------------------------------------------- */

fs.on("answer", (answer) => {
  if (answer.number === number) waits = !answer.done;
  if (answer.words !== undefined) fs.address("q", answer.words);
  ready();
  if (answer.work && answer.number === number) {
    fs.surely(() => trigger("work"));
  }
});
/* What was asked while a video was being read is answered when it has been; nothing else starts
   work that nobody pressed a button for. */
const again = () => ask({...last, typed: true});
fs.on("status", (status) => {
  if (status?.state === "done" && last && waits) again();
  if (status?.state === "stopped" || status?.state === "failed") waits = false;
});
fs.on("options", () => {
  clearTimeout(pause);
  if (last) pause = setTimeout(again, PAUSE_MS);
});

/* -- a picture that is pasted ------------------------------------------------------------------- */

const drop = (picture) => {
  const input = document.querySelector("#picture input[type=file]");
  if (!input) { // it is made when the fold is opened
    const fold = document.querySelector("#picture-fold button");
    if (!fold) return;
    if (!fold.classList.contains("open")) fold.click();
    requestAnimationFrame(() => drop(picture));
    return;
  }
  const files = new DataTransfer();
  files.items.add(picture);
  input.files = files.files;
  input.dispatchEvent(new Event("change", {bubbles: true}));
};
document.addEventListener("paste", (event) => {
  const picture = [...(event.clipboardData?.files ?? [])].find((file) =>
    file.type.startsWith("image/"));
  if (!picture || !field()?.offsetParent) return;
  event.preventDefault();
  drop(picture);
});

/* -- the address ---------------------------------------------------------------------------------- */

const ready = () =>
  document.querySelector("#run-search")?.classList.toggle("is-unready", !words());
let arriving = fs.asked("tab") === "search" ? fs.asked("q") : "";
fs.on("video", () => {
  last = null;
  waits = false;
  ready();
  clearTimeout(pause);
  fs.address("q", arriving);
  if (arriving) ask({kind: "words", text: arriving});
  arriving = "";
});
