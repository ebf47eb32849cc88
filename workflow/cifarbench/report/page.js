// Sort and filter the table of configurations, keep both in the page's address, and copy commands.
// Without this script the page says all the same.
"use strict";
const table = document.querySelector("table.configurations");
if (table) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const rows = [...body.rows];
  const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

  const value = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b));

  const search = document.createElement("input");
  search.type = "search";
  search.placeholder = "Filter, for example: vgg16 dropout=0.5";
  search.setAttribute("aria-label", "Filter configurations by words of their name, knob=value or study=name");
  const shown = document.createElement("output");
  const controls = document.createElement("div");
  controls.className = "controls";
  controls.append(search, shown);
  table.closest(".scroll").before(controls);

  function show() {
    const words = (state.get("filter") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const column = Number(state.get("sort") ?? -1);
    const down = state.get("order") === "down";
    const order = rows.slice();
    if (headings[column]) {
      order.sort((a, b) => compare(value(a, column), value(b, column)) * (down ? -1 : 1));
    }
    body.append(...order);
    headings.forEach((heading, n) => {
      if (n === column) heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    for (const row of rows) {
      row.hidden = !words.every((word) => row.dataset.words.includes(word));
    }
    const left = rows.filter((row) => !row.hidden).length;
    shown.textContent = left === rows.length ? "" : `${left} of ${rows.length}`;
  }

  function remember() {
    history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
    show();
  }

  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const again = state.get("sort") === String(column);
      state.set("order", again && state.get("order") === "down" ? "up" : "down");
      state.set("sort", String(column));
      remember();
    });
  });
  search.value = state.get("filter") ?? "";
  search.addEventListener("input", () => {
    if (search.value) state.set("filter", search.value);
    else state.delete("filter");
    remember();
  });
  show();
}
for (const place of document.querySelectorAll("[data-command]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "copy command";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(place.dataset.command);
    button.textContent = "copied";
  });
  place.append(" ", button);
}
