"use strict";
// What a page does beyond its text: tables of runs that sort, filter and compare, runs and pictures that open in
// dialogs. Without this script the page has the same numbers. Words of a study become text nodes, never markup.

const make = (name, given = {}, ...inside) => {
  const svg = ["svg", "path", "line", "text", "circle", "g"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...inside.flat().filter((each) => each !== null && each !== undefined));
  return element;
};
const dialog = (id, label) => {
  const body = make("div");
  const close = make("button", { type: "button", class: "close", onclick: () => whole.close() }, "Close");
  const whole = make("dialog", { id, "aria-label": label, onclick: (event) => event.target === whole && whole.close() }, close, body);
  document.body.append(whole);
  return { whole, body };
};
const table = (caption, heads, rows) => make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption },
  make("table", { class: "small" }, make("caption", {}, caption),
    heads && make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, rows.map(([head, ...cells]) => make("tr", {}, make("th", { scope: "row" }, head), cells.map((cell) => make("td", {}, cell)))))));

// Curves ---------------------------------------------------------------------------------------------------------------

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const TOP = DIGITS.length ** 2 - 4;
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#808080", "#8c6d31"];
const DASHES = ["", "6 3", "2 3"];
const MOST = COLOURS.length * DASHES.length;
const number = (value) => !Number.isFinite(value) ? String(value) : Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3)
  ? value.toExponential(1) : String(Number(value.toPrecision(3)));

function decode(text, low, high) {
  const values = [];
  for (let at = 0; at < text.length; at += 2) {
    const code = 64 * DIGITS.indexOf(text[at]) + DIGITS.indexOf(text[at + 1]);
    const special = [NaN, Infinity, -Infinity][code - TOP - 1];
    values.push(special === undefined ? Math.sinh(low + (code / TOP) * (high - low)) : special);
  }
  return values;
}

// Numbers that are none, in words: a gap in a curve has a reason.
function lost(values) {
  const count = (name, is) => { const found = values.filter(is).length; return found ? `${name} at ${found} of ${values.length} points` : ""; };
  return [count("NaN", Number.isNaN), count("+∞", (each) => each === Infinity), count("−∞", (each) => each === -Infinity)].filter(Boolean).join(", ");
}

function chart(title, curves) {
  const [wide, high, left, under] = [560, 190, 58, 26];
  const finite = curves.flatMap((curve) => curve.values.filter(Number.isFinite));
  const sizes = finite.map(Math.abs).sort((one, other) => one - other);
  // Where the largest value dwarfs the middle one, the axis is linear around zero and logarithmic beyond.
  const unit = sizes.length && sizes.at(-1) > 30 * sizes[sizes.length >> 1] ? sizes[sizes.length >> 1] || 1 : 0;
  const bend = (value) => unit ? Math.asinh(value / unit) : value;
  const [low, top] = finite.length ? [finite.reduce((a, b) => Math.min(a, b)), finite.reduce((a, b) => Math.max(a, b))] : [0, 1];
  const last = Math.max(1, ...curves.flatMap((curve) => curve.steps));
  const x = (step) => left + (wide - left - 12) * (step / last);
  const y = (value) => top > low ? high - under - (high - under - 12) * ((bend(value) - bend(low)) / (bend(top) - bend(low))) : (high - under) / 2;
  const marks = top > low ? [low, unit ? unit * Math.sinh((bend(low) + bend(top)) / 2) : (low + top) / 2, top] : finite.length ? [low] : [];
  const drawn = curves.map((curve) => {
    let path = "", pen = false;
    const dots = [];
    curve.values.forEach((value, at) => {
      const shown = Number.isFinite(value);
      if (shown) path += `${pen ? "L" : "M"}${x(curve.steps[at]).toFixed(1)} ${y(value).toFixed(1)}`;
      if (shown && !pen && !Number.isFinite(curve.values[at + 1])) dots.push([x(curve.steps[at]), y(value)]);
      pen = shown;
    });
    return make("g", { stroke: curve.colour, fill: "none", "stroke-width": 1.6 }, make("path", { d: path, "stroke-dasharray": curve.dash }),
      dots.map(([cx, cy]) => make("circle", { cx, cy, r: 2.2, fill: curve.colour })));
  });
  const told = curves.map((curve) => ({ curve, gaps: lost(curve.values) }));
  const words = told.map(({ curve, gaps }) => `${curve.label}: ${number(curve.values[0])} at step ${curve.steps[0]}, ${number(curve.values.at(-1))} at step ${curve.steps.at(-1)}${gaps ? `, ${gaps}` : ""}`).join("; ");
  return make("figure", { class: "curves" }, make("figcaption", {}, title, unit ? " (axis linear near zero, logarithmic beyond)" : ""),
    make("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `${title}. ${words}` },
      marks.map((value) => make("g", {}, make("line", { x1: left, x2: wide - 12, y1: y(value), y2: y(value), class: "grid" }),
        make("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, number(value)))),
      make("text", { x: left, y: high - 8 }, "0"), make("text", { x: wide - 12, y: high - 8, "text-anchor": "end" }, `step ${last.toLocaleString("en")}`), drawn),
    told.some(({ gaps }) => gaps) && make("p", { class: "note" }, "Gaps: ", told.filter(({ gaps }) => gaps).map(({ curve, gaps }) => `${curve.label} is ${gaps}`).join("; "), "."));
}

// Runs -----------------------------------------------------------------------------------------------------------------

function runs(place) {
  const data = JSON.parse(document.getElementById("run-records").textContent);
  const whole = place.querySelector("table"), body = whole.tBodies[0], heads = [...whole.tHead.rows[0].cells];
  const text = (at) => data.texts[at];
  const all = [...body.rows].map((row, at) => ({ ...data.runs[at], row, id: row.id, name: row.cells[0].textContent, at }));
  const known = new Map(all.map((run) => [run.id, run]));
  const column = Object.fromEntries(heads.map((head, at) => [head.textContent, at]));
  const cell = (run, head) => head in column ? run.row.children[column[head] + 1].textContent : "";
  const setting = (run, at) => { for (let i = 0; i < run.apart.length; i += 2) if (run.apart[i] === at) return data.settings[at][1][run.apart[i + 1]]; return data.settings[at][1][0]; };
  const says = (name) => name.replaceAll("_", " ");

  // The choice of runs to compare, and a link in place of a form.
  const chosen = new Set();
  const compare = make("button", { type: "button", disabled: true, onclick: () => { location.hash = `compare-${[...chosen].map((run) => run.id.slice(4)).join(",")}`; } }, "Compare runs");
  const choose = (run, box) => {
    box.checked ? chosen.add(run) : chosen.delete(run);
    compare.disabled = chosen.size < 2 || chosen.size > MOST;
    compare.textContent = chosen.size > MOST ? `Compare at most ${MOST} runs` : chosen.size > 1 ? `Compare ${chosen.size} runs` : "Compare runs";
  };
  whole.tHead.rows[0].prepend(make("td", { class: "pick" }));
  for (const run of all) {
    run.box = make("input", { type: "checkbox", "aria-label": `Compare ${run.name}`, onchange: (event) => choose(run, event.target) });
    run.row.prepend(make("td", { class: "pick" }, run.box));
    run.text = run.row.textContent.toLowerCase();
  }

  // Sorting: numbers and durations by size, what is neither after them by its letters.
  const seconds = { s: 1, min: 60, h: 3600, d: 86400, "": 1 };
  const key = (words) => {
    const found = /^(-?[\d.]+(?:e[+-]?\d+)?) ?(s|min|h|d)?$/.exec(words);
    return words === "∞" ? Infinity : words === "-∞" ? -Infinity : found ? Number(found[1]) * seconds[found[2] ?? ""] : words;
  };
  const order = (one, other) => typeof one === "number" && typeof other === "number" ? one - other
    : typeof one !== typeof other ? (typeof one === "number" ? -1 : 1) : one.localeCompare(other, "en", { numeric: true });
  heads.forEach((head, at) => {
    const sort = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = all.map((run) => [key(run.row.children[at + 1].textContent), run]);
      keyed.sort((one, other) => (down ? -1 : 1) * order(one[0], other[0]) || one[1].at - other[1].at);
      body.append(...keyed.map(([, run]) => run.row));
    };
    head.replaceChildren(make("button", { type: "button", onclick: sort }, head.textContent));
  });

  // Filters, each of which may be left open.
  const menu = (name, of) => {
    const values = [...new Set(all.map(of))].sort((one, other) => order(key(one), key(other)));
    const select = make("select", { onchange: () => filter() }, make("option", { value: "" }, "any"), values.map((value, at) => make("option", { value: at + 1 }, value)));
    return { label: make("label", {}, name, " ", select), holds: (run) => !select.selectedIndex || of(run) === values[select.selectedIndex - 1] };
  };
  const menus = [menu("Method", (run) => text(run.method)), menu("Outcome", (run) => cell(run, "outcome")), menu("Seed", (run) => cell(run, "seed"))];
  const words = make("input", { type: "search", oninput: () => filter() });
  const shown = make("span", { role: "status" });
  const filter = () => {
    const asked = words.value.toLowerCase().split(/\s+/);
    const left = all.filter((run) => { run.row.hidden = !(menus.every((each) => each.holds(run)) && asked.every((word) => run.text.includes(word))); return !run.row.hidden; });
    shown.textContent = `${left.length} of ${all.length} runs`;
  };
  place.querySelector(".scroll").before(make("form", { class: "tools", "aria-label": "Runs to show", onsubmit: (event) => event.preventDefault() },
    menus.map((each) => each.label), make("label", {}, "Text ", words), compare, shown));
  filter();

  // A run, and several.
  const { whole: window_, body: inside } = dialog("run-dialog", "Run");
  const curves = (several) => data.series.map((name, series) => {
    const mine = several.flatMap((run, at) => run.curves.filter((curve) => curve[0] === series).map(([, steps, low, high, codes]) => ({
      label: several.length > 1 ? run.name : name, steps: data.steps[steps], values: decode(codes, low, high), colour: COLOURS[at % COLOURS.length], dash: DASHES[Math.floor(at / COLOURS.length)] })));
    return mine.length ? chart(name[0].toUpperCase() + name.slice(1), mine) : null;
  });
  const pairs = (rows) => make("dl", { class: "facts" }, rows.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  const file = (path) => make("code", {}, path);
  const one = (run) => {
    const mine = data.settings.map(([name, values], at) => ({ name: says(name), value: setting(run, at), usual: values[0], several: values.length > 1 })).filter((each) => each.value !== null);
    const group = (title, list) => list.length ? [make("h3", {}, title), pairs(list.map((each) => [each.name, each.value]))] : [];
    const scores = data.metrics.map((title, at) => [title, run.scores[at]]).filter((row) => row[1] !== null);
    const method = text(run.method), files = data.files[text(run.pack)] ?? [], pictures = data.samples[method] ?? [];
    const command = ([before, after]) => make("code", {}, before + run.name + after);
    const why = run.outcomes.map(([outcome, onset, evidence]) => [text(outcome) + (onset === null ? "" : ` since step ${onset.toLocaleString("en")}`), text(evidence) || "–"]);
    return [make("h2", {}, run.name),
      pairs([["Method", method in data.sections ? make("a", { href: `#${data.sections[method]}` }, method) : method], ["Outcome", cell(run, "outcome")], ["At step", cell(run, "at step")],
        ...(run.failed === null ? [] : [["First failure found", `since step ${run.failed.toLocaleString("en")}`]]), ...(run.stopped === null ? [] : [["Stopped early", `after step ${run.stopped.toLocaleString("en")}`]]), ["Training time", cell(run, "training time")]]),
      table("Outcomes that hold, the decisive one first, with their evidence", null, why.length ? why : [[cell(run, "outcome"), cell(run, "why")]]),
      text(run.unjudged) ? make("details", {}, make("summary", {}, "Failures that were not judged"), make("p", {}, text(run.unjudged))) : null,
      group("Settings apart from those of most runs", mine.filter((each) => each.several && each.value !== each.usual)),
      make("h3", {}, "Curves"), run.curves.length ? [curves([run]), make("p", { class: "note" }, "Losses are means over bins of steps; tables/curves.csv has all bins.")] : make("p", {}, "No curve was recorded."),
      scores.length ? table("Scores of the last networks", null, scores) : null,
      make("h3", {}, "Samples and files"),
      pairs([...pictures.map(([title, path]) => [title, make("a", { href: path }, file(path))]), ...files.map((path, at) => [at ? "" : "Results", file(path)]), ["Digest", make("span", { class: "digest" }, cell(run, "digest"))]]),
      make("h3", {}, "Commands"), pairs([["Train it, where its results are not there", command(data.commands.train)], ...(run.data ? [["Export its networks", command(data.commands.export)]] : [])]),
      group("Settings that most runs share", mine.filter((each) => each.several && each.value === each.usual)),
      make("details", {}, make("summary", {}, "Settings of every run"), pairs(mine.filter((each) => !each.several).map((each) => [each.name, each.value])))];
  };
  const many = (several) => {
    const differing = data.settings.map(([name], at) => [says(name), ...several.map((run) => setting(run, at) ?? "–")]).filter(([, ...values]) => new Set(values).size > 1);
    const legend = several.map((run, at) => make("li", {}, make("svg", { viewBox: "0 0 30 8", class: "key", "aria-hidden": "true" },
      make("line", { x1: 0, x2: 30, y1: 4, y2: 4, stroke: COLOURS[at % COLOURS.length], "stroke-width": 2.4, "stroke-dasharray": DASHES[Math.floor(at / COLOURS.length)] })), " ", make("a", { href: `#${run.id}` }, run.name)));
    const scores = data.metrics.map((title, at) => [title, ...several.map((run) => run.scores[at] ?? "–")]).filter(([, ...values]) => values.some((value) => value !== "–"));
    return [make("h2", {}, `${several.length} runs side by side`), make("ul", { class: "legend" }, legend),
      table("What became of the runs, and the settings that differ", ["", ...several.map((run) => run.name)],
        [["outcome", ...several.map((run) => cell(run, "outcome"))], ["at step", ...several.map((run) => cell(run, "at step"))], ...differing, ...scores]),
      curves(several)];
  };
  const route = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const wanted = id.startsWith("compare-") ? id.slice(8).split(",").map((each) => known.get(`run-${each}`)) : [known.get(id)];
    if (!wanted.every(Boolean) || wanted.length > MOST) { if (window_.open) window_.close(); return; }
    inside.replaceChildren(...(wanted.length > 1 ? many(wanted) : one(wanted[0])).flat(3).filter(Boolean));
    window_.setAttribute("aria-label", inside.querySelector("h2").textContent);
    if (!window_.open) window_.showModal();
    window_.scrollTop = 0;
  };
  window_.addEventListener("close", () => { if (/^#(run|compare)-/.test(location.hash)) history.replaceState(null, "", "#runs"); });
  window.addEventListener("hashchange", route);
  route();
}

// Pictures -------------------------------------------------------------------------------------------------------------

function pictures(figures) {
  const { whole, body } = dialog("picture-dialog", "Picture");
  const image = make("img", { alt: "" }), words = make("p"), note = make("p", { class: "note", role: "status" });
  const step = (by) => make("button", { type: "button", onclick: () => show(at + by) }, by > 0 ? "Next" : "Previous");
  let at = 0;
  const show = (index) => {
    at = (index + figures.length) % figures.length;
    const small = figures[at].querySelector("img"), link = figures[at].querySelector("a.large");
    note.textContent = "";
    image.onerror = () => { image.onerror = null; image.src = small.src; note.textContent = `The large file ${link.getAttribute("href")} does not lie beside this page: this is the page's own copy.`; };
    image.alt = small.alt;
    words.textContent = small.alt;
    image.src = link.href;
    whole.setAttribute("aria-label", small.alt);
    if (!whole.open) whole.showModal();
  };
  body.append(make("div", { class: "tools" }, step(-1), step(1)), make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Picture" }, image), words, note);
  whole.addEventListener("keydown", (event) => { const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]; if (by) { event.preventDefault(); show(at + by); } });
  figures.forEach((figure, index) => {
    const open = (event) => { event.preventDefault(); show(index); };
    figure.querySelector("a.large").addEventListener("click", open);
    figure.querySelector("img").addEventListener("click", open);
  });
}

const drawn = [...document.querySelectorAll("main figure")].filter((each) => each.querySelector("a.large"));
if (drawn.length) pictures(drawn);
if (document.getElementById("run-records")) runs(document.getElementById("runs"));
