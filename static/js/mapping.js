// The example of a mapping while it is being written: asks the same route as the button “Show example”.
"use strict";

for (const form of document.querySelectorAll("form[data-live-example]")) {
  let timer = 0;
  let asked = 0;

  const ask = async () => {
    const turn = ++asked;
    const body = new URLSearchParams(new FormData(form));
    body.set("example", "yes");
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
      if (!answer.ok || turn !== asked) { return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("example");
      const shown = document.getElementById("example");
      if (fresh && shown && turn === asked) { shown.replaceChildren(...document.adoptNode(fresh).childNodes); }
    } catch {
      // The portal is away for a moment; the next letter asks again.
    }
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 500); });

  // What is picked moves into the fields below, where it can be seen and changed.
  const pick = form.elements.source_pick;
  pick?.addEventListener("change", () => {
    const at = pick.value.indexOf(":");
    if (at < 0) { return; }
    form.elements.source_kind.value = pick.value.slice(0, at);
    form.elements.source_key.value = pick.value.slice(at + 1);
    pick.value = "";
  });
}
