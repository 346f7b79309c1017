const fs = window.framescry;
const box = element.querySelector(".fs-hits");
const videos = element.querySelector(".fs-hit-videos");
let open = null; // the video on the page
let wanted = null; // the moment to go to once its video is there

fs.on("video", (video) => {
  open = video.hash;
  if (wanted?.hash === open) fs.seek(wanted.t);
  wanted = null;
});
fs.on("status", (status) => {
  if (status?.state === "failed" || status?.state === "stopped") wanted = null;
});
const goTo = (hash, t) => {
  if (hash === open) {
    fs.seek(t);
    return;
  }
  wanted = {hash, t};
  trigger("pick", {key: hash});
};

const createCard = () => {
  const card = fs.pictureCard();
  card.firstElementChild.addEventListener("click", () =>
    goTo(card.dataset.hash, parseFloat(card.dataset.time)));
  return card;
};
const fillCard = (hash, name) => (card, item) => {
  [card.dataset.hash, card.dataset.time] = [hash, item.t];
  const image = card.querySelector("img");
  if (item.picture) image.src = item.picture;
  else image.removeAttribute("src");
  card.querySelector("b").textContent = item.when;
  card.querySelector("small").textContent = item.note;
  card.firstElementChild.setAttribute(
    "aria-label", `Play ${name} from ${fs.clock(item.t)}, ${item.label}`);
};
const createVideo = () => {
  const made = fs.make("section", "fs-hit-video");
  const heading = fs.make("h3");
  heading.append(fs.make("b"), fs.make("small"));
  made.append(heading, fs.make("div", "fs-cards"));
  return made;
};
const fillVideo = (made, video) => {
  made.querySelector("h3 b").textContent = video.name;
  made.querySelector("h3 b").title = video.name;
  made.querySelector("h3 small").textContent = video.note;
  fs.reconcile(made.lastElementChild, video.items, (item) => item.t.toFixed(3), createCard,
    fillCard(video.key, video.name));
};
const show = () => {
  const {text = "", facts = "", videos: found = []} = props.value ?? {};
  element.querySelector("p").textContent = text;
  box.querySelector(":scope > small").textContent = facts;
  fs.reconcile(videos, found, (video) => video.key, createVideo, fillVideo);
  box.hidden = !text && found.length === 0;
};
watch("value", show);
show();
