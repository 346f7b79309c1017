const fs = window.framescry;
const root = element.querySelector(".fs-timeline");
const find = (name) => element.querySelector(`.fs-${name}`);
const [area, pins, tracks, shots, axis, scrub] =
  ["area", "pins", "tracks", "shots", "axis", "scrub"].map(find);
const [head, hover, bubble, line] = ["head", "hover", "bubble", "line"].map(find);
const SVG = "http://www.w3.org/2000/svg";
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const PX_PER_TICK = 64;

const share = (t) => (fs.durationS ? (t - fs.startS) / fs.durationS : 0);
const place = (node, t) => (node.style.left = `${100 * Math.min(1, Math.max(0, share(t)))}%`);
const stretch = (node, span) => {
  place(node, span.start_s);
  node.style.width = `${Math.max(0, 100 * (share(span.end_s) - share(span.start_s)))}%`;
};
const timeAt = (clientX) => {
  const box = area.getBoundingClientRect();
  const part = Math.min(1, Math.max(0, (clientX - box.left) / box.width));
  return fs.startS + part * fs.durationS;
};
/* Two layers may mark the same moment, or call something by the same name. */
const layersOf = (field) => [...fs.layers.values()].flatMap((layer) =>
  (layer?.[field] ?? []).map((item) => ({...item, layer: layer.name})));

/* -- what is drawn ------------------------------------------------------------------------- */

const svg = (name, attributes) => {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
};

const curve = (track) => {
  const at = track.times.map((t) => (1000 * share(t)).toFixed(2));
  return at.map((x, i) => `${i ? "L" : "M"}${x},${(100 - 96 * track.values[i]).toFixed(2)}`).join("");
};

const fillPart = (made, part) => {
  stretch(made, part);
  made.dataset.shade = part.shade ?? "none";
  made.style.setProperty("--share", part.share);
  made.firstElementChild.textContent = part.name;
};

const drawTracks = () => {
  const known = layersOf("tracks");
  tracks.style.setProperty("--tracks", known.length);
  fs.reconcile(tracks, known, (track) => `${track.layer}:${track.name}`,
    () => {
      const row = fs.make("div", "fs-track");
      const picture = svg("svg", {viewBox: "0 0 1000 100", preserveAspectRatio: "none"});
      picture.append(svg("path", {class: "fs-fill"}), svg("path", {class: "fs-curve"}));
      row.append(fs.make("div", "fs-spans"), picture, fs.make("div", "fs-ribbon"),
        fs.make("span", "fs-track-name"));
      return row;
    },
    (row, track) => {
      row.ribbon = track.ribbon ?? null;
      row.classList.toggle("is-ribbon", Boolean(track.ribbon));
      fs.reconcile(row.querySelector(".fs-ribbon"), track.ribbon ?? [], (part) => part.start_s.toFixed(3),
        () => {
          const made = fs.make("i");
          made.append(fs.make("span"));
          return made;
        }, fillPart);
      row.style.setProperty("--colour", track.colour);
      row.querySelector(".fs-track-name").textContent = track.name;
      fs.reconcile(row.querySelector(".fs-spans"), track.spans, (span) => span.start_s.toFixed(3),
        () => fs.make("i"), stretch);
      const d = track.times.length ? curve(track) : "";
      const first = track.times.length ? 1000 * share(track.times[0]) : 0;
      const last = track.times.length ? 1000 * share(track.times[track.times.length - 1]) : 0;
      row.querySelector(".fs-curve").setAttribute("d", d);
      row.querySelector(".fs-fill").setAttribute("d", d && `${d}L${last},100L${first},100Z`);
    });
};

const drawShots = () => {
  const known = layersOf("shots");
  fs.reconcile(shots, known, (shot) => shot.start_s.toFixed(3),
    () => fs.make("i"),
    (mark, shot) => {
      stretch(mark, shot);
      mark.classList.toggle("is-chosen", shot.chosen);
    });
  shots.hidden = known.length === 0;
};

/* Pins at one moment would cover each other: they stand beside each other, around it. */
const APART_PX = 12;
const NEAR_PX = 4;
const FANNED_PX = 84;
const fanOut = (known) => {
  const px = (pin) => share(pin.t) * area.clientWidth;
  const groups = [];
  [...known].sort((a, b) => a.t - b.t).forEach((pin) => {
    const last = groups[groups.length - 1];
    if (last && px(pin) - px(last[0]) < NEAR_PX) last.push(pin);
    else groups.push([pin]);
  });
  const shifts = new Map();
  if (!area.clientWidth) return shifts;
  groups.forEach((group) => group.forEach((pin, at) => {
    const apart = Math.min(APART_PX, FANNED_PX / Math.max(1, group.length - 1));
    shifts.set(pin, (at - (group.length - 1) / 2) * apart);
  }));
  return shifts;
};

const drawPins = () => {
  const known = layersOf("pins");
  const shifts = fanOut(known);
  const met = new Map();
  const keyOf = (pin) => { // two of one layer may mark the same moment
    const at = `${pin.layer}:${pin.t.toFixed(3)}`;
    met.set(at, (met.get(at) ?? 0) + 1);
    return `${at}:${met.get(at)}`;
  };
  fs.reconcile(pins, known, keyOf,
    () => {
      const made = fs.make("button", "fs-pin");
      made.type = "button";
      return made;
    },
    (made, pin) => {
      made.dataset.t = pin.t;
      made.setAttribute("aria-label", `Play from ${fs.clock(pin.t)}, ${pin.label}`);
      made.note = pin.label;
      made.style.setProperty("--colour", pin.colour);
      made.style.setProperty("--shift", `${shifts.get(pin) ?? 0}px`);
      place(made, pin.t);
    });
};

const drawAxis = () => {
  const width = area.clientWidth;
  const fit = Math.max(1, Math.floor(width / PX_PER_TICK));
  const step = STEPS_S.find((s) => fs.durationS / s <= fit) ?? 3600 * Math.ceil(fs.durationS / 3600 / fit);
  const ticks = [];
  for (let t = 0; fs.durationS && t <= fs.durationS; t += step) ticks.push(t);
  fs.reconcile(axis, ticks, (t) => t, () => fs.make("span"),
    (tick, t) => {
      tick.textContent = fs.clock(t + fs.startS);
      place(tick, t + fs.startS);
      tick.classList.toggle("is-last", (fs.durationS - t) / fs.durationS * width < 28);
    });
};

const drawTime = (now) => {
  place(head, now);
  scrub.setAttribute("aria-valuenow", now.toFixed(2));
  scrub.setAttribute("aria-valuetext", `${fs.clock(now)} of ${fs.clock(fs.durationS)}`);
};

const drawAll = () => {
  root.classList.toggle("is-empty", !fs.durationS);
  scrub.setAttribute("aria-valuemin", fs.startS.toFixed(2));
  scrub.setAttribute("aria-valuemax", (fs.startS + fs.durationS).toFixed(2));
  [drawTracks, drawShots, drawPins, drawAxis].forEach((draw) => draw());
  drawTime(fs.now());
};

/* -- what is said over it ------------------------------------------------------------------ */

const say = (t, text, picture) => {
  bubble.querySelector("span").textContent = text;
  const image = bubble.querySelector("img");
  image.hidden = !picture;
  if (picture) image.src = picture;
  bubble.classList.add("is-shown");
  const width = root.clientWidth;
  const half = bubble.offsetWidth / 2;
  bubble.style.left = `${Math.min(width - half, Math.max(half, area.offsetLeft + share(t) * area.clientWidth))}px`;
};
const hush = () => {
  bubble.classList.remove("is-shown");
  hover.classList.remove("is-shown");
};
const sayPin = (event) => {
  const pin = event.target.closest(".fs-pin");
  if (!pin) return;
  const t = parseFloat(pin.dataset.t);
  say(t, `${fs.clock(t)}  ${pin.note}`, fs.pictures.get(Math.round(1000 * t)));
};
pins.addEventListener("pointerover", sayPin);
pins.addEventListener("focusin", sayPin);
pins.addEventListener("pointerout", hush);
pins.addEventListener("focusout", hush);

/* -- moving ---------------------------------------------------------------------------------- */

let wanted = null;
const follow = (event) => {
  if (wanted === null) {
    requestAnimationFrame(() => {
      if (wanted !== null) fs.seek(wanted, false);
      wanted = null;
    });
  }
  wanted = timeAt(event.clientX);
  drawTime(wanted);
};
scrub.addEventListener("pointerdown", (event) => {
  if (!fs.durationS || event.button !== 0) return;
  scrub.setPointerCapture(event.pointerId);
  follow(event);
});
/* The part of a ribbon under the pointer: the scrubber lies over all of them. */
const partAt = (event) => {
  const row = [...tracks.children].find((child) => {
    const box = child.getBoundingClientRect();
    return child.ribbon && box.top <= event.clientY && event.clientY < box.bottom;
  });
  const t = timeAt(event.clientX);
  return row?.ribbon.find((part) => part.start_s <= t && t < part.end_s);
};
scrub.addEventListener("click", (event) => {
  const part = fs.durationS ? partAt(event) : null;
  if (part) fs.emit("part", part);
});
scrub.addEventListener("pointermove", (event) => {
  if (!fs.durationS) return;
  const t = timeAt(event.clientX);
  place(hover, t);
  hover.classList.add("is-shown");
  const part = partAt(event);
  say(t, part ? `${fs.clock(t, true)}  ${part.name}  ${part.note}` : fs.clock(t, true), null);
  if (scrub.hasPointerCapture(event.pointerId)) follow(event);
});
scrub.addEventListener("pointerleave", hush);
scrub.addEventListener("keydown", (event) => {
  const to = {Home: fs.startS, End: fs.startS + fs.durationS}[event.key];
  if (to === undefined) return;
  event.preventDefault();
  fs.seek(to, false);
});

/* -- the progress line fills in the order of decoding ----------------------------------------- */

fs.on("status", (status) => {
  const working = status?.state === "working";
  const known = working && (status.until_s != null || status.fraction != null);
  const part = status?.until_s != null ? share(status.until_s) : status?.fraction ?? 0;
  line.classList.toggle("is-working", working);
  line.classList.toggle("is-unknown", working && !known);
  line.firstElementChild.style.transform =
    known ? `scaleX(${Math.min(1, Math.max(0, part))})` : "";
});
fs.on("video", () => {
  fs.layers.clear();
  drawAll();
});
fs.on("layer", drawAll);
fs.on("time", drawTime);
new ResizeObserver(() => [drawAxis, drawPins].forEach((draw) => draw())).observe(area);
drawAll();
