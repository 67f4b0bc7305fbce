"use strict";
// Sorting, filtering and one kind of curves at a time. The page is complete without any of it.
(() => {
  const table = document.getElementById("ranking");
  if (table) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row, place) => ({ row, place, baseline: row.className === "baseline" }));
    const people = rows.filter((each) => !each.baseline);
    const headers = Array.from(table.tHead.rows[0].cells);
    const filter = document.getElementById("filter");
    const front = document.getElementById("front");
    const count = document.getElementById("count");
    const more = document.getElementById("more");
    // Browsers take seconds to lay out more rows than anyone reads.
    let most = 500;
    const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
    const folded = (text) => text.normalize("NFKC").toLowerCase();
    for (const each of people) each.text = folded(each.row.cells[1].textContent);

    const value = (cell) => {
      // The value proper: an interval stands in an element of its own behind it.
      const text = cell.firstChild ? cell.firstChild.textContent : "";
      const number = parseFloat(text.replace(/[,<\s]/g, ""));
      return Number.isNaN(number) ? null : number;
    };

    const sort = (index, direction) => {
      const sign = direction === "ascending" ? 1 : -1;
      const named = index === 1;
      for (const each of people) {
        const cell = each.row.cells[index];
        each.key = named ? cell.textContent : value(cell);
      }
      // Nothing to compare goes last in both directions, and equal ones stay in the order of the board.
      people.sort((a, b) => {
        if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
        return sign * (named ? words.compare(a.key, b.key) : a.key - b.key) || a.place - b.place;
      });
      headers.forEach((header, at) => {
        if (header.hasAttribute("aria-sort")) header.setAttribute("aria-sort", at === index ? direction : "none");
      });
      show(index === 0 && direction === "ascending");
    };

    // Baselines are lines between ranks: in any other order they would separate nothing.
    const show = (inOrder) => {
      const order = inOrder ? rows : people;
      body.replaceChildren(...order.map((each) => each.row));
      narrow();
    };

    const narrow = () => {
      const wanted = folded(filter.value.trim());
      const best = front !== null && front.checked;
      let fitting = 0;
      for (const each of people) {
        const fits = each.text.includes(wanted) && (!best || each.row.className === "best");
        fitting += fits;
        each.row.hidden = !fits || fitting > most;
      }
      const shown = Math.min(fitting, most);
      const everyone = fitting === people.length;
      for (const each of rows) if (each.baseline) each.row.hidden = !everyone;
      more.hidden = fitting <= most;
      count.textContent = shown === people.length ? "" : `${shown} of ${people.length} shown`;
    };

    headers.forEach((header, index) => {
      const button = header.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const now = header.getAttribute("aria-sort");
        const other = { ascending: "descending", descending: "ascending" };
        sort(index, other[now] || button.dataset.first);
      });
    });
    filter.addEventListener("input", narrow);
    more.addEventListener("click", () => {
      most = Infinity;
      narrow();
      filter.focus();
    });
    if (front) front.addEventListener("change", narrow);
    narrow();
  }

  const curves = document.getElementById("curves");
  if (curves) {
    const kind = document.getElementById("kind");
    const figures = Array.from(curves.querySelectorAll(".overlay"));
    if (kind) {
      const choose = () => figures.forEach((figure, at) => { figure.hidden = at !== Number(kind.value); });
      kind.addEventListener("change", choose);
      choose();
    }
  }
})();
