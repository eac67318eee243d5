// Opened from the disk, a page may not fetch others: the search lists its hits without their first lines.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// The widgets hand their texts to MathJax as version 2 took them; the page has version 3.
document.addEventListener("DOMContentLoaded", () => {
  if (window.MathJax) {
    MathJax.Hub = {
      Queue: ([, , element]) => MathJax.startup.promise.then(() => MathJax.typesetPromise([element])),
    };
  }
});
