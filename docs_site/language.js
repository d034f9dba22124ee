// The language that somebody reads in, kept on the way through pages that are in English alone: the home page
// and the dashboard are in both. What a link or the reader chose comes first, then what the browser prefers.
(() => {
  const KEY = "paris-colleges-language";
  const { root, home } = document.currentScript.dataset;
  const isSpoken = (language) => ["fr", "en"].includes(language);
  const asked = new URLSearchParams(location.search).get("lang");
  const preferred = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find(isSpoken);
  let kept = null;
  try {
    kept = localStorage.getItem(KEY);
  } catch {
    // a browser that keeps nothing still has a preference
  }
  const chosen = home === "en" ? "en" : [asked, kept, preferred].find(isSpoken);
  if (home === "fr" && chosen === "en") return location.replace(`${root}en/index.html`);
  const language = chosen ?? "fr";
  try {
    if (home) localStorage.setItem(KEY, home);
  } catch {
    // as above
  }
  document.documentElement.dataset.language = language;
  addEventListener("DOMContentLoaded", () => {
    for (const link of document.querySelectorAll('a[href*="dashboard/index.html#"]'))
      link.setAttribute("href", link.getAttribute("href").replace(/lang=\w+/, `lang=${language}`));
    if (home || language === "en") return;
    for (const link of document.querySelectorAll("a.home")) link.href = `${root}index.html?lang=fr`;
  });
  return undefined;
})();
