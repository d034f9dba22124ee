import { h } from "../dom.js";
import { save, toCsv, toGeoJson } from "../files.js";
import { provenance } from "../provenance.js";

// What the table shows, all pages of it, as files.
export function downloads(context, { name, title, columns, tables, geometry, rows }) {
  const { t, store } = context;
  const fileName = (extension) => {
    const year = context.state().params.year ?? store.latestYear;
    return `paris-colleges_${store.isSynthetic ? "SYNTHETIC_" : ""}${name}_${year}.${extension}`;
  };
  const csv = () =>
    save(fileName("csv"), "text/csv", toCsv(context, title, columns, rows, provenance(context, tables)));
  const geoJson = () =>
    save(
      fileName("geojson"),
      "application/geo+json",
      toGeoJson(context, title, columns, rows, provenance(context, tables), geometry),
    );
  return [
    h("span", { class: "muted" }, t("download.label", { rows: t("table.rows", { n: rows.length }) })),
    h(
      "button",
      { type: "button", "aria-label": t("download.csv_of", { table: title }), onclick: csv },
      t("download.csv"),
    ),
    h(
      "button",
      { type: "button", "aria-label": t("download.geojson_of", { table: title }), onclick: geoJson },
      t("download.geojson"),
    ),
  ];
}
