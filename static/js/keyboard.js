// Keyboard shortcuts, for people who did not switch them off under My account. Every page works without this file.
"use strict";

if (document.body.hasAttribute("data-shortcuts")) {
  const places = { d: "/dashboard", l: "/leads", s: "/form-submissions", y: "/sync-status", f: "/forms", a: "/linkedin-accounts", p: "/linkedin-user-profiles", m: "/settings/field-mappings" };
  const menu = () => Array.from(document.querySelectorAll(".menu-group a"));
  const rows = () => Array.from(document.querySelectorAll("main tbody tr")).filter((row) => row.querySelector("a[href]"));
  let at = -1;
  let wantsPlace = false;

  const choose = (step) => {
    const all = rows();
    if (all.length === 0) { return; }
    all[at]?.classList.remove("is-current");
    at = Math.min(Math.max(at + step, 0), all.length - 1);
    all[at].classList.add("is-current");
    all[at].querySelector("th a[href], a[href]").focus();
    all[at].scrollIntoView({ block: "nearest" });
  };

  const help = () => {
    let dialog = document.getElementById("shortcuts");
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.id = "shortcuts";
      dialog.setAttribute("aria-labelledby", "shortcuts-heading");
      const heading = document.createElement("h2");
      heading.id = "shortcuts-heading";
      heading.textContent = "Keyboard shortcuts";
      const list = document.createElement("dl");
      list.className = "shortcuts";
      const line = (keys, text) => {
        const term = document.createElement("dt");
        for (const key of keys.split(" ")) {
          const sign = document.createElement("kbd");
          sign.textContent = key;
          term.append(sign, " ");
        }
        const meaning = document.createElement("dd");
        meaning.textContent = text;
        list.append(term, meaning);
      };
      line("/", "Search");
      line("j", "Next row of the list");
      line("k", "Row before it");
      line("Enter", "Open the row");
      line("x", "Choose the row, where rows can be chosen");
      for (const [key, path] of Object.entries(places)) {
        const link = menu().find((one) => one.getAttribute("href") === path);
        if (link) { line(`g ${key}`, link.textContent.trim()); }
      }
      line("?", "This list");
      const where = document.createElement("p");
      where.className = "quiet";
      where.append("They can be switched off under ");
      const account = document.createElement("a");
      account.href = "/account";
      account.textContent = "My account";
      where.append(account, ".");
      const form = document.createElement("form");
      form.method = "dialog";
      const close = document.createElement("button");
      close.className = "button";
      close.textContent = "Close";
      form.append(close);
      dialog.append(heading, list, where, form);
      document.body.append(dialog);
    }
    if (!dialog.open) { dialog.showModal(); }
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) { return; }
    if (event.target.closest?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]")) { return; }
    const { key } = event;
    if (wantsPlace) {
      wantsPlace = false;
      const path = places[key];
      if (path && menu().some((one) => one.getAttribute("href") === path)) { event.preventDefault(); location.assign(path); }
      return;
    }
    if (key === "?") { event.preventDefault(); help(); }
    else if (key === "/") {
      const field = document.querySelector("main input[type=search]") ?? document.querySelector("input[type=search]");
      if (field) { event.preventDefault(); field.focus(); field.select(); }
    }
    else if (key === "j") { choose(1); }
    else if (key === "k") { choose(-1); }
    else if (key === "x") { rows()[at]?.querySelector("td.choose input")?.click(); }
    else if (key === "g") { wantsPlace = true; setTimeout(() => { wantsPlace = false; }, 1500); }
  });
}
