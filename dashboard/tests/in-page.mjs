// What runs within the page, before any script of it: short ways to use it as a reader does, with one way in and
// back for many of them. Files and copied text are kept rather than handed to the browser, which is tested once,
// in browser.test.mjs.
export function inPage() {
  const squeezed = (text) => text.replace(/\s+/g, " ").trim();
  const first = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];

  const saved = [];
  let pending;
  URL.createObjectURL = (blob) => ((pending = blob), "blob:kept");
  const click = HTMLAnchorElement.prototype.click;
  HTMLAnchorElement.prototype.click = function () {
    if (this.download) saved.push({ name: this.download, blob: pending });
    else click.call(this);
  };
  let copied = "";
  Object.defineProperty(navigator, "clipboard", {
    value: { writeText: async (text) => void (copied = text) },
  });

  const send = (element, ...types) =>
    types.forEach((type) => element.dispatchEvent(new Event(type, { bubbles: true })));

  window.ask = {
    squeezed,
    first,
    all,
    texts: (selector) => all(selector).map((element) => squeezed(element.textContent)),
    isShown: (selector) => first(selector)?.checkVisibility() ?? false,
    click(selector) {
      first(selector).dispatchEvent(new MouseEvent("click", { bubbles: true }));
    },
    choose(id, value) {
      const element = document.getElementById(id);
      element.value = value;
      send(element, "input", "change");
    },
    press(key) {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
      document.activeElement.dispatchEvent(event);
    },
    rows: (table) =>
      Number(
        squeezed(first(`#${table}-table output`).textContent)
          .split("·")[0]
          .replace(/\D/g, ""),
      ),
    // What a click on a button saves: its name, its first bytes and, of text, all of it.
    async file(button) {
      saved.length = 0;
      button.click();
      for (let waited = 0; !saved.length && waited < 500; waited += 1)
        await new Promise((later) => setTimeout(later, 20));
      const [{ name, blob }] = saved;
      const bytes = [...new Uint8Array(await blob.slice(0, 4).arrayBuffer())];
      return { name, bytes, size: blob.size, text: /png/.test(blob.type) ? "" : await blob.text() };
    },
    async copy(button) {
      copied = "";
      button.click();
      await null;
      return copied;
    },
    collisions,
    cut,
  };

  // Every piece of text that is seen, with the boxes of its lines.
  function pieces() {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    const hidden = ".visually-hidden, .skip, noscript, option, dialog:not([open]), .tip";
    while (walker.nextNode()) {
      const node = walker.currentNode;
      const element = node.parentElement;
      if (!node.data.trim() || element.closest(hidden)) continue;
      if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      range.selectNodeContents(node);
      const frame = element.closest(".scroll, .life-years")?.getBoundingClientRect();
      for (const box of range.getClientRects()) {
        if (box.width < 1 || (frame && (box.left >= frame.right || box.right <= frame.left))) continue;
        found.push({ element, box, isFramed: Boolean(frame), text: node.data.trim().slice(0, 40) });
      }
    }
    return found;
  }

  // Texts that lie on each other. Boxes are as high as their font asks, so that those of two lines may touch.
  function collisions() {
    const found = pieces().sort((one, other) => one.box.top - other.box.top);
    const pairs = [];
    found.forEach((one, place) => {
      for (const other of found.slice(place + 1)) {
        if (other.box.top >= one.box.bottom) break;
        const width = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        const height = Math.min(one.box.bottom, other.box.bottom) - other.box.top;
        if (width > 2 && height > 0.4 * Math.min(one.box.height, other.box.height))
          pairs.push(`${one.text} / ${other.text}`);
      }
    });
    return pairs;
  }

  // Texts that go on where nobody sees them: beyond the page, beyond a figure, beyond a field.
  function cut() {
    const width = document.documentElement.clientWidth;
    const beyond = pieces().filter(({ element, box, isFramed }) => {
      const svg = element.closest("svg");
      if (svg && getComputedStyle(svg).overflow !== "visible") {
        const frame = svg.getBoundingClientRect();
        return !svg.closest(".map") && (box.left < frame.left - 2 || box.right > frame.right + 2);
      }
      return !isFramed && (box.right > width + 1 || box.left < -1);
    });
    const brush = document.createElement("canvas").getContext("2d");
    const hints = all("input[placeholder]").filter((input) => {
      const style = getComputedStyle(input);
      brush.font = `${style.fontSize} ${style.fontFamily}`;
      const room = input.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
      return input.checkVisibility() && brush.measureText(input.placeholder).width > room;
    });
    return [...beyond.map(({ text }) => text), ...hints.map((input) => input.placeholder)];
  }
}
