/* What every piece of the page shares: the one video, its clock, seeking, keys and the address.
   Text from people is only ever put on the page with textContent. */
(() => {
  const TYPING = "input, textarea, select, [contenteditable=true], [role=listbox], [role=combobox]";
  const PRESSABLE = "button, a[href], summary, label, [role=button], [role=tab]";
  const OWN_ARROWS = "[role=tablist], [role=radiogroup], [type=range]";
  const NUDGE_S = 0.001; // a time lands inside the frame it names, not on its edge

  const fs = {
    pictures: new Map(), // time in ms -> picture of that moment
    clips: new Map(), // "from-to" -> the file of that moment
    layers: new Map(), // tab -> what it shows on the timeline
    offsetS: 0, // decoder's clock minus the player's
    fps: 25,
    startS: 0,
    durationS: 0,
  };
  window.framescry = fs;

  fs.video = () => document.querySelector("#player video");
  fs.now = () => (fs.video()?.currentTime ?? 0) + fs.offsetS;
  fs.emit = (name, detail) => document.dispatchEvent(new CustomEvent(`framescry:${name}`, {detail}));
  fs.on = (name, listen) =>
    document.addEventListener(`framescry:${name}`, (event) => listen(event.detail));

  fs.clock = (seconds, exact = false) => {
    const at = Math.max(0, Math.floor(seconds + 0.0005)); // rounded down, as players do
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(at / 3600);
    const text = hours
      ? `${hours}:${two(Math.floor(at / 60) % 60)}:${two(at % 60)}`
      : `${Math.floor(at / 60)}:${two(at % 60)}`;
    return exact ? `${text}.${Math.floor(10 * (seconds % 1))}` : text;
  };

  fs.fileUrl = (path) =>
    new URL("gradio_api/file=" + path.split("/").map(encodeURIComponent).join("/"),
      document.baseURI).href;

  fs.make = (tag, className = "", text = null) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== null) made.textContent = text;
    return made;
  };

  /* A picture to press, with a time and a note under it. */
  fs.pictureCard = () => {
    const card = fs.make("div", "fs-card");
    const play = fs.make("button", "fs-play");
    play.type = "button";
    const image = fs.make("img");
    image.alt = "";
    image.draggable = false;
    const caption = fs.make("span", "fs-caption");
    caption.append(fs.make("b"), fs.make("small"));
    play.append(image, caption);
    card.append(play);
    return card;
  };

  /* Puts the children in order, reusing those whose key is there already, so that focus, scroll and
     pictures survive a refined result. */
  fs.reconcile = (parent, items, keyOf, create, fill) => {
    const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
    items.forEach((item, at) => {
      const key = String(keyOf(item));
      const child = before.get(key) ?? create(item);
      before.delete(key);
      child.dataset.key = key;
      fill(child, item);
      if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
    });
    before.forEach((child) => child.remove());
  };

  const play = (video) =>
    video.play().catch(() => {
      video.muted = true; // browsers let a muted video start without a gesture
      return video.play().catch(() => {});
    });

  fs.seek = (seconds, andPlay = true) => {
    const video = fs.video();
    if (!video?.getAttribute("src") || !Number.isFinite(seconds)) return;
    const go = () => {
      const last = Number.isFinite(video.duration) ? video.duration - NUDGE_S : Infinity;
      video.currentTime = Math.max(0, Math.min(seconds - fs.offsetS + NUDGE_S, last));
      if (andPlay) play(video);
    };
    if (video.readyState >= 1) go();
    else video.addEventListener("loadedmetadata", go, {once: true});
  };

  fs.togglePlay = () => {
    const video = fs.video();
    if (!video?.getAttribute("src")) return;
    if (video.paused) play(video);
    else video.pause();
  };

  fs.step = (frames) => {
    fs.video()?.pause();
    const at = Math.floor((fs.now() - fs.startS) * fs.fps + 0.01);
    fs.seek(fs.startS + Math.max(0, at + frames + 0.5) / fs.fps - NUDGE_S, false);
  };

  fs.asked = (name) => new URLSearchParams(location.search).get(name) ?? "";
  fs.address = (name, value) => {
    const asked = new URLSearchParams(location.search);
    if ((asked.get(name) ?? "") === (value ?? "")) return;
    if (value) asked.set(name, value);
    else asked.delete(name);
    const query = asked.toString();
    history.replaceState(history.state, "", location.pathname + (query ? `?${query}` : ""));
  };

  /* While the page is made Gradio also opens the first tab, which is nobody's choice. */
  let chosen = false;
  fs.tabOpened = (name) => {
    if (chosen) fs.address("tab", name);
  };
  /* On a narrow screen some are in a menu, where they have nothing but their label. */
  fs.openTab = (name) => {
    const tab = document.querySelector(`[role=tab][data-tab-id="${CSS.escape(name)}"]`)
      ?? [...document.querySelectorAll("#tabs .overflow-dropdown button")].find(
        (button) => button.textContent.trim().toLowerCase() === name);
    tab?.click();
  };
  fs.openAskedTab = () => {
    chosen = true;
    fs.openTab(fs.asked("tab"));
  };

  /* Shown at once, before the server has answered; a queue is named when there is one. */
  let waiting = 0;
  let starts = 0;
  fs.starting = (text) => {
    starts += 1;
    clearTimeout(waiting);
    fs.emit("starting");
    fs.emit("status", {state: "working", text});
    waiting = setTimeout(
      () => fs.emit("status", {state: "working", text: "Waiting for a free place…"}), 2500);
  };
  fs.answered = () => clearTimeout(waiting);

  /* Gradio drops what is asked of work that it is still ending, without a word, so what was not
     heard is asked again. Where other work goes on it was a second press, which means nothing. */
  const working = () => document.body.classList.contains("is-working");
  const unlessHeard = (before, press, tries = 20) => setTimeout(() => {
    if (starts !== before || !tries || (working() && !fs.stopping)) return;
    if (!fs.stopping) press();
    unlessHeard(before, press, tries - 1);
  }, 300);
  fs.surely = (press) => {
    const before = starts;
    press();
    unlessHeard(before, press);
  };
  let again = false;
  document.addEventListener("click", (event) => { // before Gradio hears it, and may start at once
    const run = event.target.closest?.(".fs-run:not(#run-search)");
    if (!run || again) return;
    unlessHeard(starts, () => {
      again = true;
      run.click();
      again = false;
    });
  }, true);

  /* What the open tab does with a video, where it needs no more to be asked. */
  fs.runOpenTab = () => {
    const run = [...document.querySelectorAll(".fs-run")].find((button) => button.offsetParent);
    if (run && !run.classList.contains("is-unready")) run.click();
  };

  document.addEventListener("click", (event) => {
    const moment = event.target.closest?.("[data-t]");
    if (moment) fs.seek(parseFloat(moment.dataset.t));
  });

  const keys = {
    " ": () => fs.togglePlay(),
    ArrowLeft: () => fs.step(-1),
    ArrowRight: () => fs.step(1),
    j: () => fs.seek(fs.now() - 10, false),
    l: () => fs.seek(fs.now() + 10, false),
    "/": () => fs.emit("find"),
  };
  const ours = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return null;
    const on = event.target;
    if (!on.closest || on.closest(TYPING)) return null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key.startsWith("Arrow") && on.closest(OWN_ARROWS)) return null;
    if (key === " " && on.closest(PRESSABLE) && !on.closest("[data-t]")) return null;
    return keys[key] ?? null;
  };
  document.addEventListener("keydown", (event) => {
    const act = ours(event);
    if (!act || !fs.video()?.getAttribute("src")) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }, true);
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && ours(event)) event.preventDefault(); // a card is not pressed by it
  }, true);

  /* The card and row of the moment being played are marked. */
  const at = (moment) => parseFloat(moment.dataset.from ?? moment.dataset.t);
  const later = (now) => (best, moment) => {
    const holds = at(moment) <= now && now <= parseFloat(moment.dataset.to ?? Infinity);
    return holds && (!best || at(moment) >= at(best)) ? moment : best;
  };
  const mark = () => {
    const now = fs.now() + 0.05;
    document.querySelectorAll(".fs-moments").forEach((list) => {
      const current = [...list.querySelectorAll("[data-t]")].reduce(later(now), null);
      list.querySelectorAll(".is-now").forEach((old) => {
        if (old !== current) old.classList.remove("is-now");
      });
      current?.classList.add("is-now");
    });
  };
  fs.on("time", mark);

  /* Light or dark: what the person chose here before, else what their system prefers. */
  const THEME = "framescry-theme";
  const dress = (dark) => document.body.classList.toggle("dark", dark);
  fs.toggleTheme = () => {
    const dark = !document.body.classList.contains("dark");
    localStorage.setItem(THEME, dark ? "dark" : "light");
    dress(dark);
  };
  fs.restoreTheme = () => {
    const chosen = localStorage.getItem(THEME);
    if (chosen && !new URLSearchParams(location.search).has("__theme")) dress(chosen === "dark");
  };

  /* Any file is taken (an odd one gets a sentence), but the dialog suggests videos. */
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#source")) return;
    document.querySelectorAll("#source input[type=file]").forEach((input) => {
      input.accept = "video/*,.mkv,.flv,.avi,.ts,.m2ts,.wmv";
    });
  }, true);
})();
