// Parts that wait for work elsewhere ask for themselves again. Without this file a page says so and is loaded by hand.
"use strict";

for (const id of Array.from(document.querySelectorAll("[data-refresh][id]"), (part) => part.id)) {
  let left = 200;
  let paused = false;

  const button = document.createElement("button");
  button.type = "button";
  button.className = "button button-quiet live-pause";
  const label = () => { button.textContent = paused ? "Go on updating" : "Pause updating"; };
  button.addEventListener("click", () => { paused = !paused; label(); });
  label();
  document.getElementById(id).before(button);

  const turn = async () => {
    const part = document.getElementById(id);
    if (!part || !part.dataset.refresh || left <= 0) { button.remove(); return; }
    // Not under somebody's hands, and not for nobody.
    if (!paused && !document.hidden && !part.contains(document.activeElement)) {
      left -= 1;
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.ok && !answer.redirected) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const fresh = page.getElementById(id);
          if (fresh) { part.replaceWith(document.adoptNode(fresh)); }
        }
      } catch {
        // The portal is away for a moment; the next turn asks again.
      }
    }
    const seconds = Number(document.getElementById(id)?.dataset.refresh) || 5;
    setTimeout(turn, seconds * 1000);
  };
  setTimeout(turn, (Number(document.getElementById(id).dataset.refresh) || 5) * 1000);
}
