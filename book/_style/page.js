// Opened from the disk, a page may not fetch others: the search lists its hits without their first lines.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// What scrolls in its own box, such as a long equation, can be reached by keyboard, and shows that it goes on.
const BOXES = 'mjx-container[display="true"], .bd-article :is(pre, .text_html, .pst-scrollable-table-container)';
const goesOn = (box) => {
  box.classList.toggle("goes-on", box.scrollLeft + box.clientWidth < box.scrollWidth - 2);
};
const reachable = () => {
  for (const box of document.querySelectorAll(BOXES)) {
    if (box.querySelector(".live-figure")) continue;
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    goesOn(box);
    box.onscroll = () => goesOn(box);
  }
};
addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reachable));
addEventListener("resize", reachable);

// The widgets hand their texts to MathJax as version 2 took them; the page has version 3.
document.addEventListener("DOMContentLoaded", () => {
  if (window.MathJax) {
    MathJax.Hub = {
      Queue: ([, , element]) => MathJax.startup.promise.then(() => MathJax.typesetPromise([element])),
    };
  }
});
