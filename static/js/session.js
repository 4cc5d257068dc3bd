// Warns some minutes before the session ends. Without this file the next click leads to the sign-in page, as ever.
"use strict";

{
  const MINUTE = 60 * 1000;
  const WARN_BEFORE = 5 * MINUTE;

  const notice = document.getElementById("session-notice");
  const text = notice.querySelector("[role=alert]");
  const form = notice.querySelector("form");
  const signIn = notice.querySelector("a");
  const dismiss = notice.querySelector("button[type=button]");
  const others = "BroadcastChannel" in window ? new BroadcastChannel("leadgen-session") : null;

  let endsAt = 0;
  let isFinal = false;
  let shown = "";
  let dismissed = "";

  // The portal's clock says how much time is left; the browser's may be wrong.
  const read = (part) => {
    const left = Date.parse(part.dataset.endsAt) - Date.parse(part.dataset.now);
    endsAt = Date.now() + left;
    isFinal = "final" in part.dataset;
  };

  // Each stage is said once: somebody who listens is not to hear every minute.
  const stageOf = (left) => {
    if (left <= 0) { return "over"; }
    if (left <= MINUTE) { return "last"; }
    return left <= WARN_BEFORE ? "soon" : "";
  };

  const sentence = (stage) => {
    if (stage === "over") { return "Your session has ended. Copy what you typed and want to keep, then sign in again."; }
    const minutes = Math.max(1, Math.ceil((endsAt - Date.now()) / MINUTE));
    const when = minutes === 1 ? "in less than a minute" : `in about ${minutes} minutes`;
    return isFinal
      ? `You will be signed out ${when}, because the session has lasted as long as one may. Save your work, then sign in again.`
      : `You will be signed out ${when}, because nothing was opened for a while. What is not saved would be lost.`;
  };

  const look = () => {
    const stage = stageOf(endsAt - Date.now());
    if (stage === shown || stage === dismissed) { return; }
    shown = stage;
    notice.hidden = stage === "";
    if (stage === "") { dismissed = ""; return; }
    form.hidden = isFinal || stage === "over";
    signIn.hidden = stage !== "over";
    text.textContent = sentence(stage);
  };

  const close = () => {
    const hadFocus = notice.contains(document.activeElement);
    notice.hidden = true;
    if (hadFocus) { document.getElementById("content").focus({ preventScroll: true }); }
  };

  const extended = (part) => {
    read(part);
    shown = "";
    dismissed = "";
    look();
    if (shown === "") { close(); }
  };

  dismiss.addEventListener("click", () => { dismissed = shown; shown = ""; close(); });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let part = null;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        part = page.getElementById("session-notice");
      }
    } catch {
      // Said below.
    }
    form.querySelector("button").disabled = false;
    if (part) {
      extended(part);
      others?.postMessage({ left: endsAt - Date.now(), isFinal });
    } else {
      text.textContent = "The portal did not answer. Try again, or save your work now.";
    }
  });

  // Other pages of the same person, and parts of this one that ask for themselves, put off the end, too.
  document.addEventListener("portal:page", (event) => {
    const part = event.detail.getElementById("session-notice");
    if (part) { extended(part); }
  });
  others?.addEventListener("message", (event) => {
    endsAt = Date.now() + event.data.left;
    isFinal = event.data.isFinal;
    shown = "";
    dismissed = "";
    look();
    if (shown === "") { close(); }
  });

  read(notice);
  others?.postMessage({ left: endsAt - Date.now(), isFinal });
  look();
  setInterval(look, 5000);
}
