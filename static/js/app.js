// Enhancements only: every page works without this file.
"use strict";

// On narrow screens the menu begins closed; without scripts it is open.
for (const menu of document.querySelectorAll("details.menu")) {
  const wide = window.matchMedia("(min-width: 60rem)");
  const follow = () => { menu.open = wide.matches; };
  follow();
  wide.addEventListener("change", follow);
}

// A form that is sent twice by a double click would only meet its own change.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button[type=submit]")) {
      setTimeout(() => { button.disabled = true; }, 0);
    }
  });
}

// Somebody who comes back with the browser's Back button finds usable buttons.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[disabled][type=submit]")) {
    button.disabled = false;
  }
});

// The summary of errors is what to read first.
document.querySelector(".error-summary")?.focus();
