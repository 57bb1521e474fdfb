"use strict";
// Without this script the page asks for itself by <meta http-equiv=refresh>.
const EVERY_MS = 2000;

function update(fresh) {
  const old = document.querySelector("main");
  const ids = (one) => [...one.children].map((child) => child.id).join();
  if (ids(old) !== ids(fresh)) {
    old.replaceWith(fresh);
    return;
  }
  // What is unchanged stays, with what the reader has selected or scrolled to there.
  [...fresh.children].forEach((child, index) => {
    const shown = old.children[index];
    if (!shown.isEqualNode(child)) shown.replaceWith(child);
  });
}

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, {
        cache: "no-store",
        signal: AbortSignal.timeout(10000),
      });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = page.title;
      update(document.adoptNode(page.querySelector("main")));
      document.body.classList.remove("lost");
    } catch {
      document.body.classList.add("lost");
    }
  }
  setTimeout(refresh, EVERY_MS);
}

setTimeout(refresh, EVERY_MS);
