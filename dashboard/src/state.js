// The address is the whole state: "#/map?year=2018-2019&measure=ips", "#/college/c0123456789ab".

export const VIEWS = [
  "map",
  "sector",
  "arrondissements",
  "compare",
  "distances",
  "changes",
  "anomalies",
  "college",
  "sources",
];

export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view, id = null] = path.split("/");
  const known = VIEWS.includes(view) && (view === "college") === Boolean(id);
  return {
    view: known ? view : "map",
    id: known ? id : null,
    params: Object.fromEntries(new URLSearchParams(query)),
  };
}

export function format({ view, id, params }) {
  const given = Object.entries(params).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const query = new URLSearchParams(given).toString();
  return `#/${view}${id ? `/${id}` : ""}${query ? `?${query}` : ""}`;
}

// What a link to another view takes along: how the page is read, not what is looked at.
const SHARED = ["lang", "year", "measure"];

export function linkTo(state, view, id = null, params = {}) {
  const shared = Object.fromEntries(SHARED.map((name) => [name, state.params[name]]));
  return format({ view, id, params: { ...shared, ...params } });
}
