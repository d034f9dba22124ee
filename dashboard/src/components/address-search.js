// The search in the head of every view: an address first, a collège's name, a postcode. Nothing typed
// leaves the browser, nor does it enter the page's address.
import { plain, readAddress } from "../address.js";
import { collegeSearch, hitText } from "./search.js";
import { h } from "../dom.js";

const KINDS =
  /^(RUE|R|AVENUE|AV|BOULEVARD|BD|PLACE|PL|SQUARE|PASSAGE|IMPASSE|VILLA|QUAI|ALLEE|CITE|COURS?)\b/;

export function addressSearch(context, { id, label }) {
  const { t, store, sectors } = context;

  function ask(text) {
    store.asked = { text, point: null };
    search.clear();
    if (context.state().view === "sector") context.change({}, { isPassing: true });
    else location.hash = context.link("sector");
  }

  const hit = (text) =>
    h("a", { href: context.link("sector"), onclick: (event) => (event.preventDefault(), ask(text)) }, text);

  const looksLikeAddress = (query, address) =>
    Boolean(address.street) && (address.number !== null || KINDS.test(plain(query)));

  // What the index makes of the text: the street as typed, else the likely ones.
  function addressHits(query) {
    const streets = sectors.streetsNow;
    if (!streets) return [];
    const address = readAddress(query);
    const named = streets.named(address);
    const found = named.length || !looksLikeAddress(query, address) ? named : streets.like(address);
    const number =
      address.number === null
        ? ""
        : `${address.number}${address.repetition ? ` ${address.repetition}` : ""} `;
    return found
      .slice(0, 5)
      .map((street) => hit(`${number}${street.name}, 750${String(street.arrondissement).padStart(2, "0")}`));
  }

  const search = collegeSearch(context, {
    id,
    label,
    placeholder: t(sectors.isHeld ? "search.address_placeholder" : "search.placeholder"),
    choose: (college) =>
      h(
        "a",
        { href: context.link("college", college.college_id), onclick: () => search.clear() },
        hitText(context, college),
      ),
    before: addressHits,
    ready: () => (sectors.isHeld ? sectors.streets() : null),
    // An address that no street of the index bears gets its answer there: the likely ones.
    otherwise: (query) => sectors.isHeld && looksLikeAddress(query, readAddress(query)) && ask(query.trim()),
  });
  return search;
}
