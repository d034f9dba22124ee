import en from "./en.js";
import fr from "./fr.js";

export const LANGUAGES = { fr, en };
const LOCALES = { fr: "fr-FR", en: "en-GB" };

export const otherLanguage = (language) => (language === "fr" ? "en" : "fr");

// French, unless the address asks for English: the same address must show everyone the same page.
export const chosenLanguage = (params) => (params.lang === "en" ? "en" : "fr");

// What a language says: t("key", {n: 3}), and numbers, dates and ordinals in its manner.
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
    return formats.get(digits).format(value);
  };

  const t = (key, values = {}) => {
    const found = texts[key];
    if (found === undefined) throw new Error(`no text ${key} in ${language}`);
    const text = typeof found === "string" ? found : plural(found, values.n);
    return text.replace(/\{(\w+)\}/g, (_, name) =>
      name === "n" && typeof values.n === "number" ? number(values.n) : values[name],
    );
  };

  const plural = (forms, n) => (n === 0 && forms.zero) || forms[plurals.select(n)] || forms.other;

  const signed = new Intl.NumberFormat(locale, { maximumFractionDigits: 1, signDisplay: "exceptZero" });
  const day = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" });

  return {
    language,
    t,
    number,
    kilometres: (value) =>
      value < 1 ? t("unit.m", { n: number(value * 1000) }) : t("unit.km", { n: number(value, 2) }),
    metres: (value) =>
      value < 1000 ? t("unit.m", { n: number(value) }) : t("unit.km", { n: number(value / 1000, 2) }),
    percent: (value, digits = 0) => t("unit.percent", { n: number(value, digits) }),
    points: (value) => t("unit.points", { n: signed.format(value) }),
    date: (moment) => day.format(new Date(moment)),
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
