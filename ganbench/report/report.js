"use strict";
// What a page does beyond its text: a table of runs that sorts and filters, runs that open and compare, large pictures.
// The page says the same without it. Words of a study become text nodes and attributes, never markup.

const SVG = ["svg", "path", "line", "text", "circle", "g"];

// An element with attributes, listeners (names with "on") and content, of which nulls and falsehoods are left out.
function make(name, given = {}, ...inside) {
  const space = SVG.includes(name) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
  const element = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(given)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...inside.flat(Infinity).filter((each) => each !== null && each !== false));
  return element;
}

const button = (text, onclick, more = {}) => make("button", { type: "button", onclick, ...more }, text);
const note = (...text) => make("p", { class: "note" }, text);
const fact = ([name, value]) => [make("dt", {}, name), make("dd", {}, value)];
const facts = (rows) => make("dl", { class: "facts" }, rows.map(fact));
const says = (name) => name.replaceAll("_", " ");

function dialog(id) {
  const body = make("div");
  const close = button("Close", () => whole.close(), { class: "close" });
  const whole = make("dialog", { id }, make("div", { class: "head" }, close), body);
  whole.addEventListener("click", (event) => event.target === whole && whole.close());
  document.body.append(whole);
  const open = (label) => {
    whole.setAttribute("aria-label", label);
    if (!whole.open) whole.showModal();
  };
  return { whole, body, open };
}

function table(caption, heads, rows) {
  const row = ([head, ...cells]) =>
    make("tr", {}, make("th", { scope: "row" }, head), cells.map((cell) => make("td", {}, cell)));
  return make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption },
    make("table", { class: "small" },
      make("caption", {}, caption),
      make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, rows.map(row))));
}

// MLflow shows a page in a frame, at an address of one use, where browsers follow no link to a place of the page.
const framed = location.protocol === "blob:";

function go(place) {
  if (!framed) {
    location.hash = place;
    return;
  }
  history.pushState(null, "", place);
  document.getElementById(place.slice(1))?.scrollIntoView();
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

if (framed) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link === null) return;
    event.preventDefault();
    go(link.getAttribute("href"));
  });
}

// Curves --------------------------------------------------------------------------------------------------------------

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const TOP = DIGITS.length ** 2 - 4;
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#808080", "#8c6d31"];
const DASHES = ["none", "7 3", "2 3"];
const TALLEST = 100; // times the usual size, beyond which values leave a chart
const MOST = COLOURS.length * DASHES.length;
const GAPS = [["NaN", NaN], ["+∞", Infinity], ["−∞", -Infinity]];
// Neighbours differ in both colour and dashes; as the numbers of these have no common factor, no two of all are alike.
const pen = (at) => ({ stroke: COLOURS[at % COLOURS.length], "stroke-dasharray": DASHES[at % DASHES.length] });
const steps = (count) => count.toLocaleString("en");

function number(value) {
  const size = Math.abs(value);
  const plain = !Number.isFinite(value) || value === 0 || (size < 1e5 && size >= 1e-3);
  return plain ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

// The values that `ganbench/report/run_records.py` coded.
function decode(text, low, high) {
  const codes = text.match(/../g).map(([one, two]) => 64 * DIGITS.indexOf(one) + DIGITS.indexOf(two));
  return codes.map((code) => (code > TOP ? GAPS[code - TOP - 1][1] : Math.sinh(low + (code / TOP) * (high - low))));
}

// A gap in a curve has a reason: how many of its values are no finite numbers, in words.
function gaps(values) {
  const counts = GAPS.map(([name, value]) => [name, values.filter((each) => Object.is(each, value)).length]);
  const found = counts.filter(([, count]) => count > 0);
  return found.map(([name, count]) => `${name} at ${count} of ${values.length} points`).join(", ");
}

function chart(title, curves, last) {
  // As wide as a telephone, if it is read on one, so that its words are no smaller than others.
  const wide = Math.max(280, Math.min(560, document.documentElement.clientWidth - 64));
  const [high, left, right, above, below] = [190, 58, wide - 12, 12, 164];
  const all = curves.flatMap((curve) => curve.values.filter(Number.isFinite));
  // The usual size is that of the middle curve, so that one run that diverges does not flatten the others; what goes far
  // beyond it leaves the panel.
  const half = (sizes) => sizes.sort((one, other) => one - other)[sizes.length >> 1];
  const usual = curves.map((curve) => half(curve.values.filter(Number.isFinite).map(Math.abs)));
  const middle = half(usual.filter(Boolean)) || 1;
  const cut = (value) => Math.max(-TALLEST * middle, Math.min(TALLEST * middle, value));
  const finite = all.map(cut);
  const sizes = finite.map(Math.abs).sort((one, other) => one - other);
  const beyond = all.filter((value) => value !== cut(value)).length;
  // Where the largest value dwarfs the middle one, the axis is linear near zero and logarithmic beyond.
  const bent = sizes.length > 0 && sizes.at(-1) > 30 * middle;
  const bend = (value) => (bent ? Math.asinh(value / middle) : value);
  const low = finite.reduce((one, other) => Math.min(one, other), Infinity);
  const top = finite.reduce((one, other) => Math.max(one, other), -Infinity);
  const x = (step) => (left + (right - left) * (step / last)).toFixed(1);
  const share = (value) => (top > low ? (bend(value) - bend(low)) / (bend(top) - bend(low)) : 0.5);
  const y = (value) => (below - (below - above) * share(value)).toFixed(1);
  const between = bent ? middle * Math.sinh((bend(low) + bend(top)) / 2) : (low + top) / 2;
  const marks = !finite.length ? [] : top > low ? [low, between, top] : [low];
  const draw = ({ values, steps: at, ink }) => {
    const there = values.map(Number.isFinite);
    const go = (value, i) => (there[i] ? `${there[i - 1] ? "L" : "M"}${x(at[i])} ${y(cut(value))}` : "");
    const alone = values.flatMap((value, i) => (there[i] && !there[i - 1] && !there[i + 1] ? [i] : []));
    const dot = (i) => make("circle", { cx: x(at[i]), cy: y(cut(values[i])), r: 2.2, fill: ink.stroke });
    const path = make("path", { d: values.map(go).join("") });
    return make("g", { ...ink, fill: "none", "stroke-width": 1.6 }, path, alone.map(dot));
  };
  const line = (value) => [
    make("line", { x1: left, x2: right, y1: y(value), y2: y(value), class: "grid" }),
    make("text", { x: left - 6, y: Number(y(value)) + 4, "text-anchor": "end" }, number(value)),
  ];
  const broken = curves.filter((curve) => gaps(curve.values));
  const missing = broken.map((curve) => `${curve.label} is ${gaps(curve.values)}`).join("; ");
  const ends = ({ label, values, steps: at }) =>
    `${label}: ${number(values[0])} at step ${at[0]}, ${number(values.at(-1))} at step ${at.at(-1)}`;
  const label = `${title}. ${curves.map(ends).join("; ")}`;
  return make("figure", { class: "curves" },
    make("figcaption", {}, title, bent && " (axis linear near zero, logarithmic beyond)"),
    make("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": label },
      marks.map(line),
      make("text", { x: left, y: high - 8 }, "0"),
      make("text", { x: right, y: high - 8, "text-anchor": "end" }, `step ${steps(last)}`),
      curves.map(draw)),
    beyond > 0 && note(`${beyond} of ${all.length} points are beyond ${number(TALLEST * middle)}, at the edge.`),
    missing !== "" && note("Gaps: ", missing, "."));
}

// The table of runs ---------------------------------------------------------------------------------------------------

// A text of a cell as what it sorts by: a number, of durations in seconds, or itself.
function key(text) {
  if (text === "∞" || text === "-∞") return text === "∞" ? Infinity : -Infinity;
  const [, value, unit] = /^(-?[\d.]+(?:e[+-]?\d+)?)(?: (s|min|h|d))?$/.exec(text) ?? [];
  return value === undefined ? text : Number(value) * { s: 1, min: 60, h: 3600, d: 86400 }[unit ?? "s"];
}

// Numbers by size, then texts by their letters, and dashes last in either direction.
function order(one, other, sign = 1) {
  const rank = (each) => (typeof each === "number" ? 0 : each === "–" || each === "" ? 2 : 1);
  if (rank(one) !== rank(other)) return rank(one) - rank(other);
  const by = rank(one) ? one.localeCompare(other, "en", { numeric: true }) : one === other ? 0 : one - other;
  return sign * by;
}

function sortable(heads, all, body) {
  heads.forEach((head, at) => {
    const sort = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = all.map((run) => [key(run.cells[at]), run]);
      keyed.sort((one, other) => order(one[0], other[0], down ? -1 : 1) || one[1].at - other[1].at);
      body.append(...keyed.map(([, run]) => run.row));
    };
    const words = head.textContent;
    head.replaceChildren(button(words, sort), make("span", { class: "printed", "aria-hidden": "true" }, words));
  });
}

function filters(all, choices, more) {
  const shown = make("span", { role: "status" });
  const words = make("input", { type: "search", oninput: () => update() });
  const menus = choices.map(([name, of]) => {
    const values = [...new Set(all.map(of))].sort((one, other) => order(key(one), key(other)));
    const options = ["any", ...values].map((value) => make("option", {}, value));
    const select = make("select", { onchange: () => update() }, options);
    const holds = (run) => select.selectedIndex === 0 || of(run) === values[select.selectedIndex - 1];
    return { label: make("label", {}, `${name} `, select), holds };
  });
  const update = () => {
    const asked = words.value.toLowerCase().trim().split(/\s+/);
    const has = (run, word) => run.text.includes(word) || (word !== "" && run.numbers.includes(Number(word)));
    for (const run of all) {
      run.row.hidden = !menus.every((menu) => menu.holds(run)) || !asked.every((word) => has(run, word));
    }
    shown.textContent = `${all.filter((run) => !run.row.hidden).length} of ${all.length} runs`;
  };
  update();
  const form = { class: "tools", "aria-label": "Runs to show", onsubmit: (event) => event.preventDefault() };
  return make("form", form, menus.map((menu) => menu.label), make("label", {}, "Text ", words), more, shown);
}

function runs(place, data) {
  const whole = place.querySelector("table.runs");
  const heads = [...whole.tHead.rows[0].cells];
  const names = heads.map((head) => head.textContent);
  const all = [...whole.tBodies[0].rows].map((row, at) => {
    const cells = [...row.cells].map((cell) => cell.textContent);
    // A number is found however it is written: 2e-2 finds 0.02. Number("") is 0, and no number.
    const numbers = cells.filter(Boolean).map((each) => Number(each.replaceAll(",", ""))).filter(Number.isFinite);
    const text = cells.join(" ").toLowerCase();
    return { ...data.runs[at], row, at, cells, id: row.id, name: cells[0], text, numbers };
  });
  const known = new Map(all.map((run) => [run.id, run]));
  const cell = (run, head) => run.cells[names.indexOf(head)];
  const method = (run) => data.texts[run.method];

  const chosen = new Set();
  const compare = button("Compare", () => {
    go(`#compare-${[...chosen].map((run) => run.id.slice(4)).join(",")}`);
  });
  const choose = (run, on) => {
    if (on) chosen.add(run);
    else chosen.delete(run);
    compare.disabled = chosen.size < 2 || chosen.size > MOST;
    compare.textContent = `Compare (${chosen.size > MOST ? `at most ${MOST} runs` : `${chosen.size} runs chosen`})`;
  };
  choose(null, false);
  sortable(heads, all, whole.tBodies[0]);
  whole.tHead.rows[0].prepend(make("td", { class: "pick" }));
  for (const run of all) {
    const onchange = (event) => choose(run, event.target.checked);
    const box = make("input", { type: "checkbox", "aria-label": `Compare ${run.name}`, onchange });
    run.row.prepend(make("td", { class: "pick" }, box));
  }
  const choices = [["Method", method], ["Outcome", (run) => cell(run, "outcome")]];
  choices.push(["Seed", (run) => cell(run, "seed")]);
  place.querySelector(".scroll").before(filters(all, choices, compare));

  // A live region has to be there, empty, before what it says.
  const absent = make("p", { role: "status", class: "note" });
  place.querySelector(".scroll").before(absent);
  const { whole: shown, body, open } = dialog("run-dialog");
  let here = ""; // the address of what is open
  const route = () => {
    const id = location.hash.slice(1);
    const ids = id.startsWith("compare-") ? id.slice(8).split(",").map((each) => `run-${each}`) : [id];
    const wanted = ids.map((each) => known.get(each));
    const missing = /^(run|compare)-/.test(id) ? ids.filter((each, at) => !wanted[at]) : [];
    absent.textContent = missing.length === 0 ? "" : `This report has no ${missing.join(", ")}. Runs get new digests, ` +
      "and so new addresses, when their configuration, their sources or their length change; the table lists all runs.";
    if (missing.length > 0) place.scrollIntoView();
    here = wanted.every(Boolean) && wanted.length <= MOST ? location.hash : "";
    if (here === "") return shown.close();
    body.replaceChildren(wanted.length > 1 ? several(wanted, data, cell) : single(wanted[0], data, cell));
    open(body.querySelector("h2").textContent);
    shown.scrollTop = 0;
  };
  // Closed by hand, it leaves its address behind; closed by the address of another place, it does not.
  shown.addEventListener("close", () => {
    if (here !== "" && location.hash === here) history.replaceState(null, "", "#runs");
  });
  window.addEventListener("hashchange", route);
  route();
}

// Runs that are open --------------------------------------------------------------------------------------------------

function option(run, at, data) {
  const place = run.apart.findIndex((each, i) => i % 2 === 0 && each === at);
  return data.options[at][1][place < 0 ? 0 : run.apart[place + 1]];
}

function curves(all, data) {
  // Every chart goes on to the last step that a run was to take, wherever its curves end.
  const whole = data.options.findIndex(([name]) => name === "steps");
  const asked = all.map((run) => (whole < 0 ? 0 : Number(option(run, whole, data))));
  const last = Math.max(1, ...asked, ...all.flatMap((run) => run.curves.flatMap((curve) => data.steps[curve[1]])));
  return data.series.map((name, series) => {
    const mine = all.flatMap((run, at) => {
      const label = all.length > 1 ? run.name : name;
      const own = run.curves.filter((curve) => curve[0] === series);
      return own.map(([, place, low, high, codes]) => (
        { label, steps: data.steps[place], values: decode(codes, low, high), ink: pen(at) }));
    });
    return mine.length > 0 && chart(name[0].toUpperCase() + name.slice(1), mine, last);
  });
}

function single(run, data, cell) {
  const text = (at) => data.texts[at];
  const code = (words) => make("code", {}, words);
  const listed = (list) => facts(list.map((each) => [each.name, each.value]));
  const group = (title, list) => list.length > 0 && [make("h3", {}, title), listed(list)];
  const folded = (title, inside) => make("details", {}, make("summary", {}, title), inside);
  const since = (step) => (step === null ? "" : ` since step ${steps(step)}`);
  const all = data.options.map(([name, values], at) => (
    { name: says(name), value: option(run, at, data), usual: values[0], varies: values.length > 1 }));
  const set = all.filter((each) => each.value !== null);
  const method = text(run.method);
  const section = data.sections[method];
  const ended = [
    ["Method", section ? make("a", { href: `#${section}` }, method) : method],
    ["Outcome", `${cell(run, "outcome")}${cell(run, "at step") === "–" ? "" : `, step ${cell(run, "at step")}`}`],
    ...(run.failed === null ? [] : [["First failure", `step ${steps(run.failed)}`]]),
    ...(run.stopped === null ? [] : [["Stopped early", `after step ${steps(run.stopped)}`]]),
    ["Training time", cell(run, "training time")],
  ];
  const evidence = run.outcomes.map(([outcome, onset, why]) => [`${text(outcome)}${since(onset)}`, text(why)]);
  const scores = data.metrics.map((title, at) => [title, run.scores[at]]).filter(([, score]) => score !== null);
  const tested = data.tested.filter(([, , values]) => run.at in values);
  const numbers = tested.map(([claims, quantity, values]) => [claims, code(quantity), values[run.at]]);
  const command = ([before, after]) => code(before + run.name + after);
  return make("article", {},
    make("h2", {}, run.name),
    facts(ended),
    evidence.length > 0 && table("Outcomes that hold, the run's outcome first", ["Outcome", "Evidence"], evidence),
    text(run.unjudged) !== "" && folded("Failures that were not judged", make("p", {}, text(run.unjudged))),
    group("Axes and options apart from those of most runs", set.filter((each) => each.value !== each.usual)),
    scores.length > 0 && table("Scores of the last networks", ["Metric", "Score"], scores),
    numbers.length > 0 && table("Numbers that claims test", ["Claims", "Quantity", "Value"], numbers),
    make("h3", {}, "Curves"),
    run.curves.length ? curves([run], data) : make("p", {}, "No curve was recorded."),
    run.curves.length > 0 && note("Losses are means over bins of steps; tables/curves.csv has all bins."),
    make("h3", {}, "Samples and files"),
    facts([
      ...(data.samples[method] ?? []).map(([title, path]) => [title, make("a", { href: path }, code(path))]),
      ["Results", (data.files[text(run.pack)] ?? []).map((path) => make("div", {}, code(path)))],
      ["Digest", make("span", { class: "digest" }, cell(run, "digest"))],
    ]),
    make("h3", {}, "Commands"),
    facts([
      ["Train it, where its results are not there", command(data.commands.train)],
      ...(run.data ? [["Export its networks", command(data.commands.export)]] : []),
    ]),
    group("Axes and options that most runs share", set.filter((each) => each.varies && each.value === each.usual)),
    folded("Axes and options of every run", listed(set.filter((each) => !each.varies))));
}

function several(all, data, cell) {
  const differs = ([, ...values]) => new Set(values).size > 1;
  const options = data.options.map(([name], at) => [says(name), ...all.map((run) => option(run, at, data) ?? "–")]);
  const scores = data.metrics.map((title, at) => [title, ...all.map((run) => run.scores[at] ?? "–")]);
  const ended = ["outcome", "at step"].map((head) => [head, ...all.map((run) => cell(run, head))]);
  const ink = (at) => make("svg", { viewBox: "0 0 30 8", class: "key", "aria-hidden": "true" },
    make("line", { x1: 0, x2: 30, y1: 4, y2: 4, "stroke-width": 2.4, ...pen(at) }));
  const tested = data.tested.map(([claims, quantity, values]) => (
    [`${claims}: ${quantity}`, ...all.map((run) => values[run.at] ?? "–")]));
  const scored = ([, ...values]) => values.some((value) => value !== "–");
  const entry = (run, at) => make("li", {}, ink(at), " ", make("a", { href: `#${run.id}` }, run.name));
  const rows = [...ended, ...options.filter(differs), ...[...scores, ...tested].filter(scored)];
  return make("article", {},
    make("h2", {}, `${all.length} runs side by side`),
    table("Outcomes, axes and options that differ, scores, and numbers that claims test", ["Run", ...all.map((run) => run.name)], rows),
    make("ul", { class: "legend" }, all.map(entry)),
    curves(all, data));
}

// Pictures ------------------------------------------------------------------------------------------------------------

function pictures(figures) {
  const { whole, body, open } = dialog("picture-dialog");
  const [image, words, missing] = [make("img", { alt: "" }), make("p"), make("p", { class: "note", role: "status" })];
  let at = 0;
  const show = (index) => {
    at = (index + figures.length) % figures.length;
    const [small, link] = [figures[at].querySelector("img"), figures[at].querySelector("a.large")];
    image.onerror = () => {
      image.onerror = null;
      image.src = small.src;
      missing.textContent = `${link.getAttribute("href")} does not lie beside this page, which shows its own copy.`;
    };
    missing.textContent = "";
    image.src = link.href;
    image.alt = small.alt;
    words.textContent = figures[at].querySelector("figcaption span").textContent;
    open(figures[at].querySelector(".scroll").getAttribute("aria-label"));
  };
  const turns = [["Previous", -1], ["Next", 1]].map(([text, by]) => button(text, () => show(at + by)));
  const box = make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Picture" }, image);
  body.append(make("div", { class: "tools" }, turns), box, words, missing);
  whole.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || event.target === box) return; // there, the keys move the picture
    event.preventDefault();
    show(at + by);
  });
  figures.forEach((figure, index) => {
    for (const each of figure.querySelectorAll("a.large, img")) {
      each.addEventListener("click", (event) => {
        event.preventDefault();
        show(index);
      });
    }
  });
}

const withFiles = [...document.querySelectorAll("main figure:has(a.large)")];
if (withFiles.length) pictures(withFiles);
const kept = document.getElementById("run-records");
if (kept) runs(document.getElementById("runs"), JSON.parse(kept.textContent));
