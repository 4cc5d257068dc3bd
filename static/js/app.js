// Enhancements only: every page works without this file.
"use strict";

// On narrow screens the menu begins closed; without scripts it is open.
for (const menu of document.querySelectorAll("details.menu")) {
  const wide = window.matchMedia("(min-width: 60rem)");
  const follow = () => { menu.open = wide.matches; };
  follow();
  wide.addEventListener("change", follow);
}

// A form that is sent twice by a double click would only meet its own change.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button[type=submit]")) {
      setTimeout(() => { button.disabled = true; }, 0);
    }
  });
}

// Somebody who comes back with the browser's Back button finds usable buttons.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[disabled][type=submit]")) {
    button.disabled = false;
  }
});

// The summary of errors is what to read first.
document.querySelector(".error-summary")?.focus();

// On narrow screens a row of a table becomes a card, each cell with its heading; the roles keep it a table for screen readers.
const stack = (part) => {
  for (const table of part.querySelectorAll(".table-scroll > table:not(.stacked)")) {
    const heads = table.tHead?.rows.length === 1 ? Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent.trim()) : [];
    if (heads.length === 0 || table.querySelector("tbody [colspan], tbody [rowspan]")) { continue; }
    table.setAttribute("role", "table");
    for (const group of table.querySelectorAll("thead, tbody")) { group.setAttribute("role", "rowgroup"); }
    for (const row of table.rows) {
      row.setAttribute("role", "row");
      Array.from(row.cells).forEach((cell, at) => {
        const isHead = row.parentElement === table.tHead;
        cell.setAttribute("role", isHead ? "columnheader" : cell.tagName === "TH" ? "rowheader" : "cell");
        if (!isHead) { cell.dataset.label = heads[at] ?? ""; }
      });
    }
    table.classList.add("stacked");
  }
};
stack(document);

// Parts that refresh themselves bring new tables.
const content = document.querySelector("main");
if (content) {
  new MutationObserver((changes) => {
    for (const node of changes.flatMap((change) => Array.from(change.addedNodes))) {
      if (node instanceof Element) { stack(node.parentElement ?? node); }
    }
  }).observe(content, { childList: true, subtree: true });
}
