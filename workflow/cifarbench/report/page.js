// Sort, filter and choose columns of the table, all kept in the page's address; copy commands; draw charts;
// show the images on which two models disagree. Without this script the page says all but the charts.
"use strict";
const make = (tag, settings, ...children) => {
  const element = Object.assign(document.createElement(tag), settings);
  element.append(...children);
  return element;
};
const json = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");

const table = document.querySelector("table.configurations");
if (table) {
  const headings = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
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
    history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
    show();
  };

  const search = make("input", { type: "search", placeholder: "Filter, for example: vgg16 dropout=0.5" });
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
    button.addEventListener("click", () => {
      const again = state.get("sort") === heading.dataset.key;
      state.set("order", again && state.get("order") === "down" ? "up" : "down");
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
    shown.textContent = left === rows.length ? "" : `${left} of ${rows.length}`;
    const away = hidden();
    for (const [key, box] of boxes) box.checked = !away.has(key);
    const places = headings.flatMap((heading, n) => (away.has(heading.dataset.key) ? [n + 1] : []));
    style.textContent = places.map((n) => `.configurations tr > :nth-child(${n}) { display: none; }`).join("\n");
  }
  show();
}

document.addEventListener("toggle", (event) => {
  if (!event.target.open) return;
  for (const place of event.target.querySelectorAll("[data-command]:not(:has(.copy))")) {
    const button = make("button", { type: "button", className: "copy" }, "copy command");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(place.dataset.command);
      button.textContent = "copied";
    });
    place.append(" ", button);
  }
}, true);

async function draw(chart, specifications) {
  const { columns, curves, rows } = json(chart.dataset.rows);
  const named = (row) => Object.fromEntries(columns.map((name, n) => [name, row[n + 1]]));
  const data = rows[chart.dataset.part].map((row) => (columns ? { ...curves[row[0]], ...named(row) } : row));
  const specification = { ...specifications[chart.dataset.chart], datasets: { rows: data } };
  const settings = { actions: false, ast: true, renderer: "svg", tooltip: { disableDefaultStyle: true } };
  const drawing = chart.appendChild(make("div", { ariaHidden: "true" })); // the chart's label says it
  chart.view = (await vegaEmbed(drawing, specification, settings)).view;
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
      button?.setAttribute("aria-pressed", button.getAttribute("aria-pressed") === "false");
      const off = buttons.filter((other) => other.getAttribute("aria-pressed") === "false");
      for (const { view } of linked.querySelectorAll(".chart")) {
        view.signal("hidden", off.map((other) => other.textContent)).runAsync();
      }
    });
  }
})();

for (const pictures of document.querySelectorAll(".pictures:has(select)")) {
  const [first, second] = pictures.querySelectorAll("select");
  const only = pictures.querySelector("input");
  const items = [...pictures.querySelectorAll("li")];
  const show = () => {
    for (const item of items) {
      const answers = item.dataset.answers.split(" ");
      item.hidden = only.checked && answers[first.value] === answers[second.value];
    }
    pictures.querySelector("output").textContent = `${items.filter((item) => !item.hidden).length} of ${items.length}`;
  };
  for (const control of [first, second, only]) control.addEventListener("change", show);
  pictures.querySelector(".controls").hidden = false;
  show();
}
