// Keeps the parts of a page marked data-live as the server has them: often while work is going on.
"use strict";

const ACTIVE_MS = 1500;
const QUIET_MS = 8000;
const PAGE = document.currentScript.dataset.page; // after a refused form, not where the browser is

async function fresh() {
  const answer = await fetch(PAGE, { redirect: "manual", cache: "no-store" });
  if (!answer.ok) {
    location.assign(PAGE);
    return null;
  }
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function renew(part, now) {
  if (now === null || now.innerHTML === part.innerHTML) {
    return;
  }
  const focused = part.contains(document.activeElement) ? document.activeElement.href : null;
  part.replaceChildren(...document.importNode(now, true).childNodes);
  if (focused) {
    [...part.querySelectorAll("a")].find((link) => link.href === focused)?.focus();
  }
}

async function follow() {
  try {
    const page = document.hidden ? null : await fresh();
    if (page !== null) {
      for (const part of document.querySelectorAll("[data-live]")) {
        renew(part, page.getElementById(part.id));
      }
    }
  } catch {
    // The server is away for a moment; what is shown stays.
  }
  const active = document.querySelector("[data-active]") !== null;
  setTimeout(follow, active ? ACTIVE_MS : QUIET_MS);
}

setTimeout(follow, ACTIVE_MS);
