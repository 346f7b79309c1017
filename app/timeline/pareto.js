const fs = window.framescry;
const place = element.querySelector(".fs-paretos");
const WIDTH = 520, HEIGHT = 250, LEFT = 46, RIGHT = 20, TOP = 18, BOTTOM = 40;

const draw = (tag, attributes, text) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  if (text !== undefined) made.textContent = text;
  return made;
};
const nice = (span) => {
  const power = 10 ** Math.floor(Math.log10(span));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => span / step <= 5);
};
const short = (value) => (Math.abs(value) < 1 ? value.toFixed(2).replace("0.", ".") : String(Math.round(value * 10) / 10));

const picture = ({task, measure, points}) => {
  const svg = draw("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "fs-pareto"});
  const said = points.map((one) => `${one.name} ${short(one.quality)} at ${one.speed} frames a second`);
  svg.append(draw("title", {}, `${task}: ${said.join("; ")}`));
  const speeds = points.map((one) => Math.log10(one.speed));
  const low = Math.floor(Math.min(...speeds) - 0.05), high = Math.ceil(Math.max(...speeds) + 0.05);
  const qualities = points.map((one) => one.quality);
  const step = nice((Math.max(...qualities) - Math.min(...qualities)) * 1.4 || 1);
  const floor = Math.floor(Math.min(...qualities) / step - 0.3) * step;
  const ceiling = Math.ceil(Math.max(...qualities) / step + 0.3) * step;
  const x = (speed) => LEFT + ((Math.log10(speed) - low) / (high - low)) * (WIDTH - LEFT - RIGHT);
  const y = (quality) => TOP + ((ceiling - quality) / (ceiling - floor)) * (HEIGHT - TOP - BOTTOM);
  for (let power = low; power <= high; power += 1) {
    const at = x(10 ** power);
    svg.append(draw("line", {x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM, class: "fs-rule"}));
    const text = power < 0 ? (10 ** power).toFixed(-power) : (10 ** power).toLocaleString("en");
    svg.append(draw("text", {x: at, y: HEIGHT - BOTTOM + 16, "text-anchor": "middle"}, text));
  }
  for (let at = floor; at <= ceiling + step / 9; at += step) {
    svg.append(draw("line", {x1: LEFT, x2: WIDTH - RIGHT, y1: y(at), y2: y(at), class: "fs-rule"}));
    svg.append(draw("text", {x: LEFT - 7, y: y(at) + 4, "text-anchor": "end"}, short(at)));
  }
  svg.append(draw("text", {x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end"}, "frames a second →"));
  const best = points.filter((one) => one.best).sort((a, b) => a.speed - b.speed);
  svg.append(draw("polyline", {points: best.map((one) => `${x(one.speed)},${y(one.quality)}`).join(" "), class: "fs-best"}));
  const taken = []; // where names stand, so that none covers another
  points.forEach((one) => {
    const at = {x: x(one.speed), y: y(one.quality)};
    svg.append(draw("circle", {cx: at.x, cy: at.y, r: 5, class: one.ours ? "is-ours" : "is-theirs"}));
    const left = at.x > WIDTH * 0.62;
    const isFree = (row) => !taken.some((other) => Math.abs(other.y - row) < 12 && other.left === left && Math.abs(other.x - at.x) < 120);
    const row = [0, 12, -12, 24, -24, 36].map((by) => at.y + 4 + by).find(isFree) ?? at.y + 4;
    taken.push({x: at.x, y: row, left});
    const name = draw("text", {x: at.x + (left ? -10 : 10), y: row, "text-anchor": left ? "end" : "start", class: "fs-named"}, one.name);
    svg.append(name);
  });
  const figure = fs.make("figure");
  const caption = fs.make("figcaption");
  caption.append(fs.make("b", "", task), ` ${measure}`);
  figure.append(caption, svg);
  return figure;
};
const show = () =>
  place.replaceChildren(
    ...(props.value || []).map((one) => {
      const made = picture(one);
      made.append(fs.make("p", "fs-help", one.note));
      return made;
    }),
    fs.make("p", "fs-help", "● measured here   ○ reported by its authors   the line joins what nothing beats in both"),
  );
watch("value", show);
show();
