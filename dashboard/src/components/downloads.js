import { h } from "../dom.js";
import { csvMetadata, fileName, save, toCsv, toGeoJson } from "../files.js";
import { provenance } from "../provenance.js";

// What the table shows, all pages of it, as files.
export function downloads(context, { name, title, columns, tables, geometry, rows }) {
  const { t } = context;
  const hasGeometry = rows.some(geometry);
  const stem = fileName(context, name, columns);
  const origin = () => provenance(context, tables);
  const csv = () => save(`${stem}.csv`, "text/csv", toCsv(context, columns, rows));
  const metadata = () =>
    save(
      `${stem}.csv-metadata.json`,
      "application/csvm+json",
      csvMetadata(context, { title, url: `${stem}.csv`, columns, rows, origin: origin() }),
    );
  const geoJson = () =>
    save(
      `${stem}.geojson`,
      "application/geo+json",
      toGeoJson(context, title, columns, rows, origin(), geometry),
    );
  const button = (kind, action) =>
    h(
      "button",
      { type: "button", "aria-label": t(`download.${kind}_of`, { table: title }), onclick: action },
      t(`download.${kind}`),
    );
  return [
    h("span", { class: "muted" }, t("download.label", { rows: t("table.rows", { n: rows.length }) })),
    button("csv", csv),
    button("metadata", metadata),
    hasGeometry && button("geojson", geoJson),
  ];
}
