// A term's definition opens at the term, when it is pointed at or has the focus; Escape closes it.
document.addEventListener("DOMContentLoaded", () => {
  const box = document.createElement("div");
  box.className = "definition";
  box.id = "definition";
  box.role = "tooltip";
  box.hidden = true;
  document.body.append(box);

  const open = async (term) => {
    box.textContent = term.dataset.definition;
    box.hidden = false;
    term.setAttribute("aria-describedby", box.id);
    await window.MathJax?.typesetPromise?.([box]);
    const place = term.getBoundingClientRect();
    const left = Math.min(place.left, document.documentElement.clientWidth - box.offsetWidth - 8);
    box.style.left = `${Math.max(left, 8) + scrollX}px`;
    box.style.top = `${place.bottom + scrollY + 4}px`;
  };
  const close = () => (box.hidden = true);

  for (const term of document.querySelectorAll("a[data-definition]")) {
    for (const event of ["mouseenter", "focus"]) term.addEventListener(event, () => open(term));
    for (const event of ["mouseleave", "blur"]) term.addEventListener(event, close);
  }
  addEventListener("keydown", (event) => event.key === "Escape" && close());
});
