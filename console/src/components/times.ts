// Times in the city's zone and the person's language.
import { computed, type ComputedRef } from 'vue';
import { useI18n } from 'vue-i18n';

import { city } from '@/city';

import { useNow } from './now';

export interface Times {
  /** `14:30` today, `11-22 14:30` this year, with the year otherwise. */
  short: (at: string | number | Date) => string;
  /** Everything: date, weekday, time with seconds. */
  full: (at: string | number | Date) => string;
  /** `in 2 hours`, `3 minutes ago`. */
  relative: (at: string | number | Date) => string;
  /** The day: `11-22` or with the year. */
  day: (at: string | number | Date) => string;
}

const MINUTE_MS = 60_000;
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 1440],
  ['hour', 60],
  ['minute', 1],
];

/** The formats of one language and zone; `now` in milliseconds. */
export function times(language: string, zone: string, now: () => number): Times {
  const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(language, { timeZone: zone, hourCycle: 'h23', ...options });
  const clock = format({ hour: '2-digit', minute: '2-digit' });
  const month = format({ month: '2-digit', day: '2-digit' });
  const date = format({ year: 'numeric', month: '2-digit', day: '2-digit' });
  const full = format({ dateStyle: 'full', timeStyle: 'medium' });
  const distance = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });
  const year = format({ year: 'numeric' });

  const day = (at: string | number | Date): string => {
    const then = new Date(at);
    return (year.format(then) === year.format(now()) ? month : date).format(then);
  };
  return {
    day,
    short(at) {
      const then = new Date(at);
      const isToday = date.format(then) === date.format(now());
      return isToday ? clock.format(then) : `${day(then)} ${clock.format(then)}`;
    },
    full: (at) => full.format(new Date(at)),
    relative(at) {
      const minutes = Math.trunc((new Date(at).getTime() - now()) / MINUTE_MS);
      const [unit, size] = UNITS.find(([, minimum]) => Math.abs(minutes) >= minimum) ?? ['minute', 1];
      return distance.format(Math.trunc(minutes / size), unit);
    },
  };
}

export function useTimes(): ComputedRef<Times> {
  const { locale } = useI18n();
  const now = useNow();
  return computed(() => times(locale.value, city.value.zone, () => now.value));
}
