"use strict";
// Tables sort by a click on a heading, pictures behind cells open in place; all pictures are loaded for a print.
(() => {
  const number = (text) => {
    const found = text.replace("−", "-").match(/[-+]?\d+(\.\d+)?([eE][-+]?\d+)?/);
    return found && /^[\s▲▼△+−-]*\d/.test(text) ? Number(found[0]) : null;
  };

  const compare = (a, b, sign) => {
    const empty = [a, b].map((text) => /^(|[-–]|n\/a|missed)$/.test(text));
    if (empty[0] || empty[1]) return empty[0] - empty[1];  // what is missing stays below, either way
    const [x, y] = [number(a), number(b)];
    if (x !== null && y !== null && x !== y) return sign * (x - y);
    return sign * a.localeCompare(b, "en", { numeric: true });
  };

  const sort = (table, column, heading) => {
    const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const body = table.tBodies[0];
    const text = (row) => row.cells[column].textContent.trim();
    const rows = [...body.rows].map((row, k) => [row, k]);
    rows.sort(([a, i], [b, j]) => compare(text(a), text(b), sign) || i - j);
    body.append(...rows.map(([row]) => row));
  };

  document.querySelectorAll("table").forEach((table) => {
    if (!table.tBodies[0] || table.tBodies[0].rows.length < 2) return;
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (!heading.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.title = "sort by this column";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, column, heading));
      heading.append(button);
    });
  });

  const cells = [...document.querySelectorAll("a[data-picture]")];
  if (cells.length) {
    const dialog = document.createElement("dialog");
    const [image, caption, leads, close] = ["img", "p", "a", "button"].map((tag) => document.createElement(tag));
    leads.textContent = "Open this patient's page";
    close.textContent = "Close (Esc)";
    const keys = document.createElement("p");
    keys.textContent = "Arrow keys: the neighbouring cells of the table.";
    const buttons = document.createElement("p");
    buttons.append(leads, "  ", close);
    dialog.append(image, caption, keys, buttons);
    document.body.append(dialog);
    let now = null;
    const show = (cell) => {
      now = cell;
      image.src = cell.dataset.picture;
      image.alt = cell.dataset.alt;
      caption.textContent = cell.dataset.caption;
      leads.href = cell.getAttribute("href");
      if (!dialog.open) dialog.showModal();
      close.focus();
    };
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => now.focus());
    dialog.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      if (!(event.key in moves)) return;
      event.preventDefault();
      const cell = now.closest("td"), row = cell.parentElement, [down, right] = moves[event.key];
      const body = row.parentElement.rows;
      const next = body[[...body].indexOf(row) + down]?.cells[cell.cellIndex + right]?.querySelector("a[data-picture]");
      if (next) show(next);
    });
    cells.forEach((cell) => cell.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(cell);
    }));
  }

  addEventListener("beforeprint", () => {
    document.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
  });
})();
