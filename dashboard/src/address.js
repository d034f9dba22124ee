// An address as a person types it, and the street ranges that hold it. The rules are those of the
// package `which`; the words of spelling come with the index.

const REPETITIONS = ["BIS", "TER", "QUATER", "QUINQUIES"];

export const plain = (text) =>
  text
    .toUpperCase()
    .replaceAll("Œ", "OE")
    .replaceAll("Æ", "AE")
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/[^A-Z0-9]+/g, " ")
    .trim();

export function streetKey(street, spelling) {
  const [kind, ...rest] = plain(street).split(" ");
  const words = [spelling.kinds[kind] ?? kind, ...rest].map((word) => spelling.words[word] ?? word);
  const articles = new RegExp(` (?:${spelling.articles.join("|").replaceAll(" ", "  ")}) `, "g");
  return ` ${words.join("  ")} `.replace(articles, " ").replaceAll(" ", "") || null;
}

// {number, repetition, street, arrondissement}, each null where the text does not say.
export function readAddress(typed) {
  let text = typed.replace(/\(.*$/, "").trim();
  let arrondissement = null;
  const postcode = text.match(/(?<!\d)75[01](\d\d)(?!\d)/);
  if (postcode) {
    arrondissement = Number(postcode[1]);
    text = text.replace(postcode[0], " ");
  }
  const city = text.match(/[\s,]*\bparis\b(?:[\s,]*(\d{1,2})(?:\s*(?:er|e|ème|eme)(?![a-z]))?)?/i);
  const ordinal = text.match(/[\s,]+(\d{1,2})\s*(?:er|e|ème|eme)(?:\s+arr(?:ondissement|dt)?\.?)?\s*$/i);
  if (city) {
    const before = text.slice(0, city.index);
    if (city.index > 0 && !/\b(de|du)\s*$/i.test(before)) {
      arrondissement ??= city[1] ? Number(city[1]) : null;
      text = `${before} ${text.slice(city.index + city[0].length)}`;
    }
  } else if (ordinal) {
    arrondissement ??= Number(ordinal[1]);
    text = text.slice(0, ordinal.index);
  }
  let street = plain(text).replace(/ FRANCE$/, "");
  const numbered = street.match(
    /^(\d{1,4})((?: \d{1,4})*)(?: ?(BIS|TER|QUATER|QUINQUIES|[A-C])(?= |$))?(?: |$)/,
  );
  if (numbered) street = street.slice(numbered[0].length);
  return {
    number: numbered ? Number(numbered[1]) : null,
    repetition: numbered?.[3] ?? null,
    street: street || null,
    arrondissement: arrondissement >= 1 && arrondissement <= 20 ? arrondissement : null,
  };
}

function rank(repetition) {
  if (!repetition) return 0;
  const word = REPETITIONS.indexOf(repetition);
  return word >= 0 ? word + 1 : repetition.charCodeAt(0) - 64;
}

// range: [collège, from, to, side, repetition from, repetition to]
export function isInRange({ number, repetition }, [, from, to, side, fromRepetition, toRepetition]) {
  if (number === null || (side !== 2 && number % 2 !== side)) return false;
  const here = number * 100 + rank(repetition);
  return (
    here >= from * 100 + rank(fromRepetition) && here <= to * 100 + (toRepetition ? rank(toRepetition) : 99)
  );
}

// The index of streets.json, by key and arrondissement.
export class Streets {
  constructor({ spelling, places, ...rest }) {
    Object.assign(this, rest, { spelling });
    this.all = Object.entries(places).flatMap(([place, streets]) =>
      streets.map(([name, ranges]) => ({
        name,
        ranges,
        arrondissement: Number(place),
        key: streetKey(name, spelling),
      })),
    );
    this.byKey = new Map();
    for (const street of this.all)
      this.byKey.set(street.key, [...(this.byKey.get(street.key) ?? []), street]);
  }

  // Streets spelt like the address's, in its arrondissement where it names one.
  named({ street, arrondissement }) {
    const found = (street && this.byKey.get(streetKey(street, this.spelling))) ?? [];
    return found.filter((each) => !arrondissement || each.arrondissement === arrondissement);
  }

  // The likely ones: first those that begin as typed, then those that hold it, then near spellings.
  like({ street, arrondissement }, count = 5) {
    const key = street && streetKey(street, this.spelling);
    if (!key || key.length < 3) return [];
    const within = arrondissement
      ? this.all.filter((each) => each.arrondissement === arrondissement)
      : this.all;
    const bare = key.replace(/^(RUE|AVENUE|BOULEVARD|PLACE|SQUARE|PASSAGE|IMPASSE|VILLA|QUAI|ALLEE)/, "");
    const last = plain(street).split(" ").at(-1);
    const score = (each) => {
      if (each.key.startsWith(key)) return 0;
      if (bare.length > 3 && each.key.includes(bare)) return 1;
      if (last.length > 3 && each.key.endsWith(last)) return 2;
      const away = distance(key, each.key, 3);
      return away <= Math.min(3, key.length / 4) ? 2 + away : null;
    };
    return within
      .map((each) => [score(each), each])
      .filter(([value]) => value !== null)
      .sort(([a, x], [b, y]) => a - b || x.key.length - y.key.length || x.arrondissement - y.arrondissement)
      .slice(0, count)
      .map(([, each]) => each);
  }
}

// Edit distance, given up beyond the limit.
function distance(a, b, limit) {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    if (Math.min(...next) > limit) return limit + 1;
    row = next;
  }
  return row.at(-1);
}
