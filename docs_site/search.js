// The site's search: a combobox over window.searchIndex, which is loaded at the first key.
(() => {
  const form = document.querySelector("form.search");
  const input = form.querySelector("input");
  const list = form.querySelector("ul");
  const said = form.querySelector("[role=status]");
  const root = form.dataset.root;
  const words = form.dataset;
  const MOST = 12;
  // Names before words of explanation; of equals, the kinds in this order.
  const KINDS = ["page", "table", "collège", "column", "document", "model"];
  const { lang, dataset } = document.documentElement;
  const kindNames = lang === "fr" ? { column: "colonne", model: "modèle" } : {};
  let index;
  let active = -1;

  form.hidden = false;

  const plain = (text) =>
    text
      .normalize("NFD")
      .replace(/[\u0300-\u036f]/g, "")
      .toLowerCase();

  function load() {
    index ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${root}search-index.js`;
      script.onload = () =>
        resolve(
          window.searchIndex.map(([kind, name, text, href]) => ({
            kind,
            name,
            text,
            href,
            plainName: plain(name),
            plainText: plain(text),
          })),
        );
      script.onerror = reject;
      document.head.append(script);
    });
    return index;
  }

  // Smaller is better; Infinity where a word is found nowhere.
  function rank(entry, wanted) {
    let total = KINDS.indexOf(entry.kind) / 10;
    for (const word of wanted) {
      const at = entry.plainName.indexOf(word);
      if (at === 0) total += entry.plainName.length === word.length ? -2 : 0;
      else if (at > 0) total += /[\s_.:-]/.test(entry.plainName[at - 1]) ? 1 : 3;
      else if (entry.plainText.includes(word)) total += 6;
      else return Infinity;
    }
    return total + entry.plainName.length / 1000;
  }

  function show(found, total) {
    active = -1;
    input.removeAttribute("aria-activedescendant");
    list.replaceChildren(
      ...found.map(({ kind, name, text, href }, i) => {
        const item = document.createElement("li");
        item.id = `found-${i}`;
        item.setAttribute("role", "option");
        const link = document.createElement("a");
        link.href = root + href.replace(/lang=en$/, `lang=${dataset.language ?? lang}`);
        link.tabIndex = -1;
        const label = document.createElement("span");
        label.className = "kind";
        label.textContent = kindNames[kind] ?? kind;
        const title = document.createElement("strong");
        title.textContent = name;
        link.append(label, " ", title);
        if (text) {
          const what = document.createElement("span");
          what.className = "what";
          what.textContent = text;
          link.append(what);
        }
        item.append(link);
        return item;
      }),
    );
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", String(found.length > 0));
    said.textContent = !input.value.trim()
      ? ""
      : total
        ? `${total} ${total === 1 ? words.one : words.many}`
        : words.none;
  }

  async function search() {
    const wanted = plain(input.value).split(/\s+/).filter(Boolean);
    if (!wanted.length) return show([], 0);
    const typed = input.value;
    const entries = await load();
    if (input.value !== typed) return undefined; // a later key is on its way
    const found = entries
      .map((entry) => [rank(entry, wanted), entry])
      .filter(([rank]) => rank < Infinity)
      .sort(([a], [b]) => a - b);
    return show(
      found.slice(0, MOST).map(([, entry]) => entry),
      found.length,
    );
  }

  function choose(next) {
    const items = [...list.children];
    if (!items.length) return;
    items[active]?.removeAttribute("aria-selected");
    active = (next + items.length) % items.length;
    items[active].setAttribute("aria-selected", "true");
    items[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[active].id);
  }

  input.addEventListener("input", search);
  input.addEventListener("focus", load);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(active + 1);
    else if (event.key === "ArrowUp") choose(active < 0 ? -1 : active - 1);
    else if (event.key === "Escape") {
      input.value = "";
      show([], 0);
    } else return;
    event.preventDefault();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await search();
    list.children[Math.max(active, 0)]?.querySelector("a").click();
  });
  document.addEventListener("click", (event) => {
    if (!form.contains(event.target)) show([], 0);
  });
})();
