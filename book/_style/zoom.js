// A figure opens large by click or Enter; a click, Enter or Escape closes it.
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.createElement("dialog");
  dialog.className = "zoomed";
  dialog.innerHTML = '<form method="dialog"><button><img alt=""></button></form>';
  const large = dialog.querySelector("img");
  document.body.append(dialog);

  const figures = ".bd-article :is(figure, .cell_output) img";
  for (const image of document.querySelectorAll(figures)) {
    if (image.closest("a, button, .live-figure, .widget-still")) continue;
    const button = document.createElement("button");
    button.className = "zoom";
    button.type = "button";
    button.title = "Enlarge";
    button.setAttribute("aria-haspopup", "dialog");
    image.replaceWith(button);
    button.append(image);
    button.addEventListener("click", () => {
      large.src = image.src;
      large.alt = image.alt;
      dialog.showModal();
    });
  }
});
