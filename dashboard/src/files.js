// Tables as files. A file carries its source, licence, attribution and extraction date inside.

// RFC 4180 after a few lines of provenance that begin with "#", as comments usually do.
export function toCsv({ t }, title, columns, rows, origin) {
  const notes = [
    ...(origin.isSynthetic ? [t("file.synthetic")] : []),
    `${t("file.table")}: ${title}`,
    ...origin.sources.map((source) => `${t("provenance.source")}: ${origin.describe(source)}`),
    `${t("file.attribution")}: ${origin.attribution}`,
    `${t("file.licence")}: ${licenceText(t, origin)}`,
    ...origin.otherLicences.map(({ name, url }) => t("file.contains", { licence: `${name} ${url}` })),
    `${t("file.exported")}: ${origin.exportedAt}`,
  ];
  const lines = [
    ...notes.map((note) => `# ${note.replace(/[\r\n]+/g, " ")}`),
    columns.map((column) => field(column.key)).join(","),
    ...rows.map((row) => columns.map((column) => field(column.value(row))).join(",")),
  ];
  // The byte order mark tells spreadsheets that this is UTF-8.
  return `\uFEFF${lines.join("\r\n")}\r\n`;
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
      properties: Object.fromEntries(columns.map((column) => [column.key, column.value(row)])),
    })),
  });
}

const licenceText = (t, { licence, isShareAlike }) =>
  licence ? `${licence.name} ${licence.url}${isShareAlike ? ` (${t("file.share_alike")})` : ""}` : "";

function field(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  // A spreadsheet would run text that begins like this as a formula.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  link.click();
  URL.revokeObjectURL(url);
}
