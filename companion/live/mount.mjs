// What the four figures have in common: controls change a view, results are computed from it, and are drawn.

// Ties the parts of a figure together and starts it.
//
// host       has the payload, and keeps the view (hosts.mjs).
// allowed    name in the view -> the values that a link may give it, if they are few and no choice lists them.
// controls   name in the view -> what the reader changes it by (controls.mjs).
// compute    from the view, as an asynchronous generator. Each result that it yields is drawn; a bare `yield` only lets
//            the page go on. It is left there when the reader has chosen something else meanwhile.
// draw       shows a result and the view that it belongs to.
//
// Some figures need more: `arrange` does at each change what takes no computing; `restartedBy` names what calls for
// another computation, if not everything does; `patience` is for how many milliseconds the reader has to leave
// everything alone before a computation goes on from its first result.
//
// Returns the figure: its `view`, the latest `results`, `set` to change the view, `run` for another computation, `stop`
// to leave the one that runs, and `alone` for work that has to wait for it.
export function mount({
  host,
  allowed = {},
  controls,
  compute,
  draw,
  arrange = () => {},
  restartedBy = null,
  patience = 0,
}) {
  const listed = Object.entries(controls).map(([name, { values }]) => [name, values]);
  const view = { ...host.payload.view, ...host.loadView({ ...Object.fromEntries(listed), ...allowed }) };
  const alone = oneAtATime();
  let results = null;
  let stop = () => {};

  // Runs a computation in place of the one before.
  function run(computation) {
    stop();
    let isStopped = false;
    let wake = () => {};
    stop = () => {
      isStopped = true;
      wake();
    };
    return alone(async () => {
      if (isStopped) return;
      const current = { ...view };
      let wait = patience;
      for await (const found of computation(current)) {
        if (found) draw((results = found), current);
        await new Promise((resolve) => {
          wake = resolve;
          setTimeout(resolve, wait);
        });
        if (isStopped) return;
        wait = 0;
      }
    });
  }

  function show() {
    for (const [name, control] of Object.entries(controls)) control.set(view[name]);
    arrange(view);
  }

  async function set(changes) {
    Object.assign(view, changes);
    show();
    const names = Object.keys(changes);
    if (names.length) host.saveView(view);
    if (!restartedBy || names.some((name) => restartedBy.includes(name))) await run(compute);
  }

  for (const [name, control] of Object.entries(controls)) {
    control.onChange ??= (value) => set({ [name]: value });
  }
  show();
  run(compute);
  return { view, results: () => results, set, run, stop: () => stop(), alone };
}

// Lets one piece of work begin when the one before it is done: they share a network, which remembers its last x.
function oneAtATime() {
  let last = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}
