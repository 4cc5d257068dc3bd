// Live pages: the server says when something changed, and the parts marked data-live are fetched again. Without this file
// a page says so and is loaded by hand.
"use strict";

if (document.querySelector("[data-live][id]") && "EventSource" in window) {
  let source = null;
  let paused = false;
  let ended = false;
  let timer = null;
  let last = Date.now();
  // Fetching a page counts as using the session, so it waits while nobody is there: the session must be able to end.
  const AWAY = 10 * 60 * 1000;
  let touched = Date.now();
  let missed = false;
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart"]) {
    window.addEventListener(kind, () => {
      touched = Date.now();
      if (missed) { missed = false; soon(); }
    }, { passive: true });
  }

  // Not more often than every four seconds, however much happens: whoever looks sees it grow, and the portal has other work.
  const soon = () => {
    if (timer || paused || ended) { return; }
    timer = setTimeout(refresh, Math.max(0, 4000 - (Date.now() - last)));
  };

  const refresh = async () => {
    timer = null;
    last = Date.now();
    if (paused || ended || document.hidden) { return; }
    if (Date.now() - touched > AWAY) { missed = true; return; }
    const ids = Array.from(document.querySelectorAll("[data-live][id]"), (part) => part.id);
    // Not under somebody's hands.
    if (ids.some((id) => document.getElementById(id).contains(document.activeElement))) { soon(); return; }
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) { ended = true; close(); return; }
      if (!answer.ok) { return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.dispatchEvent(new CustomEvent("portal:page", { detail: page }));
      for (const id of ids) {
        const fresh = page.getElementById(id);
        if (fresh) { document.getElementById(id).replaceWith(document.adoptNode(fresh)); }
      }
    } catch {
      // The portal is away for a moment; the next event asks again.
    }
  };

  const close = () => { source?.close(); source = null; };

  const open = () => {
    if (source || paused || ended || document.hidden) { return; }
    source = new EventSource("/sync-status/events");
    source.addEventListener("changed", soon);
    source.addEventListener("progress", (event) => {
      const place = document.getElementById("progress");
      if (!place) { soon(); return; }
      const page = new DOMParser().parseFromString(event.data, "text/html");
      place.replaceChildren(...Array.from(page.body.childNodes, (node) => document.adoptNode(node)));
    });
    source.addEventListener("error", () => {
      // Too many listen, or nobody is signed in any more: ask by time, and learn from the answer.
      if (source?.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(() => { soon(); open(); }, 20000);
      }
    });
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); } else { touched = Date.now(); soon(); open(); }
  });
  // A page that is kept for the Back button must not keep its connection.
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);

  const place = document.querySelector("[data-live-switch]");
  if (place) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button button-quiet";
    const label = () => { button.textContent = paused ? "Go on updating" : "Pause updating"; };
    button.addEventListener("click", () => {
      paused = !paused;
      label();
      if (paused) { close(); } else { last = 0; soon(); open(); }
    });
    label();
    place.append(button);
  }
  open();
}
