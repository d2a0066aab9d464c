/** Bytes for people, in decimal units with three digits: `1.24 GB`, `87 B`. */
export function readableBytes(bytes: number): string {
  const unit = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const amount = bytes / 1000 ** unit;
  // 999.7 kB reads as 1000 kB when rounded: the next unit is meant.
  if (Math.round(amount) >= 1000 && unit < UNITS.length - 1) return `1.00 ${UNITS[unit + 1]}`;
  const digits = unit === 0 || amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : 2;
  return `${amount.toFixed(digits)} ${UNITS[unit]}`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function readableSeconds(seconds: number): string {
  const rounded = Math.round(seconds);
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return joined(Math.floor(rounded / 60), 'min', rounded % 60, 's');
  const minutes = Math.round(seconds / 60);
  return joined(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** One decimal: `43.2 %`. What is not quite 100 never reads as 100.0: `99.97 %`. */
export function readablePercent(percent: number): string {
  const text = percent.toFixed(1);
  return `${text === '100.0' && percent < 100 ? percent.toFixed(2) : text} %`;
}

/** `1,234,567` */
export function readableCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 image`, `2,000 images` */
export function countOf(count: number, noun: string, plural = `${noun}s`): string {
  return `${readableCount(count)} ${count === 1 ? noun : plural}`;
}
