// Numbers as people read them, each with its unit. What is not known is a dash.

const NONE = "–";
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const unknown = (value) => value === null || value === undefined || Number.isNaN(value);

export function count(value) {
  return unknown(value) ? NONE : whole.format(value);
}

/** A count that has to fit a narrow column: 812K. */
export function compact(value) {
  return unknown(value) ? NONE : value < 10000 ? whole.format(value) : short.format(value);
}

/** Something a second, without its unit: 0.4, 12, 5,213. */
export function rate(value) {
  if (unknown(value)) return NONE;
  return value > 0 && value < 9.95 ? value.toFixed(1) : whole.format(value);
}

export function percent(ratio) {
  if (unknown(ratio)) return NONE;
  const value = ratio * 100;
  if (value === 0) return "0 %";
  if (value < 0.1) return "<0.1 %";
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

/** A duration that was measured. */
export function ms(value) {
  if (unknown(value)) return NONE;
  if (value < 0.995) return `${value.toFixed(2)} ms`;
  if (value < 9.95) return `${value.toFixed(1)} ms`;
  if (value < 999.5) return `${Math.round(value)} ms`;
  return `${(value / 1000).toFixed(value < 9950 ? 2 : 1)} s`;
}

/** A duration that was set: 60 s, 15 min, 1 h. */
export function seconds(value) {
  if (unknown(value)) return NONE;
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (value >= size && value % size === 0) return `${value / size} ${unit}`;
  }
  return `${rate(value)} s`;
}

/** How long something has lasted, in its two largest units. */
export function lasting(value) {
  if (unknown(value)) return NONE;
  const parts = [];
  let left = Math.floor(value);
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    if (left >= size && parts.length < 2) parts.push(`${Math.floor(left / size)} ${unit}`);
    left %= size;
  }
  return parts.join(" ") || "0 s";
}

export function bytes(value) {
  if (unknown(value)) return NONE;
  let unit = 0;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 9.95 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${["B", "KiB", "MiB", "GiB", "TiB"][unit]}`;
}

/** The time of day: 12:03:10. */
export function clock(date) {
  return date.toLocaleTimeString("en-GB");
}

/** What a word of the API means to people: `circuit_open` is "circuit open". */
export function words(value) {
  return String(value ?? "").replaceAll("_", " ");
}
