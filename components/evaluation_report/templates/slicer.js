// The slicing tool: what is picked above decides which slices stand below, in which order.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const BINS = 24;
  const BETWEEN = "second run minus first";

  function drawn(name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function written(value, signed) {
    if (value === null || value === undefined) return "–";
    const text = Math.abs(value) >= 1000 ? value.toFixed(0) : value.toFixed(4);
    return (signed && value > 0 ? "+" : "") + text.replace("-", "−");
  }

  function fill(select, names, chosen) {
    select.replaceChildren(...names.map(([value, title]) => new Option(title, value, false, value === chosen)));
  }

  function nameOf(row) {
    return row.slice.map(([feature, value]) => `${feature}=${value}`).join(", ") || "overall";
  }

  function start(tool) {
    const all = JSON.parse(tool.querySelector(".rows").textContent);
    const form = tool.querySelector("form");
    const body = tool.querySelector("tbody");
    const order = { key: "examples", direction: -1 };
    const boxes = all.features.map((feature) => {
      const box = Object.assign(document.createElement("input"), { type: "checkbox", value: feature, checked: true });
      const label = document.createElement("label");
      label.append(box, ` ${feature}`);
      tool.querySelector(".features").append(label);
      return box;
    });
    tool.querySelector(".features").hidden = boxes.length === 0;
    fill(form.task, Object.keys(all.tasks).map((task) => [task, task]));
    tool.querySelector("[data-runs]").hidden = all.runs.length < 2;
    fill(form.run, all.runs.map((name, number) => [String(number), name]));

    const ofTask = () => all.rows.filter((row) => row.task === form.task.value);
    const ofMetric = () => ofTask().filter((row) => row.metric === form.metric.value);

    function offer() {
      const metrics = new Set(ofTask().map((row) => row.metric));
      const metric = metrics.has(form.metric.value) ? form.metric.value : all.tasks[form.task.value];
      fill(form.metric, Object.entries(all.metrics).filter(([name]) => metrics.has(name)), metric);
      const views = [...new Set(ofMetric().flatMap((row) => Object.keys(row.views)))];
      const first = all.runs.length > 1 ? BETWEEN : "student minus control";
      const view = views.includes(form.view.value) ? form.view.value : views.includes(first) ? first : views[0];
      fill(form.view, views.map((name) => [name, name]), view);
    }

    function chosen() {
      const view = form.view.value;
      const run = view === BETWEEN ? 2 : Number(form.run.value || 0);
      const features = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
      const text = form.text.value.trim().toLowerCase();
      return ofMetric()
        .filter((row) => row.run === run && view in row.views && row.examples >= Number(form.least.value || 0))
        .filter((row) => row.slice.every(([feature]) => features.has(feature)))
        .filter((row) => !text || nameOf(row).toLowerCase().includes(text))
        .map((row) => {
          const [value, low, high] = row.views[view];
          return { ...row, name: nameOf(row), value, low, high };
        });
    }

    function sorted(rows) {
      const key = order.key === "slice" ? "name" : order.key;
      return rows.sort((one, other) => {
        const [left, right] = [one[key], other[key]];
        if (left === null || right === null) return (left === null) - (right === null);
        return order.direction * (typeof left === "number" ? left - right : left.localeCompare(right, "en", { numeric: true }));
      });
    }

    function interval(row, low, high, signed) {
      const at = (value) => 4 + (192 * (value - low)) / (high - low || 1);
      const svg = drawn("svg", { viewBox: "0 0 200 16", class: "bar", "aria-hidden": "true" });
      if (signed) svg.append(drawn("line", { x1: at(0), x2: at(0), y1: 0, y2: 16, class: "zero" }));
      if (row.low !== null) svg.append(drawn("line", { x1: at(row.low), x2: at(row.high), y1: 8, y2: 8, class: "range" }));
      svg.append(drawn("circle", { cx: at(row.value), cy: 8, r: 4 }));
      return svg;
    }

    function line(row, low, high, signed) {
      const tr = document.createElement("tr");
      const head = Object.assign(document.createElement("th"), { scope: "row", textContent: row.name });
      const ends = row.low === null ? "–" : `[${written(row.low, signed)}, ${written(row.high, signed)}]`;
      const texts = [row.examples.toLocaleString("en"), row.positives.toLocaleString("en"), written(row.value, signed), ends];
      const cells = texts.map((text) => Object.assign(document.createElement("td"), { className: "n", textContent: text }));
      const picture = document.createElement("td");
      picture.append(interval(row, low, high, signed));
      tr.append(head, ...cells, picture);
      return tr;
    }

    function spread(rows) {
      const place = tool.querySelector(".spread");
      const values = rows.map((row) => row.value).sort((one, other) => one - other);
      place.hidden = values.length < 2;
      if (place.hidden) return place.replaceChildren();
      const [low, high] = [values[0], values[values.length - 1]];
      const counts = new Array(BINS).fill(0);
      for (const value of values) counts[Math.min(BINS - 1, Math.floor((BINS * (value - low)) / (high - low || 1)))] += 1;
      const most = Math.max(...counts);
      const svg = drawn("svg", { viewBox: `0 0 ${BINS * 10} 64`, "aria-hidden": "true" });
      counts.forEach((count, bin) => {
        const height = (56 * count) / most;
        svg.append(drawn("rect", { x: bin * 10 + 1, y: 60 - height, width: 8, height }));
      });
      const middle = values[Math.floor(values.length / 2)];
      place.setAttribute("aria-label", `Distribution over slices: from ${written(low)} to ${written(high)}, median ${written(middle)}`);
      const ends = document.createElement("span");
      ends.textContent = `${written(low)} to ${written(high)}, median ${written(middle)}`;
      place.replaceChildren(svg, ends);
    }

    function show() {
      const rows = sorted(chosen());
      const signed = form.view.value.includes(" minus ");
      const ends = rows.flatMap((row) => [row.value, row.low, row.high]).filter((value) => value !== null);
      if (signed) ends.push(0);
      const [low, high] = [Math.min(...ends), Math.max(...ends)];
      body.replaceChildren(...rows.map((row) => line(row, low, high, signed)));
      const apart = rows.filter((row) => row.low !== null && (row.low > 0 || row.high < 0)).length;
      const beyond = signed ? `; in ${apart} of them the interval does not hold 0` : "";
      const out = all.left_out ? ` ${all.left_out.toLocaleString("en")} rows of the smallest slices are not on this page.` : "";
      tool.querySelector(".said").textContent = `${rows.length.toLocaleString("en")} slice${rows.length === 1 ? "" : "s"}${beyond}.${out}`;
      for (const button of tool.querySelectorAll("thead button")) {
        const now = button.dataset.key === order.key ? (order.direction > 0 ? "ascending" : "descending") : "none";
        button.closest("th").setAttribute("aria-sort", now);
      }
      spread(rows);
    }

    form.addEventListener("submit", (event) => event.preventDefault());
    tool.addEventListener("input", () => { offer(); show(); });
    tool.querySelector("thead").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      order.direction = order.key === button.dataset.key ? -order.direction : 1;
      order.key = button.dataset.key;
      show();
    });
    offer();
    show();
  }

  document.querySelectorAll("[data-slicer]").forEach(start);
})();
