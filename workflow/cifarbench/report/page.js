// Sort, filter and choose columns of the table, and open a run's card, all kept in the page's address; copy
// commands and citations; explain words; draw charts and answer taps on them; filter claims and images.
// Without this script the page says all but the charts and the cards.
"use strict";
const make = (tag, settings, ...children) => {
  const element = Object.assign(document.createElement(tag), settings);
  element.append(...children);
  return element;
};
const json = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
const narrow = matchMedia("(max-width: 70rem)");

// The menu is a column on a wide screen and a bar on a narrow one.
const menu = document.querySelector("nav details");
const fold = () => { menu.open = !narrow.matches; };
narrow.addEventListener("change", fold);
fold();
menu.addEventListener("click", (event) => { if (event.target.closest("a")) fold(); });

const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
const write = () => history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);

const table = document.querySelector("table.configurations");
if (table) {
  const headings = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const optional = headings.filter((heading) => "optional" in heading.dataset).map((heading) => heading.dataset.key);
  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  const order = new Intl.Collator(undefined, { numeric: true });
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : order.compare(a, b));
  const words = new Map(rows.map((row) => [row, ` ${row.dataset.words} `]));
  const matches = (row, word) => words.get(row).includes(word.includes("=") ? ` ${word} ` : word);
  const remember = (name, text) => {
    if (text) state.set(name, text);
    else state.delete(name);
    write();
    show();
  };

  const placeholder = table.dataset.example ? `Filter, for example: ${table.dataset.example}` : "Filter";
  const search = make("input", { type: "search", placeholder });
  search.setAttribute("aria-label", "Filter configurations by words of their name or by knob=value");
  search.value = state.get("filter") ?? "";
  search.addEventListener("input", () => remember("filter", search.value));
  const add = make("select", {}, make("option", { value: "" }, "Add a filter …"));
  add.setAttribute("aria-label", "Add a filter");
  add.append(document.getElementById("filters").content);
  add.addEventListener("change", () => {
    search.value = `${search.value} ${add.value}`.trim();
    add.value = "";
    remember("filter", search.value);
  });
  const shown = make("output", {});
  const hidden = () => new Set(state.get("hidden")?.split(" ") ?? optional);
  const boxes = headings.slice(1).map((heading) => {
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => {
      const now = hidden();
      if (box.checked) now.delete(heading.dataset.key);
      else now.add(heading.dataset.key);
      remember("hidden", [...now].join(" ") || "none");
    });
    return [heading.dataset.key, box, make("label", {}, box, ` ${heading.textContent}`)];
  });
  const columns = make("details", { className: "columns" }, make("summary", {}, "Columns"));
  columns.append(...boxes.map(([, , label]) => label));
  const style = document.head.appendChild(document.createElement("style"));
  table.closest(".scroll").before(make("div", { className: "controls" }, search, add, shown, columns));

  headings.forEach((heading) => {
    const button = make("button", { type: "button" }, ...heading.childNodes);
    heading.append(button);
    const first = heading.dataset.first ?? "down";
    button.addEventListener("click", () => {
      const again = state.get("sort") === heading.dataset.key && state.get("order") === first;
      state.set("order", again ? (first === "down" ? "up" : "down") : first);
      remember("sort", heading.dataset.key);
    });
  });

  function show() {
    const wanted = (state.get("filter") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const column = headings.findIndex((heading) => heading.dataset.key === state.get("sort"));
    const sign = state.get("order") === "down" ? -1 : 1;
    const keys = new Map(column < 0 ? [] : rows.map((row) => [row, value(row, column)]));
    const sorted = column < 0 ? rows : rows.slice().sort((a, b) => compare(keys.get(a), keys.get(b)) * sign);
    table.tBodies[0].append(...sorted);
    headings.forEach((heading, n) => {
      if (n === column) heading.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    for (const row of rows) row.hidden = !wanted.every((word) => matches(row, word));
    const left = rows.filter((row) => !row.hidden).length;
    shown.textContent = left === rows.length ? "" : left ? `${left} of ${rows.length}` : "No configuration has all of these words; take one away.";
    const away = hidden();
    for (const [key, box] of boxes) box.checked = !away.has(key);
    const places = headings.flatMap((heading, n) => (away.has(heading.dataset.key) ? [n + 1] : []));
    style.textContent = places.map((n) => `.configurations tr > :nth-child(${n}) { display: none; }`).join("\n");
  }
  show();

  // Cards: a run's or a configuration's, at #run=….
  const cards = json("cards");
  const keyOf = (name) => (cards.runs[name] ? name : Object.keys(cards.runs).find((key) => cards.runs[key].some(([run]) => run === name)));
  const openCard = (name) => {
    const row = document.getElementById(`run=${keyOf(name)}`);
    const details = row?.querySelector("details");
    if (!details) return;
    row.hidden = false;
    details.open = true;
    row.scrollIntoView({ block: "center" });
  };
  for (const details of table.querySelectorAll("[data-card]")) {
    details.addEventListener("toggle", () => {
      const key = details.dataset.card;
      if (details.open && !details.querySelector(".cite")) details.append(card(key, cards, details));
      if (details.open) state.set("run", key);
      else if (state.get("run") === key) state.delete("run");
      write();
    });
  }
  addEventListener("hashchange", () => {
    const wanted = new URLSearchParams(location.hash.slice(1)).get("run");
    if (wanted) openCard(wanted);
  });
  if (state.get("run")) openCard(state.get("run"));
}

const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

function commandsFor(key, cards) {
  const runs = cards.runs[key];
  const [dataset] = cards.datasets[key];
  const extras = runs.some(([, , flags]) => flags.includes("--model timm/"));
  const commit = Object.fromEntries(cards.facts[runs[0][3]]).Commit?.split(",")[0];
  const setup = [
    `git clone ${cards.citation.address ? quote(cards.citation.address) : "ADDRESS-OF-THIS-REPOSITORY"} cifarbench`,
    "cd cifarbench",
    ...(commit ? [`git checkout ${quote(commit)}`] : []),
    `make .venv/.${extras ? "extras" : "ready"}`,
    ". .venv/bin/activate",
  ];
  const folder = (run) => `results/runs/${run}`;
  const trains = runs.map(([run, , flags]) => `cifarbench train ${flags} --data ${quote(`data/${dataset}`)} --output ${quote(folder(run))}`);
  const read = `python -c "import json, sys; print(*(json.load(open(f))['final']['test']['top1'] for f in sys.argv[1:]))"`;
  const files = runs.map(([run]) => quote(`${folder(run)}/metrics.json`)).join(" ");
  return [...setup, ...cards.datasets[key].flatMap((name) => cards.setup[name] ?? []), ...trains.map((line) => line.replace("  ", " ")), `${read} ${files}`].join("\n");
}

function card(key, cards, details) {
  const runs = cards.runs[key];
  const name = details.querySelector("summary").textContent.trim();
  const cells = [...details.closest("tr").cells];
  const heads = [...table.tHead.rows[0].cells].map((head) => head.dataset.key);
  const cell = (which) => cells[heads.indexOf(which)].textContent.trim();
  const facts = new Map();
  for (const [run, seed, , number] of runs) {
    for (const [title, said] of cards.facts[number]) {
      const values = facts.get(title) ?? facts.set(title, new Map()).get(title);
      values.set(said, [...(values.get(said) ?? []), seed]);
    }
  }
  const list = make("dl", {}, ...[...facts].map(([title, values]) =>
    make("div", {}, make("dt", {}, title), make("dd", {}, ...[...values].map(([said, seeds]) =>
      make("div", {}, values.size > 1 ? `${said} (seed ${seeds.join(", ")})` : said))))));
  const seeds = runs.map(([, seed]) => seed).join(", ");
  const address = [cards.citation.address, `#run=${key}`].filter(Boolean).join(" ");
  const { author, title, version, date } = cards.citation;
  const sentence = `${name}: test accuracy ${cell("test_accuracy")} on ${cards.datasets[key][0]}, n = ${runs.length} (seed ${seeds}). ${author}: ${title}, ${date}. cifarbench ${version}. ${address}`;
  const braces = (text) => text.replace(/[{}\\%&$#_^~]/g, (mark) => ({ "\\": "\\textbackslash{}", "^": "\\^{}", "~": "\\~{}" })[mark] ?? `\\${mark}`);
  const bibtex = `@misc{cifarbench-${key.replace(/[^\w-]+/g, "-")},\n  author = {{${braces(author)}}},\n  title = {${braces(title)}},\n  year = {${date.slice(0, 4)}},\n  note = {${braces(`${name}: test accuracy ${cell("test_accuracy")} on ${cards.datasets[key][0]}, n = ${runs.length}; cifarbench ${version}; ${address}`)}}\n}`;
  const commands = make("pre", { tabIndex: 0 }, commandsFor(key, cards));
  const copies = [["Copy the commands", commands.textContent], ["Copy as text", sentence], ["Copy as BibTeX", bibtex]].map(([label, text]) => {
    const button = make("button", { type: "button", className: "copy" }, label);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    });
    return button;
  });
  return make("div", { className: "cite" },
    make("p", {}, `${cell("test_accuracy")} test accuracy, loss ${cell("test_loss")}, ${cell("seconds")} of training.`),
    list, make("p", {}, "From nothing to these figures:"), commands, make("p", {}, ...copies));
}

// Words are explained where they stand, and dots tell their values where a finger or a mouse is near.
const bubble = document.body.appendChild(make("div", { id: "bubble", role: "status" }));
let toldAt = 0; // how far the page was scrolled
const tell = (text, x, y) => {
  toldAt = scrollY;
  bubble.textContent = text;
  bubble.classList.toggle("visible", Boolean(text));
  const { width, height } = bubble.getBoundingClientRect();
  bubble.style.left = `${Math.max(4, Math.min(x - width / 2, innerWidth - width - 4))}px`;
  bubble.style.top = `${y - height - 12 < 4 ? y + 16 : y - height - 12}px`;
};
const words = json("words");
const explain = (term) => {
  const { left, width, top } = term.getBoundingClientRect();
  tell(words[term.dataset.term] ?? "", left + width / 2, top);
};
document.addEventListener("focusin", (event) => { if (event.target.matches(".term")) explain(event.target); });
document.addEventListener("focusout", () => tell(""));
addEventListener("scroll", (event) => {
  if (event.target !== document || Math.abs(scrollY - toldAt) > 8) tell("");
}, { passive: true, capture: true });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") tell(""); });

const nearest = (candidates, x, y) => {
  let best = null;
  for (const [text, px, py] of candidates) {
    const distance = Math.hypot(px - x, py - y);
    if (!best || distance < best.distance) best = { text, px, py, distance };
  }
  return best;
};
const dots = (strip) => [...strip.querySelectorAll("[data-tip]")].map((dot) => {
  const { left, top, width, height } = dot.getBoundingClientRect();
  return [dot.dataset.tip, left + width / 2, top + height / 2];
});
const points = (chart) => {
  if (!chart.view) return [];
  const { left, top } = chart.querySelector("svg").getBoundingClientRect();
  const [dx, dy] = chart.view.origin();
  const [x, y] = ["x", "y"].map((name) => chart.view.scale(name));
  const [across, up] = chart.near;
  return chart.data.filter((row) => !chart.off?.includes(row.label) && row[up] != null)
    .map((row) => [`${row.label}: ${row.says ?? `${row.line}, epoch ${row.epoch}: ${row.value}`}`, left + dx + x(row[across]), top + dy + y(row[up])]);
};
const answer = (event, reach) => {
  const place = event.target.closest?.(".strip svg, .chart");
  if (!place) return false;
  const found = nearest(place.matches(".chart") ? points(place) : dots(place), event.clientX, event.clientY);
  tell(found && found.distance <= reach ? found.text : "", found?.px, found?.py);
  return true;
};
document.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") answer(event, 24); });
document.addEventListener("click", (event) => {
  if (event.target.closest(".term")) explain(event.target.closest(".term"));
  else if (!answer(event, Infinity)) tell("");
});

async function draw(chart, specifications) {
  const { curves, banded, rows } = json(chart.dataset.rows);
  const { chart: layout, near } = specifications[chart.dataset.chart];
  const given = rows[chart.dataset.part];
  const line = ([number, epoch, ...values]) => {
    const { lines, jumps, ...curve } = curves[number];
    const at = { ...curve, epoch, jump: false };
    if (banded) return [{ ...at, line: lines[0], seed: lines[0], value: values[0], low: values[1], high: values[2], jump: jumps.includes(epoch) }];
    return lines.map((name, n) => ({ ...at, line: name, seed: name, value: values[n], jump: n === 0 && jumps.includes(epoch) }));
  };
  chart.near = near;
  chart.data = curves ? given.flatMap(line) : given;
  const settings = { actions: false, ast: true, logLevel: 1, renderer: "svg", tooltip: false }; // a layer may be empty
  const drawing = chart.appendChild(make("div", { ariaHidden: "true" })); // the chart's label says it
  chart.view = (await vegaEmbed(drawing, { ...layout, datasets: { rows: chart.data } }, settings)).view;
}
(async () => {
  const specifications = json("charts");
  for (const chart of document.querySelectorAll(".chart")) {
    await draw(chart, specifications);
    await new Promise((next) => setTimeout(next)); // so that the page answers meanwhile
  }
  for (const linked of document.querySelectorAll(".linked")) {
    const buttons = [...linked.querySelectorAll("[aria-pressed]")];
    linked.addEventListener("click", (event) => {
      const button = event.target.closest("[aria-pressed]");
      if (!button) return;
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "false");
      const off = buttons.filter((other) => other.getAttribute("aria-pressed") === "false").map((other) => other.textContent);
      for (const chart of linked.querySelectorAll(".chart")) {
        chart.off = off;
        chart.view.signal("hidden", off).runAsync();
      }
    });
  }
})();

const claims = document.getElementById("claim-filters");
if (claims) {
  const [project, outcome] = claims.querySelectorAll("select");
  const show = () => {
    let left = 0;
    for (const block of document.querySelectorAll(".project")) {
      const fits = [...block.querySelectorAll(".card")].filter((card) => {
        card.hidden = Boolean(outcome.value) && card.dataset.outcome !== outcome.value;
        return !card.hidden;
      });
      block.hidden = (Boolean(project.value) && block.dataset.project !== project.value) || (Boolean(outcome.value) && !fits.length);
      left += block.hidden ? 0 : fits.length;
    }
    claims.querySelector("output").textContent = left ? `${left} claims tested` : "No tested claim is of this kind.";
  };
  for (const control of [project, outcome]) control.addEventListener("change", show);
  claims.hidden = false;
  show();
}

for (const pictures of document.querySelectorAll(".pictures")) {
  const which = pictures.querySelector("select");
  const items = [...pictures.querySelectorAll("li")];
  const show = () => {
    const [kind, first, second] = which.value.split(" ");
    for (const item of items) {
      const answers = item.dataset.answers.split(" ");
      item.hidden = (kind === "wrong" && answers[first] === item.dataset.true) || (kind === "differ" && answers[first] === answers[second]);
    }
    const left = items.filter((item) => !item.hidden).length;
    const none = kind === "wrong" ? "it gets all of these right" : "they agree on all of these";
    pictures.querySelector("output").textContent = `${left} of ${items.length}${left ? "" : `: ${none}`}`;
  };
  which.addEventListener("change", show);
  pictures.querySelector(".controls").hidden = false;
  show();
}
