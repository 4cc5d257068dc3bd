// Parts that wait for work elsewhere ask for themselves again. Without this file a page says so and is loaded by hand.
"use strict";

{
  const ids = Array.from(document.querySelectorAll("[data-refresh][id]"), (part) => part.id);
  const waiting = () => ids.map((id) => document.getElementById(id)).filter((part) => part?.dataset.refresh);
  let left = 200;
  let paused = false;

  const button = document.createElement("button");
  button.type = "button";
  button.className = "button button-quiet live-pause";
  const label = () => { button.textContent = paused ? "Go on updating" : "Pause updating"; };
  button.addEventListener("click", () => { paused = !paused; label(); });
  label();
  // Before the last part: that is where what is waited for appears.
  if (ids.length > 0) { document.getElementById(ids[ids.length - 1]).before(button); }

  const replaceParts = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) { return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.dispatchEvent(new CustomEvent("portal:page", { detail: page }));
    for (const part of waiting()) {
      const fresh = page.getElementById(part.id);
      // Not under somebody's hands; its turn comes again.
      if (fresh && !part.contains(document.activeElement)) { part.replaceWith(document.adoptNode(fresh)); }
    }
  };

  const soon = () => Math.min(...waiting().map((part) => Number(part.dataset.refresh) || 5)) * 1000;

  const turn = async () => {
    // Not for nobody.
    if (!paused && !document.hidden) {
      left -= 1;
      try {
        await replaceParts();
      } catch {
        // The portal is away for a moment; the next turn asks again.
      }
    }
    if (waiting().length === 0 || left <= 0) { button.remove(); return; }
    setTimeout(turn, soon());
  };
  if (ids.length > 0) { setTimeout(turn, soon()); }
}
