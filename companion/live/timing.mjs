// When things are computed: in turn, and not more often than they can be seen.

// Runs `update` once a frame at most, and not again before it is done; the last request is never lost.
export function oncePerFrame(update) {
  let wanted = false;
  let running = false;
  const run = async () => {
    running = true;
    try {
      while (wanted) {
        wanted = false;
        await update();
        await new Promise(requestAnimationFrame);
      }
    } finally {
      running = false;
    }
  };
  return () => {
    wanted = true;
    if (!running) run();
  };
}

export const nextFrame = () => new Promise((resolve) => setTimeout(resolve, 0));

// Lets one piece of work begin when the one before it is done: they share a network, which remembers its last x.
export function oneAtATime() {
  let last = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}
