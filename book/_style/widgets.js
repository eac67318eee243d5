// The widgets of a page. Their library and their state are loaded when a reader comes near one of them;
// until then, and on paper, there is a still picture.
(() => {
  const { state, library } = document.currentScript.dataset;
  let loaded = document.readyState === "complete";
  addEventListener("load", () => (loaded = true));
  const stills = document.querySelectorAll(".widget-still");

  // What the file with the state calls: the library looks for such an element.
  window.takeWidgetState = (value) => {
    const element = document.createElement("script");
    element.type = "application/vnd.jupyter.widget-state+json";
    element.textContent = JSON.stringify(value);
    document.head.append(element);
  };

  const load = (source) =>
    new Promise((done) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = done;
      document.head.append(script);
    });

  // A slider's handle is named by the label before it, and its value is the text behind it.
  const nameSliders = (place) => {
    for (const handle of place.querySelectorAll(".noUi-handle")) {
      const row = handle.closest(".jupyter-widgets");
      const say = (selector) => row.querySelector(selector)?.textContent ?? "";
      handle.setAttribute("aria-label", say(".widget-label") || "slider");
      handle.setAttribute("aria-valuetext", say(".widget-readout"));
    }
  };

  const near = new IntersectionObserver(
    async (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      await load(state);
      for (const still of stills) {
        const place = still.parentElement;
        new MutationObserver(() => {
          if (!place.querySelector(".jupyter-widgets")) return;
          place.classList.add("has-widget");
          nameSliders(place);
        }).observe(place, { childList: true, subtree: true, characterData: true });
      }
      // The library would wait for the page to be loaded, which it is: what it adds is called at once.
      const add = window.addEventListener;
      window.addEventListener = (type, listener, options) =>
        type === "load" && loaded ? listener() : add.call(window, type, listener, options);
      await load(library);
      window.addEventListener = add;
    },
    { rootMargin: "50%" },
  );
  stills.forEach((still) => near.observe(still));
})();
