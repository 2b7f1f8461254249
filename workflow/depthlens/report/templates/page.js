"use strict";

// The value that a row is sorted by: a number where the column holds numbers, else the text.
function sortValue(row, column, numeric) {
  const cell = row.cells[column];
  const value = cell.dataset.sort === undefined ? cell.textContent.trim() : cell.dataset.sort;
  return numeric ? Number(value.replace("inf", "Infinity")) : value;
}

// Sort a table by a column. What is not a number stays at the end in both directions.
function sortTable(header, direction) {
  const table = header.closest("table");
  const body = table.tBodies[0];
  const column = header.cellIndex;
  const numeric = header.classList.contains("number");
  const sign = direction === "ascending" ? 1 : -1;
  const rows = Array.from(body.rows, (row) => [sortValue(row, column, numeric), row]);
  rows.sort(([a], [b]) => {
    if (!numeric) return sign * a.localeCompare(b, "en", { numeric: true });
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b || 0);
  });
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction);
  body.append(...rows.map(([, row]) => row));
}

for (const header of document.querySelectorAll("th[scope=col]")) {
  header.querySelector("button").addEventListener("click", () => {
    const first = header.classList.contains("number") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    sortTable(header, header.getAttribute("aria-sort") === first ? second : first);
  });
}

// Opened with #selfcheck the page tries itself out and writes down what it found:
// see `python -m depthlens.report.check`.
function selfCheck() {
  const faults = [...window.faults];
  const images = Array.from(document.images);
  for (const image of images) {
    if (!image.naturalWidth || !image.naturalHeight) faults.push("empty image: " + (image.alt || "thumbnail"));
  }
  let sorted = 0;
  for (const table of document.querySelectorAll("table")) {
    for (const header of table.tHead.rows[0].cells) {
      const numeric = header.classList.contains("number");
      for (let click = 0; click < 2; click += 1) {
        header.querySelector("button").click();
        const sign = header.getAttribute("aria-sort") === "ascending" ? 1 : -1;
        const values = Array.from(table.tBodies[0].rows, (row) => sortValue(row, header.cellIndex, numeric))
          .filter((value) => !Number.isNaN(value));
        const ordered = values.every((value, index) => {
          if (index === 0) return true;
          const before = values[index - 1];
          const difference = numeric ? before - value || 0 : before.localeCompare(value, "en", { numeric: true });
          return sign * difference <= 0;
        });
        if (!ordered) faults.push("table " + table.id + " is not sorted by " + header.textContent.trim());
        sorted += 1;
      }
    }
  }
  for (const entry of performance.getEntriesByType("resource")) {
    if (!entry.name.startsWith("data:")) faults.push("loaded " + entry.name);
  }
  faults.push(...window.faults.filter((fault) => !faults.includes(fault)));
  const result = document.createElement("script");
  result.type = "application/json";
  result.id = "selfcheck";
  result.textContent = JSON.stringify({ faults, images: images.length, sorts: sorted }).replaceAll("<", "\\u003c");
  document.body.append(result);
}

document.documentElement.dataset.ready = "true";
// After the load event every image has been decoded or has failed.
if (location.hash === "#selfcheck") window.addEventListener("load", selfCheck);
