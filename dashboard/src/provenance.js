// Where a table comes from and under which terms, for the page and for every file that leaves it.

const SHARE_ALIKE = "Open Database License (ODbL) 1.0";

export function provenance({ store, t, language }, tables) {
  const sources = store.sources(tables).filter((source) => source.extracted_at);
  const licences = [...new Map(sources.map((source) => [source.licence, source.licence_url]))].map(
    ([name, url]) => ({ name, url }),
  );
  // A database that descends from an ODbL one is under the ODbL as a whole.
  const licence = licences.find(({ name }) => name === SHARE_ALIKE) ?? licences[0];
  return {
    language,
    isSynthetic: store.isSynthetic,
    exportedAt: store.document.exported_at,
    sources,
    licence,
    isShareAlike: licence?.name === SHARE_ALIKE,
    otherLicences: licences.filter((other) => other !== licence),
    attribution: [...new Set(sources.map((source) => source.publisher))].join(" ; "),
    describe: (source) =>
      [
        `${source.publisher}, « ${source.title} », ${source.url}`,
        t("file.extracted", { date: source.extracted_at }),
        source.portal_data_processed_at && t("file.processed", { date: source.portal_data_processed_at }),
        `${source.licence} ${source.licence_url}`,
      ]
        .filter(Boolean)
        .join(", "),
  };
}
