// The readout: what was so at the moment under the pointer. The page is whole without it.
(() => {
  "use strict";
  const make = (parent, name, text) => {
    const e = parent.appendChild(document.createElement(name));
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const counts = (data) => {
    const all = [];
    for (const item of data.split(" ")) {
      const [what, times] = item.split("*");
      for (let i = 0; i < (times ? +times : 1); i++) all.push(what.split(".").map(Number));
    }
    return all;
  };
  const signed = (s) => (s < 0 ? "−" : "+") + Math.abs(s).toFixed(2) + " s";
  const share = (length) => parseFloat(length) / 100;

  for (const plot of document.querySelectorAll(".plot")) {
    const from = +plot.dataset.from, to = +plot.dataset.to, bars = +plot.dataset.bars;
    const rows = [...plot.querySelectorAll(".row:not(.marks):not(.axis)")].map((row) => ({
      name: row.querySelector(".name").firstChild.textContent,
      unit: row.dataset.unit,
      counts: row.dataset.counts === undefined ? null : counts(row.dataset.counts),
      bands: [...row.querySelectorAll("rect")].map((rect) => {
        const title = rect.querySelector("title");
        const band = { x: share(rect.getAttribute("x")), w: share(rect.getAttribute("width")), text: title ? title.textContent : "" };
        if (title) title.remove(); // the readout says it; two would cover each other
        return band;
      }),
    }));
    const cell = plot.querySelector(".cell");
    let cross, readout, at = -1;

    const words = (row, x) => {
      if (!row.counts) {
        const band = row.bands.find((b) => x >= b.x && x < b.x + b.w);
        return band ? band.text : "";
      }
      const [good, bad, unknown, lost] = row.counts[Math.min(bars - 1, Math.floor(x * bars))] || [0];
      const parts = [good + " " + row.unit];
      if (bad) parts.push(bad + " failed");
      if (unknown) parts.push(unknown + " unknown");
      if (lost) parts.push(lost + " lost");
      return parts.join(", ");
    };
    const hide = () => {
      if (cross) cross.remove();
      if (readout) readout.remove();
      cross = readout = undefined;
      at = -1;
    };
    const show = (x) => {
      at = x = Math.min(1, Math.max(0, x));
      if (!cross) {
        cross = make(plot, "div");
        cross.className = "cross";
        readout = make(plot, "div");
        readout.className = "readout";
        readout.setAttribute("role", "status");
      }
      readout.replaceChildren();
      make(readout, "b", signed(from + x * (to - from)));
      for (const row of rows) {
        const text = words(row, Math.min(x, 0.999999));
        if (!text) continue;
        const line = make(readout, "div");
        make(line, "span", row.name);
        make(line, "span", text);
      }
      const left = cell.getBoundingClientRect().left - plot.getBoundingClientRect().left + x * cell.clientWidth;
      cross.style.left = left + "px";
      readout.style.left = Math.max(0, Math.min(plot.clientWidth - readout.offsetWidth, left - readout.offsetWidth / 2)) + "px";
    };

    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", "Timeline; the arrow keys move through it");
    const pointed = (event) => {
      const box = cell.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width;
      if (x >= 0 && x <= 1) show(x); else hide();
    };
    plot.addEventListener("pointermove", pointed);
    plot.addEventListener("pointerdown", pointed);
    plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      show(at < 0 ? -from / (to - from) : at + (step * (event.shiftKey ? 10 : 1)) / bars);
    });
  }
  // A link to a run unfolds it.
  const unfold = () => {
    const run = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (run && run.tagName === "DETAILS") { run.open = true; run.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
