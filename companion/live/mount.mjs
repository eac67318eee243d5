// What the figures have in common: the reader changes a view, results are computed from it, and drawn.

// Ties the parts of a figure together, and starts it.
//
// host       has the payload, keeps the view, and reads it from a link (hosts.mjs).
// controls   for names in the view, what the reader changes them by (controls.mjs).
// allowed    for names in the view, the values that a link may give them. Choices list theirs; otherwise any will do.
// compute    an asynchronous generator: view -> results. Whatever it yields is drawn, finished or not; a bare `yield`
//            lets the page answer the reader. Once the reader has chosen something else it is not taken further.
// draw       shows results, and is told for which view they were computed.
//
// Some figures need more. `advanced` is {node, names}: what is folded, and what in the view it sets; it is unfolded
// where a link has set one of these. `arrange` shows what follows from the view without computing. `restartedBy` are the
// names that results depend on, if not on all. `patience` is how long, in milliseconds, the reader has to leave everything
// alone before a computation goes on from what it has yielded first.
//
// Returns the figure: its `view`, a function for its latest `results`, `set` to change the view, `run` to compute
// something else, `stop` to leave that, and `alone` for work that has to wait until nothing is computed.
export function mount({
  host,
  controls,
  allowed = {},
  compute,
  draw,
  advanced = null,
  arrange = () => {},
  restartedBy = null,
  patience = 0,
}) {
  const listed = Object.entries(controls).map(([name, { values }]) => [name, values]);
  const given = { ...Object.fromEntries(listed), ...allowed };
  const view = { ...host.payload.view, ...host.loadView(given) };
  const alone = oneAtATime();
  let results = null;
  let stop = () => {};

  // Computes in place of what was computed before, which is taken no further. What waits for its turn is left out if
  // all is computed anew after it: changes may come faster than results.
  function run(computation) {
    stop(computation);
    let [isStopped, isOutdated, wake] = [false, false, () => {}];
    stop = (next) => {
      isStopped = true;
      isOutdated = next === compute;
      wake();
    };
    return alone(async () => {
      if (isOutdated) return;
      const current = { ...view };
      let wait = patience;
      for await (const found of computation(current)) {
        if (found) draw((results = found), current);
        await new Promise((resolve) => {
          wake = resolve;
          setTimeout(resolve, isStopped ? 0 : wait);
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
  function unfold() {
    if (advanced?.names.some((name) => view[name] !== host.payload.view[name])) advanced.node.open = true;
  }

  host.follow(given, (linked) => {
    set(Object.fromEntries(Object.entries(linked).filter(([name, value]) => value !== view[name])));
    unfold();
  });
  show();
  unfold();
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
