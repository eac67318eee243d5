// A network's answer to a picture: its top classes and two gradient maps.

import { button } from "./controls.mjs";
import { element, number } from "./elements.mjs";
import { largestPixel, SignedMap } from "./pictures.mjs";

const TOP = 5;

// `picture(label)` makes a picture for a map; `onClass` is called with a class that the reader has chosen.
export class Card {
  constructor({ label, classes, picture, onClass }) {
    Object.assign(this, { classes });
    this.ranked = [];
    // The buttons stay, and with them the keyboard's place, whatever classes they name.
    this.bars = Array.from({ length: Math.min(TOP, classes.length) }, (_, k) => {
      const [name, value] = [element("span"), element("span")];
      const node = button(name, () => onClass(this.ranked[k]), { class: "live-top" });
      node.append(value);
      return { node, name, value };
    });
    this.maps = {
      logitGradient: new SignedMap(picture("logit")),
      centred: new SignedMap(picture("centred logit")),
    };
    this.note = element("p", { class: "live-note" });
    this.node = element(
      "div",
      { class: "live-card", role: "group", "aria-label": label },
      element("span", { class: "live-title" }, label),
      element("ol", { "aria-label": "Top classes" }, ...this.bars.map(({ node }) => element("li", {}, node))),
      this.note,
      ...Object.values(this.maps),
    );
  }

  // Shows an answer, or that it is still that to an earlier question. `y` is the class that is explained.
  show(answer, y, isInView) {
    this.node.classList.toggle("live-in-view", isInView);
    this.node.classList.toggle("live-waiting", !answer);
    if (!answer) return;
    const { probabilities } = answer;
    this.ranked = Array.from(probabilities.keys())
      .sort((i, j) => probabilities[j] - probabilities[i])
      .slice(0, this.bars.length);
    this.bars.forEach(({ node, name, value }, k) => {
      const i = this.ranked[k];
      name.textContent = this.classes[i];
      value.textContent = probabilities[i].toFixed(2);
      node.style.setProperty("--live-share", `${100 * probabilities[i]}%`);
      node.setAttribute("aria-pressed", String(i === y));
    });
    this.note.textContent = `${this.classes[y]}: ${number(probabilities[y])}`;
    for (const [name, map] of Object.entries(this.maps)) {
      const { height, width } = map.picture;
      map.show(answer[name], largestPixel(answer[name], height * width));
    }
  }
}
