// Tables and charts.

import { largestDifference } from "./classifier.mjs";
import { axisEnds, drawn, element, freshId, number } from "./elements.mjs";
import { largestPixel } from "./pictures.mjs";

// A table with a heading for each row; `show` takes the rows' cells.
export class Table {
  constructor(caption, columns) {
    this.body = element("tbody");
    this.node = element(
      "div",
      { class: "live-table", tabindex: 0, role: "region", "aria-label": caption },
      element(
        "table",
        {},
        element("caption", {}, caption),
        element(
          "thead",
          {},
          element("tr", {}, element("td"), ...columns.map((text) => element("th", { scope: "col" }, text))),
        ),
        this.body,
      ),
    );
  }

  show(rows) {
    this.body.replaceChildren(
      ...rows.map(([heading, ...cells]) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, heading),
          ...cells.map((cell) => element("td", {}, cell)),
        ),
      ),
    );
  }
}

// How large numbers were, and by how much they have changed. `show` takes [heading, before, after] for each row, and
// returns the changes, as it writes them.
export class ChangeTable extends Table {
  constructor(caption) {
    super(caption, ["size before", "largest change"]);
  }

  show(rows) {
    const changes = rows.map(([, before, after]) => number(largestDifference(before, after)));
    super.show(
      rows.map(([heading, before], k) => [heading, number(largestPixel(before, before.length)), changes[k]]),
    );
    return changes;
  }
}

// From the smallest to the largest, with some air.
export function rangeOf(values) {
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const air = 0.05 * (high - low) || 0.01 * Math.abs(low) || 1;
  return [low - air, high + air];
}

// The next of 1, 2, 5, 10, 20, ... above a number, so that an axis that follows it seldom moves; below nought likewise.
export function roundEnd(value) {
  const size = Math.abs(value);
  if (!(size > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(size));
  return Math.sign(value) * power * [1, 2, 5, 10].find((step) => size <= step * power * (1 + 1e-9));
}

// The range of an axis while values come in: it stays as long as they are within, and then widens by more than it must.
export class SteadyRange {
  including(values) {
    const [low, high] = rangeOf(values);
    if (!this.ends || low < this.ends[0] || high > this.ends[1]) {
      const air = (high - low) / 4;
      this.ends = [low - air, high + air];
    }
    return this.ends;
  }
}

// A chart with axes. Series are {name, colour, points: [[x, y], ...], dashed, kind: "line" | "bars" | "rule"}; a
// "rule" is an upright line at x.
export class Chart {
  constructor({ label, xLabel, height = 150, width = 340 }) {
    Object.assign(this, { label, xLabel, height, width });
    this.svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    this.legend = element("div", { class: "live-legend", "aria-hidden": "true" });
    this.node = element(
      "div",
      { class: "live-chart" },
      element("span", { class: "live-caption" }, label),
      this.svg,
      this.legend,
    );
  }

  show(series, { x: [left, right], y: [bottom, top], xTicks = null, yTicks = null, description = "" }) {
    const margin = { left: 44, right: 8, top: 6, bottom: 34 };
    const across = (x) =>
      margin.left + ((x - left) / (right - left || 1)) * (this.width - margin.left - margin.right);
    const up = (y) =>
      this.height -
      margin.bottom -
      ((y - bottom) / (top - bottom || 1)) * (this.height - margin.top - margin.bottom);
    const inside = ([x, y]) =>
      [across(x), Math.max(-1e4, Math.min(1e4, up(y)))].map((value) => value.toFixed(1)).join();
    const clip = freshId("clip");
    const nodes = [
      drawn(
        "clipPath",
        { id: clip },
        drawn("rect", {
          x: margin.left,
          y: margin.top - 2,
          width: this.width - margin.left - margin.right,
          height: this.height - margin.top - margin.bottom + 4,
        }),
      ),
    ];
    for (const [value, text] of xTicks ?? axisEnds(left, right)) {
      const anchor = value === right ? "end" : value === left && !xTicks ? "start" : "middle";
      nodes.push(drawn("text", { x: across(value), y: this.height - 19, "text-anchor": anchor }, text));
      nodes.push(drawn("path", { class: "live-axis", d: `M${across(value)},${up(bottom)}v4` }));
    }
    for (const [value, text] of yTicks ?? axisEnds(bottom, top)) {
      nodes.push(drawn("text", { x: margin.left - 6, y: up(value) + 4, "text-anchor": "end" }, text));
      nodes.push(
        drawn("path", { class: "live-grid", d: `M${margin.left},${up(value)}H${this.width - margin.right}` }),
      );
    }
    const middle = (margin.left + this.width - margin.right) / 2;
    nodes.push(drawn("text", { x: middle, y: this.height - 4, "text-anchor": "middle" }, this.xLabel));
    nodes.push(
      drawn("path", { class: "live-axis", d: `M${margin.left},${up(bottom)}H${this.width - margin.right}` }),
    );
    const plot = drawn("g", { "clip-path": `url(#${clip})` });
    for (const { colour, points, dashed, kind = "line", barWidth = 0 } of series) {
      const stroke = { style: `stroke: ${colour}`, "stroke-dasharray": dashed ? "5 3" : "none" };
      if (kind === "line" && points.length) {
        plot.append(drawn("path", { class: "live-line", d: `M${points.map(inside).join("L")}`, ...stroke }));
      } else if (kind === "rule") {
        for (const [x] of points)
          plot.append(
            drawn("path", { class: "live-line", d: `M${across(x)},${up(bottom)}V${up(top)}`, ...stroke }),
          );
      } else if (kind === "bars") {
        for (const [x, y] of points) {
          plot.append(
            drawn("rect", {
              x: across(x - barWidth / 2),
              width: Math.max(0.5, across(x + barWidth / 2) - across(x - barWidth / 2)),
              y: up(y),
              height: Math.max(0, up(bottom) - up(y)),
              style: `fill: ${colour}`,
            }),
          );
        }
      }
    }
    this.svg.replaceChildren(...nodes, plot);
    this.svg.setAttribute("aria-label", `${this.label}. ${description}`);
    this.legend.replaceChildren(
      ...series
        .filter(({ name }) => name)
        .map(({ name, colour, dashed }) =>
          element(
            "span",
            {},
            element("i", { style: `border-top: 3px ${dashed ? "dashed" : "solid"} ${colour}` }),
            name,
          ),
        ),
    );
  }
}

// The probabilities of f and of f + g, one bar before the other: the ten largest, in the order of the classes.
export class ProbabilityBars {
  constructor(classes) {
    this.classes = classes;
    this.chart = new Chart({ label: "Probabilities", xLabel: "class" });
    this.node = this.chart.node;
  }

  show(before, after) {
    const shown = Array.from(before.keys())
      .sort((i, j) => before[j] - before[i])
      .slice(0, 10)
      .sort((i, j) => i - j);
    const bars = (name, colour, barWidth, values) => ({
      name,
      colour,
      kind: "bars",
      barWidth,
      points: shown.map((i, k) => [k, values[i]]),
    });
    const series = [
      bars("f", "var(--live-before)", 0.8, before),
      bars("f + g", "var(--live-after)", 0.35, after),
    ];
    const words = shown.map((i) => `${this.classes[i]}: ${number(before[i])}, then ${number(after[i])}`);
    this.chart.show(series, {
      x: [-0.6, shown.length - 0.4],
      y: [0, 1],
      xTicks: shown.map((i, k) => [k, this.classes[i].slice(0, 5)]),
      description: words.join("; "),
    });
  }
}
