// Tables as files. A CSV holds nothing but the table, so that a spreadsheet opens it with a double click;
// its source, licence, attribution and dates stand in a metadata file of the same name beside it.

const LOOKS = ["lang", "measure", "zoom", "c"];

// Named for what it holds: the table, the year or that columns are of their latest, and every filter.
export function fileName({ state, store, t, language }, name, columns = []) {
  const { params } = state();
  const filters = Object.entries(params)
    .filter(([key]) => !LOOKS.includes(key) && key !== "year" && (!key.includes(".") || key === `${name}.q`))
    .map(([key, value]) => (/^arrs?$/.test(key) ? `arrondissement-${value}` : value));
  return [
    "paris-colleges",
    store.isSynthetic && "SYNTHETIC",
    name,
    params.year ?? (columns.some(({ note }) => note) && t("file.latest")),
    ...filters,
    language === "en" && "en",
  ]
    .filter(Boolean)
    .map((part) => part.replace(/[^\p{L}\p{N}-]+/gu, "-").slice(0, 60))
    .join("_");
}

// With its year, where the columns are of different ones.
const columnName = ({ key, note }) => [key, note?.()].filter(Boolean).join("_");

// RFC 4180 but for the semicolon, which spreadsheets set to French expect, as they do the decimal comma.
export function toCsv({ language }, columns, rows) {
  const lines = [
    columns
      .map(columnName)
      .map((name) => field(name))
      .join(";"),
    ...rows.map((row) =>
      columns.map((column) => field((column.file ?? column.value)(row), language)).join(";"),
    ),
  ];
  // The byte order mark tells spreadsheets that this is UTF-8.
  return `\uFEFF${lines.join("\r\n")}\r\n`;
}

// CSV on the Web, as the documentation site writes it for its files.
export function csvMetadata({ t, language }, { title, url, columns, rows, origin }) {
  return JSON.stringify(
    {
      "@context": ["http://www.w3.org/ns/csvw", { "@language": language }],
      url,
      "dc:title": title,
      ...(origin.isSynthetic && { "dc:description": t("file.synthetic") }),
      "dc:creator": origin.attribution,
      "dc:license": licenceText(t, origin),
      "dc:rights": origin.otherLicences.map(({ name, url: at }) =>
        t("file.contains", { licence: `${name} ${at}` }),
      ),
      "dc:source": origin.sources.map((source) => origin.describe(source)),
      "dc:issued": origin.exportedAt,
      "schema:numberOfItems": rows.length,
      dialect: { delimiter: ";", encoding: "utf-8" },
      tableSchema: {
        columns: columns.map((column) => ({
          name: columnName(column),
          titles: column.label,
          ...(column.note?.() && { "dc:coverage": column.note() }),
          ...(rows.some((row) => typeof column.value(row) === "number") &&
            language === "fr" && { datatype: { base: "number", format: { decimalChar: "," } } }),
        })),
      },
    },
    null,
    2,
  );
}

// RFC 7946; members of the collection beyond the standard's carry the provenance.
export function toGeoJson({ t }, title, columns, rows, origin, geometry) {
  return JSON.stringify({
    type: "FeatureCollection",
    name: title,
    ...(origin.isSynthetic && { warning: t("file.synthetic") }),
    sources: origin.sources.map((source) => ({
      publisher: source.publisher,
      title: source.title,
      url: source.url,
      licence: source.licence,
      licence_url: source.licence_url,
      extracted_at: source.extracted_at,
      portal_data_processed_at: source.portal_data_processed_at,
    })),
    attribution: origin.attribution,
    licence: licenceText(t, origin),
    exported_at: origin.exportedAt,
    features: rows.map((row) => ({
      type: "Feature",
      geometry: geometry(row),
      properties: Object.fromEntries(columns.map((column) => [columnName(column), column.value(row)])),
    })),
  });
}

const licenceText = (t, { licence, isShareAlike }) =>
  licence ? `${licence.name} ${licence.url}${isShareAlike ? ` (${t("file.share_alike")})` : ""}` : "";

function field(value, language) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" && language === "fr") return String(value).replace(".", ",");
  if (typeof value !== "string") return String(value);
  // A spreadsheet would run text that begins like this as a formula.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[";\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  link.click();
  URL.revokeObjectURL(url);
}
