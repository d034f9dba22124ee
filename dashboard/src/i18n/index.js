import en from "./en.js";
import fr from "./fr.js";

export const LANGUAGES = { fr, en };
const LOCALES = { fr: "fr-FR", en: "en-GB" };

export const otherLanguage = (language) => (language === "fr" ? "en" : "fr");

// The one the address asks for, else the first of the browser's that the page speaks, else French.
export function chosenLanguage(params, preferred = globalThis.navigator?.languages ?? []) {
  if (LANGUAGES[params.lang]) return params.lang;
  return preferred.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => LANGUAGES[tag]) ?? "fr";
}

// No-break spaces where French wants them, so that no line begins with a colon or ends with «.
export const frenchSpaces = (text) =>
  text
    .replace(/ (?=[:;!?»%])/g, "\u00a0")
    .replace(/« /g, "«\u00a0")
    .replace(/(\d) (?=\d{3}\b)/g, "$1\u202f");

// A minus is longer than a hyphen; a unit stays with its number.
const typographic = (text) => text.replace(/^-(?=\d)/, "\u2212");

// What a language says: t(key, {n: 3}), and numbers, dates and ordinals in its manner.
export function createLanguage(language) {
  const locale = LOCALES[language];
  const texts = LANGUAGES[language];
  const plurals = new Intl.PluralRules(locale);
  const formats = new Map();

  const number = (value, digits = 0) => {
    if (!formats.has(digits)) {
      const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      formats.set(digits, new Intl.NumberFormat(locale, options));
    }
    return typographic(formats.get(digits).format(value));
  };

  const t = (key, values = {}) => {
    const found = texts[key];
    if (found === undefined) throw new Error(`no text ${key} in ${language}`);
    const written = typeof found === "string" ? found : plural(found, values.n);
    const spaced = language === "fr" ? frenchSpaces(written) : written;
    const text = key.startsWith("unit.") ? spaced.replaceAll(" ", "\u00a0") : spaced;
    return text.replace(/\{(\w+)\}/g, (_, name) =>
      name === "n" && typeof values.n === "number" ? number(values.n) : values[name],
    );
  };

  const plural = (forms, n) => (n === 0 && forms.zero) || forms[plurals.select(n)] || forms.other;

  const signed = new Intl.NumberFormat(locale, { maximumFractionDigits: 1, signDisplay: "exceptZero" });
  const day = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" });
  const shortDay = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });

  return {
    language,
    t,
    number,
    kilometres: (value) =>
      value < 1 ? t("unit.m", { n: number(value * 1000) }) : t("unit.km", { n: number(value, 2) }),
    metres: (value) =>
      value < 1000 ? t("unit.m", { n: number(value) }) : t("unit.km", { n: number(value / 1000, 2) }),
    percent: (value, digits = 0) => t("unit.percent", { n: number(value, digits) }),
    points: (value) => t("unit.points", { n: signed.format(value).replace("-", "\u2212") }),
    // "2.311718, 48.88743" as the marts write a point; any other text as it is.
    value: (text) => {
      const point = text?.match(/^(-?\d+\.\d+), (-?\d+\.\d+)$/);
      if (!point) return text;
      return t("unit.place", {
        latitude: number(Number(point[2]), 5),
        longitude: number(Number(point[1]), 5),
      });
    },
    date: (moment) => day.format(new Date(moment)),
    shortDate: (moment) => shortDay.format(new Date(moment)).replaceAll(" ", "\u00a0"),
    arrondissement: (value) => (value === null ? t("arrondissement.none") : ordinal(value, language)),
    collator: new Intl.Collator(locale, { sensitivity: "base", numeric: true }),
  };
}

function ordinal(value, language) {
  if (language === "fr") return value === 1 ? "1er" : `${value}e`;
  const ending =
    value % 100 >= 11 && value % 100 <= 13 ? "th" : (["th", "st", "nd", "rd"][value % 10] ?? "th");
  return `${value}${ending}`;
}
