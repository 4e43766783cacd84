// Numbers as people in the United States write them, whatever locale is asked for; QuickJS has no Intl.

function formatNumber(value, options = {}) {
  const { style = 'decimal', currency = 'USD', useGrouping = true, notation } = options;
  if (Number.isNaN(value)) return 'NaN';
  const money = style === 'currency';
  let least = options.minimumFractionDigits ?? (money ? 2 : 0);
  let most = options.maximumFractionDigits ?? Math.max(least, money ? 2 : style === 'percent' ? 0 : 3);
  if (options.minimumFractionDigits === undefined && least > most) least = most;
  if (least > most) throw new RangeError('maximumFractionDigits value is out of range.');
  let number = Math.abs(Number(value)), ending = '';
  if (style === 'percent') {
    number *= 100;
    ending = '%';
  }
  if (notation === 'compact') {
    const step = [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'K']].find(([size]) => number >= size);
    if (step) {
      number /= step[0];
      ending = step[1];
    }
    if (options.maximumFractionDigits === undefined) most = number < 100 && number % 1 !== 0 ? 1 : 0;
  }
  let text;
  if (!Number.isFinite(number)) {
    text = '∞';
  } else {
    if (options.maximumSignificantDigits) number = Number(number.toPrecision(options.maximumSignificantDigits));
    if (typeof value === 'bigint') text = String(value < 0n ? -value : value);
    else text = number < 1e21 ? number.toFixed(Math.min(most, 100)) : BigInt(number).toString();
    let [whole, fraction = ''] = text.split('.');
    while (fraction.length > least && fraction.endsWith('0')) fraction = fraction.slice(0, -1);
    whole = whole.padStart(options.minimumIntegerDigits ?? 1, '0');
    if (useGrouping && useGrouping !== 'false') whole = whole.replace(/\B(?=(\d{3})+$)/g, ',');
    text = fraction ? `${whole}.${fraction}` : whole;
  }
  if (money) text = (SYMBOLS[currency] ?? `${currency}\u00a0`) + text;
  const negative = value < 0 || Object.is(value, -0);
  const sign = negative ? '-' : options.signDisplay === 'always' || options.signDisplay === 'exceptZero' && value ? '+' : '';
  return sign + text + ending;
}

const SYMBOLS = { USD: '$', EUR: '€', GBP: '£', JPY: '¥', INR: '₹', CNY: 'CN¥', KRW: '₩', BRL: 'R$', CAD: 'CA$', AUD: 'A$', MXN: 'MX$' };

Number.prototype.toLocaleString = function toLocaleString(locales, options) {
  return formatNumber(Number(this), options);
};
BigInt.prototype.toLocaleString = function toLocaleString(locales, options) {
  return formatNumber(BigInt(this), options);
};

class NumberFormat {
  #options;
  constructor(locales, options) {
    this.#options = options;
    this.format = (value) => formatNumber(typeof value === 'bigint' ? value : Number(value), this.#options);
  }
  resolvedOptions() {
    return { locale: 'en-US', ...this.#options };
  }
}

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const two = (number) => String(number).padStart(2, '0');

// The clock of this image is UTC, and so is every time zone that is asked for.
function formatDate(date, options = {}, standard = 'date') {
  if (Number.isNaN(date.getTime())) return 'Invalid Date';
  const o = { ...options };
  const styles = { full: { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' }, long: { year: 'numeric', month: 'long', day: 'numeric' },
                   medium: { year: 'numeric', month: 'short', day: 'numeric' }, short: { year: '2-digit', month: 'numeric', day: 'numeric' } };
  if (o.dateStyle) Object.assign(o, styles[o.dateStyle]);
  if (o.timeStyle) Object.assign(o, { hour: 'numeric', minute: '2-digit' }, o.timeStyle === 'short' ? {} : { second: '2-digit' });
  const asked = ['weekday', 'year', 'month', 'day', 'hour', 'minute', 'second'].some((part) => o[part]);
  if (!asked && standard !== 'time') Object.assign(o, { year: 'numeric', month: 'numeric', day: 'numeric' });
  if (!asked && standard !== 'date') Object.assign(o, { hour: 'numeric', minute: '2-digit', second: '2-digit' });
  const year = o.year && (o.year === '2-digit' ? two(date.getUTCFullYear() % 100) : String(date.getUTCFullYear()));
  const day = o.day && (o.day === '2-digit' ? two(date.getUTCDate()) : String(date.getUTCDate()));
  const weekday = o.weekday && (o.weekday === 'long' ? DAYS[date.getUTCDay()] : DAYS[date.getUTCDay()].slice(0, 3));
  let text;
  if (o.month === 'long' || o.month === 'short' || o.month === 'narrow') {
    const name = o.month === 'long' ? MONTHS[date.getUTCMonth()] : MONTHS[date.getUTCMonth()].slice(0, o.month === 'short' ? 3 : 1);
    const front = [name, day].filter(Boolean).join(' ');
    text = [weekday, year && day ? `${front}, ${year}` : [front, year].filter(Boolean).join(' ')].filter(Boolean).join(', ');
  } else {
    const month = o.month && (o.month === '2-digit' ? two(date.getUTCMonth() + 1) : String(date.getUTCMonth() + 1));
    text = [weekday, [month, day, year].filter(Boolean).join('/')].filter(Boolean).join(', ');
  }
  if (!o.hour && !o.minute && !o.second) return text;
  const full = o.hour12 === false || o.hourCycle === 'h23';
  const hours = full ? two(date.getUTCHours()) : o.hour === '2-digit' ? two(date.getUTCHours() % 12 || 12) : String(date.getUTCHours() % 12 || 12);
  const time = [o.hour && hours, o.minute && two(date.getUTCMinutes()), o.second && two(date.getUTCSeconds())].filter(Boolean).join(':') +
    (o.hour && !full ? (date.getUTCHours() < 12 ? ' AM' : ' PM') : '');
  return text ? `${text}, ${time}` : time;
}

Date.prototype.toLocaleDateString = function toLocaleDateString(locales, options) {
  return formatDate(this, options, 'date');
};
Date.prototype.toLocaleTimeString = function toLocaleTimeString(locales, options) {
  return formatDate(this, options, 'time');
};
Date.prototype.toLocaleString = function toLocaleString(locales, options) {
  return formatDate(this, options, 'both');
};

class DateTimeFormat {
  #options;
  constructor(locales, options) {
    this.#options = options;
    this.format = (date) => formatDate(new Date(date ?? Date.now()), this.#options, 'date');
  }
  resolvedOptions() {
    return { locale: 'en-US', timeZone: 'UTC', calendar: 'gregory', ...this.#options };
  }
}

class Collator {
  constructor() {
    this.compare = (a, b) => String(a).localeCompare(String(b));
  }
}

const Intl = { NumberFormat, DateTimeFormat, Collator };
for (const name in Intl) {
  // Callable without `new`, as the real ones are.
  const Class = Intl[name];
  Intl[name] = new Proxy(Class, { apply: (target, self, args) => new Class(...args) });
}
Object.defineProperty(globalThis, 'Intl', { value: Intl, writable: true, configurable: true });
